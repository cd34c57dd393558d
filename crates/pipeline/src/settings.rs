//! What is asked of a model.

use std::path::PathBuf;

use scheduler::{SchedulerKind, SigmaSpacing};

use crate::{NoiseKind, PipelineError};

/// Which scheduler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SchedulerChoice {
    /// The class that the model's own configuration is written for.
    Model,
    /// This class, whatever the model's own.
    Kind(SchedulerKind),
}

impl Default for SchedulerChoice {
    /// The paper's.
    fn default() -> Self {
        Self::Kind(SchedulerKind::Ddim)
    }
}

impl std::str::FromStr for SchedulerChoice {
    type Err = PipelineError;

    /// Reads `model`, or the name of a scheduler.
    fn from_str(text: &str) -> Result<Self, PipelineError> {
        match text {
            "model" => Ok(Self::Model),
            name => Ok(Self::Kind(name.parse()?)),
        }
    }
}

/// What is asked of a model; what is absent, the model or its preset says.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct GenerationSettings {
    /// The prompt.
    pub prompt: String,
    /// What guidance leads away from.
    pub negative_prompt: Option<String>,
    /// Seeds, one sample each.
    pub seeds: Vec<u64>,
    /// The generator that makes their noise.
    pub noise: NoiseKind,
    /// The generator of the fresh noise that some schedulers add at each step; else `noise`, which
    /// goes on after the initial noise. Another one's first draw is passed over as well.
    pub sampler_noise: Option<NoiseKind>,
    /// Safetensors file with the initial noise instead: `noise`, `[seeds, channels, height, width]`.
    pub initial_noise: Option<PathBuf>,
    /// Inference steps, as diffusers counts them; else the preset's, else 20.
    pub steps: Option<usize>,
    /// Guidance scale, 0 or 1 for none; else the preset's, else 3.
    pub guidance_scale: Option<f64>,
    /// Height in pixels.
    pub height: Option<usize>,
    /// Width in pixels.
    pub width: Option<usize>,
    /// Scheduler.
    pub scheduler: SchedulerChoice,
    /// Spacing of σ, for the schedulers that have one; else the model's own.
    pub sigmas: Option<SigmaSpacing>,
    /// DDIM's η, from 0 (deterministic) to 1.
    pub eta: f64,
    /// Most samples of one U-Net call, guidance counted twice; else as many as the model's size
    /// allows. Results do not depend on it.
    pub unet_batch: Option<usize>,
}
