//! Real pictures as the evaluator of weights: encoded, noised, and predicted by a pipeline's U-Net.

use burn::tensor::{DType, Tensor, TensorData};
use pipeline::{Conditioning, Pipeline, SizeConditioning, initial_noise};
use reweight::StepWeights;
use scheduler::{NoiseSchedule, SchedulerKind};
use unet_core::Intervention;

use super::recorder::PowerRecorder;
use super::targets::{Noised, PictureNoise, TargetEvaluator};
use crate::{NoiseLevel, ProbeError};

/// A picture and what it shows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CaptionedPicture<'a> {
    /// Pixels in [-1, 1], channel first, `3 · height · width` values.
    pub pixels: &'a [f32],
    /// Height and width in pixels, the same for all pictures.
    pub size: [usize; 2],
    /// Prompt.
    pub prompt: &'a str,
}

/// Predicts the training target of noised pictures, at the timesteps that DDIM visits.
pub struct PictureEvaluator<'a> {
    pipeline: &'a Pipeline,
    schedule: NoiseSchedule,
    timesteps: Vec<f64>,
    sizes: SizeConditioning,
    pictures: Vec<Encoded>,
    unet_batch: usize,
    calls: usize,
}

struct Encoded {
    latent: Tensor<4>,
    prompt: Conditioning,
    /// Hash of the pixels, by which the picture has noise of its own whatever its place.
    content: String,
}

impl<'a> PictureEvaluator<'a> {
    /// Encodes pictures for a run of `steps` steps; `unet_batch` is the largest number of samples of
    /// one U-Net call, on which results do not depend.
    ///
    /// # Errors
    /// [`ProbeError`] for pictures of no or of several sizes, sizes and steps that the model does not
    /// serve, and what the autoencoder reports.
    pub fn new(
        pipeline: &'a Pipeline,
        pictures: &[CaptionedPicture<'_>],
        steps: usize,
        unet_batch: usize,
    ) -> Result<Self, ProbeError> {
        let Some(size) = pictures.first().map(|picture| picture.size) else {
            return Err(ProbeError::Config("expected at least one picture, found none".into()));
        };
        if unet_batch == 0 {
            return Err(ProbeError::Config("expected a U-Net batch above 0, found 0".into()));
        }
        pipeline.latent_size(size)?;
        let scheduler = pipeline.scheduler_config().build(SchedulerKind::Ddim, steps)?;
        let encode = |(at, picture): (usize, &CaptionedPicture<'_>)| {
            let [height, width] = size;
            let values = picture.pixels.len();
            if picture.size != size || values != 3 * height * width {
                return Err(ProbeError::Config(format!(
                    "picture {at}: expected {height}×{width} pixels, found {}×{}, {values} values",
                    picture.size[0], picture.size[1]
                )));
            }
            let data = TensorData::new(picture.pixels.to_vec(), [1, 3, height, width]);
            let pixels = Tensor::from_data(data, (pipeline.device(), DType::F32));
            let bytes: Vec<u8> = picture.pixels.iter().flat_map(|x| x.to_le_bytes()).collect();
            Ok(Encoded {
                latent: pipeline.encode(pixels)?,
                prompt: pipeline.encode_prompts(&[picture.prompt.to_string()])?,
                content: files::sha256_bytes(bytes),
            })
        };
        Ok(Self {
            pipeline,
            schedule: pipeline.noise_schedule(),
            timesteps: scheduler.timesteps().to_vec(),
            sizes: SizeConditioning::of_picture(size),
            pictures: pictures.iter().enumerate().map(encode).collect::<Result<_, _>>()?,
            unet_batch,
            calls: 0,
        })
    }

    /// Samples the U-Net was run on so far.
    pub fn unet_samples(&self) -> usize {
        self.calls
    }

    /// Timestep and noise level of every step.
    pub fn levels(&self) -> Vec<NoiseLevel> {
        let sigma = |timestep: f64| self.schedule.sigma(timestep);
        let level = |timestep: &f64| NoiseLevel { timestep: *timestep, sigma: sigma(*timestep) };
        self.timesteps.iter().map(level).collect()
    }

    /// Two pictures of the same pixels, where there are any.
    pub fn duplicates(&self) -> Option<[usize; 2]> {
        let content = |at: usize| &self.pictures[at].content;
        let count = self.pictures.len();
        (0..count).find_map(|b| (0..b).find(|a| content(*a) == content(b)).map(|a| [a, b]))
    }

    /// The noise of a noised picture, unit variance.
    fn noise(&self, Noised { picture, noise, step }: Noised) -> Tensor<4> {
        let encoded = &self.pictures[picture];
        let timestep = self.timesteps[step];
        let name = match noise {
            PictureNoise::Own(seed) => format!("{seed} {timestep} {}", encoded.content),
            PictureNoise::Shared(seed) => format!("{seed} {timestep}"),
        };
        let hash = files::sha256_bytes(name);
        let seed = hash.bytes().take(16).fold(0, |seed: u64, digit| {
            seed << 4 | u64::from(char::from(digit).to_digit(16).unwrap_or(0))
        });
        let [_, channels, height, width] = encoded.latent.dims();
        initial_noise(&[seed], [channels, height, width], self.pipeline.device())
    }

    /// The U-Net's predictions for a chunk, and their targets.
    fn predict(&mut self, chunk: &[Noised], seen: &dyn Intervention) -> [Vec<Vec<f32>>; 2] {
        let (mut inputs, mut targets, mut prompts) = (Vec::new(), Vec::new(), Vec::new());
        for noised in chunk {
            let (noise, encoded) = (self.noise(*noised), &self.pictures[noised.picture]);
            let timestep = self.timesteps[noised.step] as usize;
            let clean = encoded.latent.clone();
            inputs.push(self.schedule.add_noise(clean.clone(), noise.clone(), timestep));
            targets.push(self.schedule.target(clean, noise, timestep));
            prompts.push(encoded.prompt.clone());
        }
        self.calls += chunk.len();
        let timesteps: Vec<f64> = chunk.iter().map(|noised| self.timesteps[noised.step]).collect();
        let pooled: Option<Vec<_>> = prompts.iter().map(|prompt| prompt.pooled.clone()).collect();
        let prompts = Conditioning {
            embeds: Tensor::cat(prompts.into_iter().map(|prompt| prompt.embeds).collect(), 0),
            pooled: pooled.map(|pooled| Tensor::cat(pooled, 0)),
        };
        let added = prompts.added(&self.sizes);
        let input = Tensor::cat(inputs, 0);
        let unet = self.pipeline.unet();
        let output = unet.forward(input, &timesteps, prompts.embeds, added.as_ref(), Some(seen));
        [Tensor::cat(targets, 0), output.cast(DType::F32)].map(rows)
    }
}

/// The values of each sample.
fn rows(tensor: Tensor<4>) -> Vec<Vec<f32>> {
    let samples = tensor.dims()[0];
    let values: Vec<f32> = tensor.into_data().iter::<f32>().collect();
    values.chunks(values.len() / samples.max(1)).map(<[f32]>::to_vec).collect()
}

impl TargetEvaluator for PictureEvaluator<'_> {
    fn pictures(&self) -> usize {
        self.pictures.len()
    }

