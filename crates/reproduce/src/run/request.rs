//! What the pipeline is asked for: prompts, noise and weights of a sample.

use pipeline::{Guidance, NoiseSource, SampleRequest};
use probe::Vote;
use reweight::{BlockWeights, Policy};
use scheduler::SchedulerKind;

use super::context::Context;
use super::library::Library;
use super::skipping::plan;
use crate::ReproduceError;
use crate::plan::{Sample, Weighting};

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

/// What a sample's weighting does to the U-Net; the probe it comes from must be done.
pub(crate) fn policy(library: &Library<'_>, sample: &Sample) -> Result<Policy, ReproduceError> {
    let (steps, blocks) = (sample.steps, library.context.study.blocks());
    let vote = sample.probe().map(|probe| library.vote(&probe)).transpose()?;
    let importance = || {
        let vote: &Vote = vote.as_ref().ok_or_else(|| {
            ReproduceError::Experiment(format!("{} needs a probe", sample.weighting.label()))
        })?;
        Ok::<_, ReproduceError>(vote.importance()?)
    };
    Ok(match sample.weighting {
        Weighting::Vanilla => BlockWeights::vanilla(steps, blocks).into(),
        Weighting::Block { block, weight } => {
            BlockWeights::static_block(steps, blocks, block, weight)?.into()
        }
        Weighting::Importance(range) => BlockWeights::importance(&importance()?, range).into(),
        Weighting::Inverted(range) => BlockWeights::inverted(&importance()?, range).into(),
        Weighting::FreeU(freeu) => freeu.into(),
        Weighting::Skipping(skipping) => plan(library, sample, &skipping)?.block_weights()?.into(),
    })
}
