//! How pictures are sampled, several together where that is faster.

use pipeline::{Control, DeviceChoice, PictureRecord, RecordExtras, SampleRequest};
use reweight::Policy;
use scheduler::SchedulerKind;

use super::library::Library;
use super::request::request;
use super::schedule::policy;
use crate::ReproduceError;
use crate::plan::{Sample, Unit, Weighting};

/// The pictures at the front of `units` that are sampled together, at most `most`: those of the
/// same steps that differ in prompt, seed and weights alone.
pub(crate) fn together(units: &[&Unit], most: usize) -> Vec<Sample> {
    let mut samples: Vec<Sample> = Vec::new();
    for unit in units.iter().take(most.max(1)) {
        let Unit::Picture(sample) = unit else { break };
        let alone = |sample: &Sample| matches!(sample.weighting, Weighting::FreeU(_));
        let fits = |first: &Sample| first.steps == sample.steps && !alone(first) && !alone(sample);
        if !samples.first().is_none_or(fits) {
            break;
        }
        samples.push(*sample);
    }
    samples
}

/// Samples and stores pictures that [`together`] put together.
pub(crate) fn sample_pictures(
    library: &Library<'_>,
    samples: &[Sample],
) -> Result<(), ReproduceError> {
    let (context, pipeline) = (library.context, &library.context.pipeline);
    let mut requests = Vec::new();
    let mut policies = Vec::new();
    for sample in samples {
        requests.push(request(context, sample.example, sample.seed, sample.steps)?);
        policies.push(policy(library, sample)?);
    }
    let Some(request) = SampleRequest::joined(requests) else { return Ok(()) };
    let batch = Policy::for_batch(policies.iter().cloned());
    let latents = pipeline.sample(&request, &batch, &mut |_| Control::Continue)?;
    let pictures = pipeline.pictures(latents)?;
    for ((sample, policy), picture) in samples.iter().zip(&policies).zip(pictures) {
        let record = record(library, sample, policy);
        let png = record.to_png(&picture);
        let png = png.map_err(|error| ReproduceError::Impossible(error.to_string()))?;
        library.store_png(sample, &png)?;
    }
    Ok(())
}

/// What is stored with a picture.
fn record(library: &Library<'_>, sample: &Sample, policy: &Policy) -> PictureRecord {
    let (context, experiment) = (library.context, library.context.experiment());
    PictureRecord {
        prompt: context.example(sample.example).text.clone(),
        negative_prompt: experiment.negative_prompt.clone(),
        seed: sample.seed,
        steps: sample.steps,
        guidance_scale: experiment.guidance_scale,
        scheduler: SchedulerKind::Ddim.class_name().into(),
        size: [context.study.picture_size; 2],
        noise: experiment.noise,
        eta: 0.0,
        initial_noise: None,
        model: context.pipeline.name().into(),
        model_sha256: context.model_sha256.clone(),
        loras: context.pipeline.loras().to_vec(),
        dtype: Some(context.pipeline.precision()),
        device: DeviceChoice::of(context.pipeline.device()),
        version: env!("CARGO_PKG_VERSION").into(),
        intervention: serde_json::to_value(policy).unwrap_or_default(),
        extras: RecordExtras::default(),
    }
}
