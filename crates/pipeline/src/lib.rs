//! Text to image with diffusers pipeline folders: prompts and negative prompts, guidance, sampling
//! under an intervention, decoding, and PNG files that carry their parameters.

#![warn(missing_docs)]

mod batch;
mod branches;
mod conditioning;
mod configs;
mod decode;
mod device;
mod error;
mod folder;
mod generation;
mod lanes;
mod latents_file;
mod lora_norms;
mod memory;
mod merge;
mod model;
mod noise;
mod open;
mod precision;
mod record;
mod request;
mod sample;
mod settings;
mod single_file;
mod start;
mod synthetic;
mod text_encoders;
mod trajectory;

pub use conditioning::{Conditioning, SizeConditioning};
pub use configs::PipelineConfigs;
pub use decode::pictures_from_tensor;
pub use device::{DeviceChoice, nvidia_driver_present};
pub use error::PipelineError;
pub use generation::Generation;
pub use latents_file::{read_latents, write_latents};
pub use lora_norms::{LoraNorms, LoraPart, lora_norms};
pub use memory::MemoryNeed;
pub use merge::LoraRecord;
pub use model::{MAX_PIXELS, Pipeline};
pub use noise::{InitialNoise, NoiseKind, NoiseSource, initial_noise};
pub use precision::Precision;
pub use record::{ImageRecord, ImageUse, PictureRecord, RecordExtras};
pub use request::{Guidance, MAX_GUIDANCE, SampleRequest};
pub use sample::Control;
pub use settings::{GenerationSettings, SchedulerChoice};
pub use single_file::CHECKPOINT_METADATA;
pub use start::{EncodedPicture, ImageSource, Start};
pub use synthetic::{tiny, write_synthetic};
pub use trajectory::{Prediction, StepInfo, Trajectory, TrajectoryStep};
