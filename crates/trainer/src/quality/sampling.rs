//! Pictures sampled for prompts, each from a seed of its own.

use pictures::RgbImage;
use pipeline::{Control, Guidance, Pipeline, PipelineError, SampleRequest, initial_noise};
use reweight::BatchPolicy;
use scheduler::SchedulerKind;

use super::QualitySettings;

/// Prompts that are sampled at once.
const BATCH: usize = 16;

/// A picture for each prompt, in order; the first has `seed`, each next one the next.
///
/// `progress` is told the number of pictures that each batch has added.
pub(super) fn sample(
    pipeline: &Pipeline,
    prompts: &[String],
    seed: u64,
    settings: QualitySettings,
    progress: &mut dyn FnMut(usize),
) -> Result<Vec<RgbImage>, PipelineError> {
    let [height, width] = pipeline.latent_size(pipeline.default_size())?;
    let shape = [pipeline.unet().config().in_channels, height, width];
    let mut pictures = Vec::with_capacity(prompts.len());
    for chunk in prompts.chunks(BATCH) {
        let first = seed.wrapping_add(pictures.len() as u64);
        let seeds: Vec<u64> = (0..chunk.len() as u64).map(|i| first.wrapping_add(i)).collect();
        let conditioning = pipeline.encode_prompts(chunk)?;
        let guidance = match settings.guidance_scale > 1.0 {
            true => Some(Guidance {
                scale: settings.guidance_scale,
                negative: pipeline.encode_negative(None, &conditioning)?,
            }),
            false => None,
        };
        let request = SampleRequest {
            prompts: conditioning,
            guidance,
            noise: initial_noise(&seeds, shape, pipeline.device()),
            fresh_noise: None,
            scheduler: SchedulerKind::Ddim,
            scheduler_config: pipeline.scheduler_config().clone(),
            steps: settings.steps,
            sizes: None,
        };
        let vanilla = BatchPolicy::vanilla();
        let latents = pipeline.sample(&request, &vanilla, &mut |_| Control::Continue)?;
        pictures.extend(pipeline.pictures(latents)?);
        progress(chunk.len());
    }
    Ok(pictures)
}
