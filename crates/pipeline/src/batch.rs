//! How many samples are computed at a time.

use crate::memory::{features, fits};
use crate::{DeviceChoice, Pipeline, PipelineError, Precision};

/// Most values that the largest tensors of a U-Net call have together, where nobody says how many
/// samples it takes: 512 MiB in f32, of which a call needs a small multiple.
const LARGEST_TENSORS: usize = 128 << 20;
/// Most samples of such a call: larger ones gain little, and what is done is on disk after each.
const UNET_SAMPLES: usize = 16;
/// Tokens of a prompt, as CLIP has them; the largest tensors are not those of the text.
const TEXT_TOKENS: usize = 77;
/// Most pixels of the pictures of such a call: those of eight of 512×512.
const PIXELS: usize = 8 * 512 * 512;
/// Times what a U-Net call needs at the least that is left free for it: allocators keep what is given
/// back, and kernels have buffers of their own.
const ROOM: u64 = 2;

impl Pipeline {
    /// Pictures of `size` (height and width in pixels) that are sampled at a time: as many as take
    /// `unet_batch` samples of the U-Net, two each where `guided`, and at least one.
    ///
    /// Where that is `None`: at most 16 samples, whose largest tensors (the U-Net's, by its
    /// configuration and the size) have no more than 512 MiB together in f32, of no more pixels than
    /// eight pictures of 512×512, and as many pictures as the device's free memory has room for.
    ///
    /// # Errors
    /// [`PipelineError::Request`] for 0 samples, or a size as of [`Self::latent_size`];
    /// [`PipelineError::Memory`] where the device has not even room for one picture.
    pub(crate) fn batch(
        &self,
        size: [usize; 2],
        guided: bool,
        unet_batch: Option<usize>,
    ) -> Result<usize, PipelineError> {
        let latents = self.latent_size(size)?;
        let sides = if guided { 2 } else { 1 };
        if unet_batch == Some(0) {
            let reason = "expected a batch of at least one U-Net sample, found 0".into();
            return Err(PipelineError::Request(reason));
        }
        let room = self.room(size, latents, sides)?.unwrap_or(usize::MAX);
        let pictures = match unet_batch {
            Some(samples) => samples / sides,
            None => {
                let costs = self.unet().config().costs(latents, TEXT_TOKENS);
                let widest = costs.iter().map(|part| part.widest).max().unwrap_or(0).max(1);
                let samples = (LARGEST_TENSORS / widest).min(UNET_SAMPLES);
                (samples / sides).min(PIXELS / (size[0] * size[1])).min(room)
            }
        };
        Ok(pictures.max(1))
    }

    /// Pictures of `size` that the device's free memory has room for, where that is known.
    ///
    /// # Errors
    /// [`PipelineError::Memory`] where it has not even room for one.
    fn room(
        &self,
        size: [usize; 2],
        latents: [usize; 2],
        sides: usize,
    ) -> Result<Option<usize>, PipelineError> {
        let Some(device) = DeviceChoice::of(self.device()) else { return Ok(None) };
        let Some(free) = device.free_memory() else { return Ok(None) };
        let [height, width] = size;
        let parts = (self.unet().config(), self.vae().config());
        let precisions = [self.unet().dtype(), self.vae().dtype()].map(Precision::of);
        let [sample, decoding] = features(parts, latents, precisions);
        let call = sample.saturating_mul(sides as u64);
        let what = || format!("the features of a U-Net call at {width}×{height} pixels");
        fits(device, Some(free), call, what, "use a smaller --width and --height")?;
        // Tiles are of one size, whatever the picture's.
        let picture = if self.vae_tiling { 0 } else { decoding };
        let what = || format!("the features of decoding to {width}×{height} pixels");
        let advice = "--vae-tiling takes less, or use a smaller --width and --height";
        fits(device, Some(free), picture, what, advice)?;
        let together = if self.vae_slicing { 0 } else { picture };
        let pictures = free / call.saturating_mul(ROOM).max(together).max(1);
        Ok(Some(usize::try_from(pictures).unwrap_or(usize::MAX)))
    }
}
