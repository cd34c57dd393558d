//! What the U-Net is conditioned on: encoded prompts, and SDXL's sizes.

use burn::tensor::Tensor;
use unet_core::AddedConditioning;

/// SDXL's size conditioning, in pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SizeConditioning {
    /// Height and width the training picture had.
    pub original_size: [usize; 2],
    /// Top and left of its crop.
    pub crops_coords_top_left: [usize; 2],
    /// Height and width wanted.
    pub target_size: [usize; 2],
}

impl SizeConditioning {
    /// Uncropped, at the size of the picture itself.
    pub fn of_picture(size: [usize; 2]) -> Self {
        Self { original_size: size, crops_coords_top_left: [0, 0], target_size: size }
    }

    fn time_ids(&self) -> [f64; 6] {
        let [a, b] = self.original_size;
        let [c, d] = self.crops_coords_top_left;
        let [e, f] = self.target_size;
        [a, b, c, d, e, f].map(|value| value as f64)
    }
}

/// Encoded prompts, one per sample.
#[derive(Debug, Clone)]
pub struct Conditioning {
    /// Text context, `[batch, tokens, cross_attention_dim]`.
    pub embeds: Tensor<3>,
    /// Pooled text embedding of SDXL, `[batch, projection_dim]`.
    pub pooled: Option<Tensor<2>>,
}

impl Conditioning {
    /// Number of samples.
    pub fn batch(&self) -> usize {
        self.embeds.dims()[0]
    }

    /// The samples of `self`, then those of `other`.
    pub fn followed_by(self, other: Self) -> Self {
        Self {
            embeds: Tensor::cat(vec![self.embeds, other.embeds], 0),
            pooled: match (self.pooled, other.pooled) {
                (Some(a), Some(b)) => Some(Tensor::cat(vec![a, b], 0)),
                _ => None,
            },
        }
    }

    /// The `count` samples from `start` on.
    pub fn part(&self, start: usize, count: usize) -> Self {
        Self {
            embeds: self.embeds.clone().narrow(0, start, count),
            pooled: self.pooled.clone().map(|pooled| pooled.narrow(0, start, count)),
        }
    }

    /// `count` copies of the whole batch, one after the other.
    pub fn repeated(self, count: usize) -> Self {
        Self {
            embeds: self.embeds.repeat_dim(0, count),
            pooled: self.pooled.map(|pooled| pooled.repeat_dim(0, count)),
        }
    }

    /// SDXL's additional conditioning with the same sizes for every sample.
    pub fn added(&self, sizes: &SizeConditioning) -> Option<AddedConditioning> {
        self.pooled.as_ref().map(|pooled| AddedConditioning {
            text_embeds: pooled.clone(),
            time_ids: vec![sizes.time_ids(); self.batch()],
        })
    }
}
