//! How many samples are computed at a time.

use crate::{Pipeline, PipelineError};

/// Most values that the largest tensors of a U-Net call have together, where nobody says how many
/// samples it takes: 512 MiB in f32, of which a call needs a small multiple.
const LARGEST_TENSORS: usize = 128 << 20;
/// Most samples of such a call: larger ones gain little, and what is done is on disk after each.
const UNET_SAMPLES: usize = 16;
/// Tokens of a prompt, as CLIP has them; the largest tensors are not those of the text.
const TEXT_TOKENS: usize = 77;
/// Most pixels of the pictures of such a call: those of eight of 512×512.
const PIXELS: usize = 8 * 512 * 512;

impl Pipeline {
    /// Pictures of `size` (height and width in pixels) that are sampled at a time: as many as take
    /// `unet_batch` samples of the U-Net, two each where `guided`, and at least one.
    ///
    /// Where that is `None`: at most 16 samples, whose largest tensors (the U-Net's, by its
    /// configuration and the size) have no more than 512 MiB together in f32, of no more pixels than
    /// eight pictures of 512×512.
    ///
    /// # Errors
    /// [`PipelineError::Request`] for 0 samples, or a size as of [`Self::latent_size`].
    pub(crate) fn batch(
        &self,
        size: [usize; 2],
        guided: bool,
        unet_batch: Option<usize>,
    ) -> Result<usize, PipelineError> {
        let latents = self.latent_size(size)?;
        let sides = if guided { 2 } else { 1 };
        match unet_batch {
            Some(0) => {
                let reason = "expected a batch of at least one U-Net sample, found 0".into();
                Err(PipelineError::Request(reason))
            }
            Some(samples) => Ok((samples / sides).max(1)),
            None => {
                let costs = self.unet().config().costs(latents, TEXT_TOKENS);
                let widest = costs.iter().map(|part| part.widest).max().unwrap_or(0).max(1);
                let samples = (LARGEST_TENSORS / widest).min(UNET_SAMPLES);
                let pixels = size[0] * size[1];
                Ok((samples / sides).min(PIXELS / pixels).max(1))
            }
        }
    }
}
