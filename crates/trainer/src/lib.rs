//! Trains the small text-to-image model that ships with the project: an autoencoder, then a
//! text encoder and a U-Net together, on captioned pictures. Beside it a small contrastive model
//! that scores pictures against their prompts.
//!
//! Everything is reproducible from the recipe's seed and resumes from its last checkpoint to the
//! same result: each step draws from its own random stream, and the batch is always computed in
//! the same shards, whatever the number of processors.

#![warn(missing_docs)]

mod autoencoder_stage;
mod checkpoint;
mod concepts;
mod diffusion_stage;
mod error;
mod export;
mod flat;
mod json_file;
mod optimizer;
mod origin;
mod quality;
mod recipe;
mod run;
mod scorer;
mod scorer_stage;
mod shards;
mod stage;
mod steps;
mod summary;
mod vocabulary;

pub use error::TrainError;
pub use quality::{Quality, QualitySettings, quality};
pub use recipe::{
    AutoencoderRecipe, DiffusionRecipe, FieldError, OptimizerRecipe, Recipe, ScorerRecipe,
};
pub use run::{Stages, train};
pub use scorer::{Retrieval, ScorerSummary, train_scorer_model};
pub use stage::Progress;
pub use steps::Steps;
pub use summary::Summary;
