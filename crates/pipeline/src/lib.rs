//! Text to image with diffusers pipeline folders: prompts and negative prompts, guidance, sampling
//! under an intervention, decoding, and PNG files that carry their parameters.

#![warn(missing_docs)]

mod conditioning;
mod configs;
mod device;
mod error;
mod files;
mod folder;
mod latents_file;
mod model;
mod noise;
mod picture;
mod sample;
mod single_file;
mod synthetic;

pub use conditioning::{Conditioning, SizeConditioning};
pub use configs::PipelineConfigs;
pub use device::{nvidia_driver_present, parse_device, parse_dtype};
pub use error::PipelineError;
pub use files::write_atomically;
pub use latents_file::{read_latents, write_latents};
pub use model::Pipeline;
pub use noise::{InitialNoise, NoiseKind, NoiseSource, NoiseType, initial_noise};
pub use picture::{PictureRecord, pictures_from_tensor};
pub use sample::{Control, Guidance, Prediction, SampleRequest, StepInfo, StepIntervention};
pub use synthetic::{tiny, write_synthetic};
