//! How well a trained model's pictures show what they were asked for.

use autoencoder::AutoencoderKL;
use burn::tensor::Device;
use pictures::{Dataset, RgbImage};
use pipeline::{Control, Guidance, Pipeline, PipelineError, SampleRequest, initial_noise};
use reweight::BatchPolicy;
use scheduler::SchedulerKind;
use serde::Serialize;

use crate::TrainError;
use crate::autoencoder_stage::encode_all;

/// How many sampled pictures lie nearest to a training picture of their own prompt.
#[derive(Debug, Clone, Serialize)]
pub struct Quality {
    /// Pictures sampled.
    pub pictures: usize,
    /// Those whose nearest training picture, by pixels, has the prompt's concept.
    pub concept_by_pixels: usize,
    /// Those whose nearest training picture, by pixels, has the prompt's style.
    pub style_by_pixels: usize,
    /// The same by latents.
    pub concept_by_latents: usize,
    /// The same by latents.
    pub style_by_latents: usize,
}

/// What [`quality`] samples.
#[derive(Debug, Clone, Copy)]
pub struct QualitySettings {
    /// Number of pictures.
    pub pictures: usize,
    /// Inference steps.
    pub steps: usize,
    /// Guidance scale.
    pub guidance_scale: f64,
    /// Seed of the first picture; each has its own.
    pub seed: u64,
}

/// Samples a picture for every so many of the captions the model was trained on and looks for the
/// nearest picture among *all* training pictures, those of concepts it never saw included.
///
/// # Errors
/// [`TrainError::NoConcept`], [`TrainError::Pipeline`] for requests that cannot be sampled or
/// pictures of another size than the model's.
pub fn quality(
    pipeline: &Pipeline,
    train: &Dataset,
    concepts: &[String],
    settings: QualitySettings,
) -> Result<Quality, TrainError> {
    let device = pipeline.device();
    let known: Vec<usize> = (0..train.examples.len())
        .filter(|index| concepts.contains(&train.examples[*index].caption))
        .collect();
    if known.is_empty() {
        let (pictures, concepts) = (train.examples.len(), concepts.len());
        return Err(TrainError::NoConcept { pictures, concepts });
    }
    let [height, width] = pipeline.default_size();
    if [height, width] != [train.size; 2] {
        let reason = format!(
            "expected training pictures of the model's {width}×{height} pixels, found {0}×{0}",
            train.size
        );
        return Err(PipelineError::Request(reason).into());
    }
    let chosen: Vec<usize> = (0..settings.pictures)
        .map(|i| known[i * known.len() / settings.pictures % known.len()])
        .collect();
    let latents = encode_all(pipeline.vae(), train, device);
    let mut result = Quality {
        pictures: chosen.len(),
        concept_by_pixels: 0,
        style_by_pixels: 0,
        concept_by_latents: 0,
        style_by_latents: 0,
    };
    for (i, index) in chosen.into_iter().enumerate() {
        let wanted = &train.examples[index];
        let picture =
            sample(pipeline, &wanted.text, settings.seed.wrapping_add(i as u64), settings)?;
        let pixels = picture.to_signed().values;
        let by_pixels = nearest(&pixels, train.examples.iter().map(|example| &example.pixels));
        let latent = encode(pipeline.vae(), &pixels, train.size, device);
        let by_latents = nearest(&latent, latents.iter());
        let concept =
            |nearest: usize| usize::from(train.examples[nearest].caption == wanted.caption);
        let style = |nearest: usize| usize::from(train.examples[nearest].style == wanted.style);
        result.concept_by_pixels += concept(by_pixels);
        result.style_by_pixels += style(by_pixels);
        result.concept_by_latents += concept(by_latents);
        result.style_by_latents += style(by_latents);
    }
    Ok(result)
}

fn sample(
    pipeline: &Pipeline,
    prompt: &str,
    seed: u64,
    settings: QualitySettings,
) -> Result<RgbImage, PipelineError> {
    let prompts = pipeline.encode_prompts(&[prompt.to_string()])?;
    let negative = pipeline.encode_negative(None, &prompts)?;
    let [height, width] = pipeline.latent_size(pipeline.default_size())?;
    let shape = [pipeline.unet().config().in_channels, height, width];
    let request = SampleRequest {
        prompts,
        guidance: Some(Guidance { scale: settings.guidance_scale, negative }),
        noise: initial_noise(&[seed], shape, pipeline.device()),
        fresh_noise: None,
        scheduler: SchedulerKind::Ddim,
        scheduler_config: pipeline.scheduler_config().clone(),
        steps: settings.steps,
        sizes: None,
    };
    let vanilla = BatchPolicy::vanilla();
    let latents = pipeline.sample(&request, &vanilla, &mut |_| Control::Continue)?;
    let mut pictures = pipeline.pictures(latents)?;
    pictures.pop().ok_or_else(|| PipelineError::Request("no picture was decoded".into()))
}

fn encode(vae: &AutoencoderKL, pixels: &[f32], size: usize, device: &Device) -> Vec<f32> {
    use burn::tensor::{Tensor, TensorData};
    let data = TensorData::new(pixels.to_vec(), [1, 3, size, size]);
    let mean = vae.encode(Tensor::<4>::from_data(data, device)).mean;
    mean.into_data().iter::<f32>().collect()
}

/// Position of the nearest vector by squared distance.
fn nearest<'a>(from: &[f32], others: impl Iterator<Item = &'a Vec<f32>>) -> usize {
    let distance = |other: &Vec<f32>| -> f64 {
        from.iter().zip(other).map(|(a, b)| f64::from(a - b).powi(2)).sum()
    };
    others
        .map(distance)
        .enumerate()
        .min_by(|a, b| a.1.total_cmp(&b.1))
        .map_or(0, |(index, _)| index)
}
