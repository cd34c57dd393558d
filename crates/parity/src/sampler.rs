//! The sampling run that a reference describes.

use std::path::Path;

use burn::tensor::Tensor;
use pipeline::{Guidance, SampleRequest, SizeConditioning};
use scheduler::{Scheduler, SchedulerConfig, SchedulerKind};

use crate::case::Case;

/// What a reference says of a sampling run.
pub(crate) struct Run<'a> {
    /// As [`scheduler`] reads it.
    pub(crate) scheduler: &'a str,
    /// diffusers' `num_inference_steps`.
    pub(crate) steps: usize,
    /// Guidance scale.
    pub(crate) guidance: f64,
    /// One prompt per sample.
    pub(crate) prompts: &'a [String],
    /// The negative prompt of every sample.
    pub(crate) negative_prompt: Option<&'a str>,
    /// Initial noise of unit variance.
    pub(crate) noise: Tensor<4>,
    /// SDXL's sizes; those of the picture where absent.
    pub(crate) sizes: Option<SizeConditioning>,
}

impl Run<'_> {
    /// The run as the pipeline takes it, with its scheduler.
    pub(crate) fn request(
        self,
        case: &Case<'_>,
    ) -> anyhow::Result<(SampleRequest, Box<dyn Scheduler>)> {
        let (config, kind) = scheduler(case.folder, self.scheduler)?;
        let built = config.build(kind, self.steps)?;
        let prompts = case.pipeline.encode_prompts(self.prompts)?;
        let negative = case.pipeline.encode_negative(self.negative_prompt, &prompts)?;
        let request = SampleRequest {
            prompts,
            guidance: Some(Guidance { scale: self.guidance, negative }),
            noise: self.noise,
            fresh_noise: None,
            scheduler: kind,
            scheduler_config: config,
            steps: self.steps,
            sizes: self.sizes,
        };
        Ok((request, built))
    }
}

/// The scheduler `x`, or `kind<-x`: the configuration `scheduler_variants/x.json` read by its own
/// class, or as diffusers' `Kind.from_config` reads it.
fn scheduler(folder: &Path, text: &str) -> anyhow::Result<(SchedulerConfig, SchedulerKind)> {
    let (kind, file) = match text.split_once("<-") {
        Some((kind, file)) => (Some(kind), file),
        None => (None, text),
    };
    let path = folder.join("scheduler_variants").join(format!("{file}.json"));
    let config = SchedulerConfig::from_file(path)?;
    let kind = match kind {
        None => config.kind()?,
        Some(name) => name.parse()?,
    };
    Ok((config, kind))
}
