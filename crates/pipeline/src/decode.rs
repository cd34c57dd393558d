//! Between latents and pixels.

use burn::tensor::{DType, Tensor};

use crate::trajectory::is_finite;
use pictures::RgbImage;

use crate::{Pipeline, PipelineError, Precision};

impl Pipeline {
    /// Decodes latents to pixels.
    ///
    /// # Shapes
    /// - latents: `[batch, channels, height, width]`, scaled as the U-Net sees them
    /// - output: `[batch, 3, height, width]` in pixels, values about [-1, 1], f32
    ///
    /// # Errors
    /// [`PipelineError::NotFiniteAutoencoder`] where the autoencoder overflows.
    pub fn decode(&self, latents: Tensor<4>) -> Result<Tensor<4>, PipelineError> {
        let latents = latents.cast(DType::F32) / self.vae().config().scaling_factor;
        let decode = |latents: Tensor<4>| {
            let decoded = match self.vae_tiling {
                true => self.vae().decode_tiled(latents),
                false => self.vae().decode(latents),
            };
            decoded.cast(DType::F32)
        };
        let pixels = if self.vae_slicing {
            let samples = latents.dims()[0];
            Tensor::cat((0..samples).map(|i| decode(latents.clone().narrow(0, i, 1))).collect(), 0)
        } else {
            decode(latents)
        };
        self.checked(pixels, "the decoded picture")
    }

    /// Decodes latents to pictures, one per sample.
    ///
    /// # Errors
    /// As [`Self::decode`].
    pub fn pictures(&self, latents: Tensor<4>) -> Result<Vec<RgbImage>, PipelineError> {
        Ok(pictures_from_tensor(self.decode(latents)?))
    }

    /// Encodes pixels to the mean of their latents, scaled as the U-Net sees them, f32.
    ///
    /// # Shapes
    /// - pixels: `[batch, 3, height, width]`, values in [-1, 1]
    ///
    /// # Errors
    /// [`PipelineError::NotFiniteAutoencoder`] where the autoencoder overflows.
    pub fn encode(&self, pixels: Tensor<4>) -> Result<Tensor<4>, PipelineError> {
        let mean = self.vae().encode(pixels).mean.cast(DType::F32);
        self.checked(mean * self.vae().config().scaling_factor, "the encoded picture")
    }

    /// `values`, where all are finite.
    pub(crate) fn checked(
        &self,
        values: Tensor<4>,
        what: &'static str,
    ) -> Result<Tensor<4>, PipelineError> {
        if is_finite(&values) {
            return Ok(values);
        }
        let dtype = Precision::of(self.vae().dtype()).name();
        let scaling_factor = self.vae().config().scaling_factor;
        Err(PipelineError::NotFiniteAutoencoder { what, dtype, scaling_factor })
    }
}

/// The pictures of a decoded batch, `[batch, 3, height, width]` with values in [-1, 1].
///
/// Rounds halves to even, as NumPy does.
pub fn pictures_from_tensor(pixels: Tensor<4>) -> Vec<RgbImage> {
    let [batch, _, height, width] = pixels.dims();
    let values: Vec<f32> = pixels.into_data().iter::<f32>().collect();
    let plane = height * width;
    (0..batch)
        .map(|sample| {
            let values = &values[sample * 3 * plane..][..3 * plane];
            let byte =
                |value: f32| ((value / 2.0 + 0.5).clamp(0.0, 1.0) * 255.0).round_ties_even() as u8;
            let rgb = (0..3 * plane).map(|i| byte(values[i % 3 * plane + i / 3])).collect();
            RgbImage { width, height, rgb }
        })
        .collect()
}
