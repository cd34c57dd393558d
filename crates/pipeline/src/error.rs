//! What can go wrong in this crate.

use std::path::PathBuf;

use autoencoder::AutoencoderError;
use clip::ClipError;
use files::FileError;
use hub::HubError;
use lora::LoraError;
use pictures::PictureError;
use reweight::ReweightError;
use scheduler::SchedulerError;
use unet_core::UNetError;
use weights::WeightsError;

use crate::DeviceChoice;

/// What can go wrong between a prompt and a picture.
#[derive(Debug, thiserror::Error)]
pub enum PipelineError {
    /// A file could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The folder is no pipeline folder.
    #[error("`{path}` is not a diffusers pipeline folder: {reason}")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What is missing or wrong.
        reason: String,
    },
    /// The file is no checkpoint that can be used.
    #[error("`{path}`: {reason}")]
    SingleFile {
        /// The file.
        path: PathBuf,
        /// What is missing or wrong.
        reason: String,
    },
    /// The file holds no noise or latents that can be used.
    #[error("`{path}`: {reason}")]
    LatentsFile {
        /// The file.
        path: PathBuf,
        /// What was expected and what was found.
        reason: String,
    },
    /// The parts of a pipeline are of different models.
    #[error("`{path}`: {reason}; its parts are of different models or revisions")]
    Mixed {
        /// The folder or file.
        path: PathBuf,
        /// What does not fit.
        reason: String,
    },
    /// The index and the scheduler's configuration name different classes.
    #[error(
        "`{index}` names the scheduler `{indexed}`, but `_class_name` of `{config}` is \
         `{configured}`: diffusers follows the first; make them agree"
    )]
    SchedulerClass {
        /// `model_index.json`.
        index: PathBuf,
        /// The class it names.
        indexed: String,
        /// `scheduler_config.json`.
        config: PathBuf,
        /// The class it names.
        configured: String,
    },
    /// The model's name stands for nothing that is here.
    #[error(transparent)]
    Hub(#[from] HubError),
    /// A LoRA could not be read, or does not fit the model.
    #[error(transparent)]
    Lora(#[from] LoraError),
    /// A request that cannot be served.
    #[error("{0}")]
    Request(String),
    /// The device has less memory than something takes.
    #[error(
        "{what} take at least {:.1} GiB, found {:.1} GiB free on {device}: {advice}",
        *needed as f64 / f64::from(1 << 30),
        *free as f64 / f64::from(1 << 30)
    )]
    Memory {
        /// What takes the memory, in the plural.
        what: String,
        /// Bytes it takes, at the least.
        needed: u64,
        /// Bytes that are free.
        free: u64,
        /// Which device.
        device: DeviceChoice,
        /// What can be done.
        advice: &'static str,
    },
    /// The device or data type is not to be had.
    #[error("{0}")]
    Device(String),
    /// The sampling produced NaN or infinite values.
    #[error("step {step}: {what} has values that are not finite; lower the weights or use f32")]
    NotFinite {
        /// Inference step, from 0.
        step: usize,
        /// Which values.
        what: &'static str,
    },
    /// The autoencoder produced NaN or infinite values.
    #[error(
        "{what} has values that are not finite: the autoencoder (in {dtype}, scaling factor \
         {scaling_factor}) overflows; {}",
        match *dtype {
            "f16" => "use f32 or bf16",
            _ => "its weights or its configuration are broken",
        }
    )]
    NotFiniteAutoencoder {
        /// Which values.
        what: &'static str,
        /// The type it computes in: `f32`, `f16` or `bf16`.
        dtype: &'static str,
        /// By which latents are divided before they are decoded.
        scaling_factor: f64,
    },
    /// Weights that do not fit the run.
    #[error(transparent)]
    Reweight(#[from] ReweightError),
    /// Weights could not be read or written, or do not fit.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// The U-Net could not be loaded.
    #[error(transparent)]
    UNet(#[from] UNetError),
    /// The autoencoder could not be loaded.
    #[error(transparent)]
    Autoencoder(#[from] AutoencoderError),
    /// A tokenizer or text encoder could not be loaded.
    #[error(transparent)]
    Clip(#[from] ClipError),
    /// The scheduler could not be set up.
    #[error(transparent)]
    Scheduler(#[from] SchedulerError),
    /// A picture could not be encoded.
    #[error(transparent)]
    Picture(#[from] PictureError),
}