    fn steps(&self) -> usize {
        self.timesteps.len()
    }

    fn blocks(&self) -> usize {
        self.pipeline.unet().config().num_attention_blocks()
    }

    fn errors(&mut self, asked: &[(Noised, &[f64])]) -> Result<Vec<Vec<f64>>, ProbeError> {
        let mut errors = Vec::with_capacity(asked.len());
        for chunk in asked.chunks(self.unet_batch) {
            let weights: Vec<Vec<f64>> =
                chunk.iter().map(|(_, weights)| weights.to_vec()).collect();
            let thresholds = vec![vec![0.0; self.blocks()]; chunk.len()];
            let noised: Vec<Noised> = chunk.iter().map(|(noised, _)| *noised).collect();
            let [targets, found] = self.predict(&noised, &StepWeights::new(weights, thresholds));
            errors.extend(targets.iter().zip(&found).map(|(target, found)| {
                target.iter().zip(found).map(|(y, x)| f64::from(*y) - f64::from(*x)).collect()
            }));
        }
        Ok(errors)
    }

    fn output_powers(&mut self, asked: &[Noised]) -> Result<Vec<Vec<f64>>, ProbeError> {
        let mut powers = Vec::with_capacity(asked.len());
        for chunk in asked.chunks(self.unet_batch) {
            let recorder = PowerRecorder::new(chunk.len(), self.blocks());
            self.predict(chunk, &recorder);
            powers.extend(recorder.powers());
        }
        Ok(powers)
    }
}
