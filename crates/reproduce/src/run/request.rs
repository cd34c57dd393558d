//! What the pipeline is asked for: prompts and noise of a sample.

use pipeline::{Guidance, NoiseSource, SampleRequest};
use scheduler::SchedulerKind;

use super::context::Context;
use crate::ReproduceError;

/// The noise of a seed, as the experiment wants it made.
pub(crate) fn noise(context: &Context, seed: u64) -> NoiseSource {
    NoiseSource {
        kind: context.experiment().noise,
        dtype: context.pipeline.precision(),
        seeds: vec![seed],
    }
}

/// Channels, height and width of the latents.
pub(crate) fn latent_shape(context: &Context) -> Result<[usize; 3], ReproduceError> {
    let pipeline = &context.pipeline;
    let [height, width] = pipeline.latent_size([context.study.picture_size; 2])?;
    Ok([pipeline.unet().config().in_channels, height, width])
}

/// One sample of one prompt, from the first noise of `seed`.
pub(crate) fn request(
    context: &Context,
    example: usize,
    seed: u64,
    steps: usize,
) -> Result<SampleRequest, ReproduceError> {
    let (pipeline, experiment) = (&context.pipeline, context.experiment());
    let prompts = pipeline.encode_prompts(&[context.example(example).text.clone()])?;
    let negative = pipeline.encode_negative(experiment.negative_prompt.as_deref(), &prompts)?;
    Ok(SampleRequest {
        prompts,
        guidance: Some(Guidance { scale: experiment.guidance_scale, negative }),
        noise: noise(context, seed).draw(0, latent_shape(context)?, pipeline.device()),
        fresh_noise: None,
        scheduler: SchedulerKind::Ddim,
        scheduler_config: pipeline.scheduler_config().clone(),
        steps,
        sizes: None,
    })
}
