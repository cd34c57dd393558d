//! Runs that begin with a picture in the place of their first steps.

use std::ops::Range;

use burn::tensor::{DType, Tensor, TensorData};
use pictures::RgbImage;

use crate::{Generation, NoiseSource, Pipeline, PipelineError};

/// Draws of a seed's generator that a run with a picture makes before its first step: for the latents
/// of the picture, and for the noise that is added to them.
pub(crate) const DRAWS: usize = 2;

/// What a picture is used for.
#[derive(Debug, Clone, PartialEq)]
pub struct ImageSource {
    /// SHA-256 of its file, in hexadecimal.
    pub sha256: String,
    /// Share of the steps that are taken, above 0 to 1.
    pub strength: f64,
}

/// The latents of a picture as the autoencoder sees them: a Gaussian, one sample,
/// `[1, channels, height, width]` in f32.
#[derive(Debug, Clone)]
pub struct EncodedPicture {
    mean: Tensor<4>,
    deviation: Tensor<4>,
    scaling_factor: f64,
}

impl EncodedPicture {
    /// The mean of the latents, scaled as the U-Net sees them.
    pub fn mean(&self) -> Tensor<4> {
        self.mean.clone() * self.scaling_factor
    }

    /// A sample of the latents for each seed: that of its generator's first draw.
    fn drawn(&self, source: &NoiseSource) -> Tensor<4> {
        let [_, channels, height, width] = self.mean.dims();
        let noise = source.draw(0, [channels, height, width], &self.mean.device());
        let repeated = |one: &Tensor<4>| one.clone().repeat_dim(0, source.seeds.len());
        (repeated(&self.mean) + repeated(&self.deviation) * noise) * self.scaling_factor
    }
}

/// Where a run begins that leaves out its first steps (diffusers' `StableDiffusionImg2ImgPipeline`).
#[derive(Debug, Clone)]
pub struct Start {
    /// Clean latents, `[batch, channels, height, width]`, scaled as the U-Net sees them; they are
    /// noised as they would be after the steps that are left out.
    pub latents: Tensor<4>,
    /// Share of the inference steps that are taken, above 0 to 1; their number is rounded down.
    pub strength: f64,
}

impl Start {
    /// How many of `steps` inference steps are left out.
    ///
    /// # Errors
    /// [`PipelineError::Request`] for a strength out of range, or with which no step is taken.
    pub fn skipped(&self, steps: usize) -> Result<usize, PipelineError> {
        if !(0.0..=1.0).contains(&self.strength) {
            let strength = self.strength;
            let reason = format!("expected a strength from 0 to 1, found {strength}");
            return Err(PipelineError::Request(reason));
        }
        match (steps as f64 * self.strength) as usize {
            0 => Err(PipelineError::Request(format!(
                "expected a strength with which at least one of {steps} steps is taken, found {}",
                self.strength
            ))),
            taken => Ok(steps - taken.min(steps)),
        }
    }
}

impl Pipeline {
    /// Encodes a picture.
    ///
    /// # Errors
    /// [`PipelineError::Request`] for a size that is no multiple of the autoencoder's factor;
    /// [`PipelineError::NotFiniteAutoencoder`] where the autoencoder overflows.
    pub fn encode_picture(&self, picture: &RgbImage) -> Result<EncodedPicture, PipelineError> {
        self.latent_size(picture.size())?;
        let planes = picture.to_signed();
        let data = TensorData::new(planes.values, [1, 3, planes.height, planes.width]);
        let pixels = Tensor::from_data(data, (self.device(), DType::F32));
        let posterior = self.vae().encode(pixels);
        let what = "the encoded picture";
        Ok(EncodedPicture {
            mean: self.checked(posterior.mean.cast(DType::F32), what)?,
            deviation: (posterior.logvar.cast(DType::F32) * 0.5).exp(),
            scaling_factor: self.vae().config().scaling_factor,
        })
    }

    /// Where those of the generation's `samples` begin that are to begin with a picture; `None`
    /// where the generation has none.
    pub fn start(
        &self,
        generation: &Generation,
        picture: &EncodedPicture,
        samples: Range<usize>,
    ) -> Option<Start> {
        let strength = generation.image.as_ref()?.strength;
        let seeds = generation.noise.seeds.get(samples).unwrap_or_default();
        let source = NoiseSource { seeds: seeds.to_vec(), ..generation.noise.clone() };
        Some(Start { latents: picture.drawn(&source), strength })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    #[test]
    fn skipped_steps_are_counted_as_diffusers_counts_them() {
        let latents = Tensor::zeros([1, 1, 1, 1], &Device::flex());
        let skipped = |strength, steps| Start { latents: latents.clone(), strength }.skipped(steps);
        // 100 · 0.29 is a little less than 29.
        for (strength, steps, expected) in
            [(1.0, 20, 0), (0.8, 20, 4), (0.5, 5, 3), (0.3, 10, 7), (0.29, 100, 72)]
        {
            assert_eq!(skipped(strength, steps).unwrap(), expected, "{strength} {steps}");
        }
        for strength in [-0.1, 1.1, f64::NAN] {
            let error = skipped(strength, 20).unwrap_err().to_string();
            assert!(error.contains("from 0 to 1"), "{error}");
        }
        assert!(skipped(0.04, 20).unwrap_err().to_string().contains("one of 20 steps"));
    }
}
