//! Trains the small text-to-image model that ships with the project: an autoencoder, then a
//! text encoder and a U-Net together, on captioned pictures, then, where the recipe says so, a
//! few-step model distilled from them. Beside it a small contrastive model that scores pictures
//! against their prompts.
//!
//! A recipe may hold out pairs of concept and style, drawn by a seed; the list is kept with the
//! model, and [`scored`] measures what the model makes of them.
//!
//! Everything is reproducible from the recipe's seed and resumes from its last checkpoint to the
//! same result: each step draws from its own random stream, and the batch is always computed in
//! the same shards, whatever the number of processors.

#![warn(missing_docs)]

mod augment;
mod autoencoder_loss;
mod autoencoder_stage;
mod captions;
mod checkpoint;
mod colours;
mod concepts;
mod diffusion_stage;
mod distillation_stage;
mod error;
mod export;
mod flat;
mod halved_step;
mod held_out;
mod json_file;
mod kinds;
mod latents;
mod optimizer;
mod origin;
mod pixels;
mod quality;
mod recipe;
mod resident;
mod run;
mod scorer;
mod scorer_stage;
mod shards;
mod stage;
mod start;
mod steps;
mod summary;
mod trainings;
mod vocabulary;

pub use error::TrainError;
pub use held_out::{HeldOut, Pair};
pub use quality::{
    Copies, Diversity, Nearest, Quality, QualitySettings, Recognition, Reference, Scored,
    SetDistance, VaguePrompt, quality, scored, sheet,
};
pub use recipe::{
    AugmentRecipe, AutoencoderRecipe, CaptionsRecipe, DiffusionRecipe, DistillationRecipe,
    FieldError, HeldOutRecipe, OptimizerRecipe, Recipe, RefinementRecipe, ScorerRecipe,
};
pub use run::{Folders, Stages, Trained, train};
pub use scorer::{Retrieval, ScorerSummary, train_scorer_model};
pub use stage::Progress;
pub use steps::Steps;
pub use summary::Summary;
