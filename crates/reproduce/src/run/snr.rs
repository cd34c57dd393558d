//! Eq. 2 on real pictures: encode, noise, predict.

use std::cell::RefCell;
use std::collections::HashMap;

use burn::tensor::{DType, Tensor, TensorData};
use pipeline::{Conditioning, PipelineError, SizeConditioning};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;
use reweight::Policy;
use scheduler::SchedulerKind;

use super::context::Context;
use super::library::Library;
use super::results::Ratios;
use super::schedule::policy;
use crate::ReproduceError;
use crate::plan::{Sample, Unit};

/// Measures signal-to-noise ratios, each picture encoded once.
pub(crate) struct SnrMeter<'a> {
    library: Library<'a>,
    latents: RefCell<HashMap<usize, Tensor<4>>>,
}

impl<'a> SnrMeter<'a> {
    pub(crate) fn new(library: Library<'a>) -> Self {
        Self { library, latents: RefCell::default() }
    }

    /// Eq. 2 at each inference step, all steps in one U-Net call; stored.
    pub(crate) fn measure(&self, sample: &Sample) -> Result<(), ReproduceError> {
        let context = self.library.context;
        let pipeline = &context.pipeline;
        let scheduler = pipeline
            .scheduler_config()
            .build(SchedulerKind::Ddim, sample.steps)
            .map_err(PipelineError::from)?;
        let timesteps = scheduler.timesteps().to_vec();
        let schedule = pipeline.noise_schedule();
        let content = &context.fingerprints.contents[sample.example];
        let picture = u64::from_str_radix(&content[..12], 16).unwrap_or(0);
        let clean = self.clean(sample.example)?;
        let shape = clean.dims();
        let device = clean.device();
        let noised: Vec<(Tensor<4>, Tensor<4>)> = timesteps
            .iter()
            .map(|timestep| {
                // The same noise for a picture, seed and timestep under every weighting.
                let mut rng = ChaCha8Rng::seed_from_u64(sample.seed);
                rng.set_stream(picture << 16 | *timestep as u64);
                let count = shape.iter().product();
                let noise: Vec<f32> = rng.sample_iter(StandardNormal).take(count).collect();
                let noise = Tensor::from_data(TensorData::new(noise, shape), (&device, DType::F32));
                let noised = schedule.add_noise(clean.clone(), noise.clone(), *timestep as usize);
                (noise, noised)
            })
            .collect();
        let policy = policy(&self.library, sample)?;
        let prompt = pipeline.encode_prompts(&[context.example(sample.example).text.clone()])?;
        let input = Tensor::cat(noised.iter().map(|(_, noised)| noised.clone()).collect(), 0);
        let output = predict(context, input, &timesteps, prompt.repeated(sample.steps), &policy)?;
        let clean = host(clean);
        let ratios = noised
            .into_iter()
            .enumerate()
            .map(|(step, (noise, noised))| {
                let raw = output.clone().narrow(0, step, 1);
                let predicted = schedule.to_epsilon(raw, noised, timesteps[step] as usize);
                Ok(metrics::snr(&clean, &host(noise), &host(predicted))?)
            })
            .collect::<Result<_, ReproduceError>>()?;
        self.library.store(&Unit::Snr(*sample), &Ratios(ratios))
    }

    /// The picture's latent, encoded once.
    fn clean(&self, example: usize) -> Result<Tensor<4>, ReproduceError> {
        if let Some(latent) = self.latents.borrow().get(&example) {
            return Ok(latent.clone());
        }
        let context = self.library.context;
        let pixels = context.example(example).pixels.clone().ok_or_else(|| {
            ReproduceError::Experiment("Eq. 2 needs `pictures`, not prompts alone".into())
        })?;
        let side = context.study.picture_size;
        let values = pixels.len();
        if values != 3 * side * side {
            return Err(ReproduceError::Experiment(format!(
                "expected pictures of {side}×{side}, found {values} values of one; leave `size` out"
            )));
        }
        let data = TensorData::new(pixels, [1, 3, side, side]);
        let pixels = Tensor::from_data(data, (context.pipeline.device(), DType::F32));
        let latent = context.pipeline.encode(pixels)?;
        self.latents.borrow_mut().insert(example, latent.clone());
        Ok(latent)
    }
}

fn host(tensor: Tensor<4>) -> Vec<f32> {
    tensor.into_data().iter::<f32>().collect()
}

/// One unguided U-Net call with a sample per step, each under its step's weights.
fn predict(
    context: &Context,
    input: Tensor<4>,
    timesteps: &[f64],
    prompt: Conditioning,
    policy: &Policy,
) -> Result<Tensor<4>, ReproduceError> {
    let unet = context.pipeline.unet();
    let intervention = policy.at_all_steps(timesteps.len())?;
    let sizes = SizeConditioning::of_picture([context.study.picture_size; 2]);
    let added = prompt.added(&sizes);
    let active = intervention.as_deref();
    Ok(unet.forward(input, timesteps, prompt.embeds, added.as_ref(), active).cast(DType::F32))
}
