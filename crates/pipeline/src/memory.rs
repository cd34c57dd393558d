//! Memory: what a model needs, and what its device has.

use std::process::Command;

use autoencoder::AutoencoderKLConfig;
use burn::tensor::Device;
use sysinfo::System;
use unet_core::{UNet2DConditionConfig, parameter_count};

use crate::{DeviceChoice, PipelineConfigs, PipelineError, Precision};

/// What a model needs at the least, in bytes; programs, drivers and what allocators keep come on top.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryNeed {
    /// The weights of U-Net, autoencoder and text encoders.
    pub weights: u64,
    /// The features of a U-Net call, for each of its samples (two for each picture with guidance).
    pub unet_sample: u64,
    /// The features of decoding, for each picture of those that are decoded together.
    pub picture: u64,
}

impl PipelineConfigs {
    /// What a model of these configurations needs, for pictures of `size` (height and width in
    /// pixels) and weights in `precision`.
    pub fn memory(&self, size: [usize; 2], precision: Precision) -> MemoryNeed {
        let latents = size.map(|side| side.div_ceil(self.vae.downscale()));
        let precisions = [precision, self.vae_precision(precision)];
        let [unet_sample, picture] = features((&self.unet, &self.vae), latents, precisions);
        MemoryNeed { weights: self.weights(precision), unet_sample, picture }
    }

    /// Bytes of all weights.
    fn weights(&self, precision: Precision) -> u64 {
        let device = Device::flex();
        let text: usize = self.text.iter().map(|text| parameter_count(&text.init(&device))).sum();
        let vae = parameter_count(&self.vae.init(&device));
        bytes(parameter_count(&self.unet.init(&device)) + text, precision)
            .saturating_add(bytes(vae, self.vae_precision(precision)))
    }

    fn vae_precision(&self, precision: Precision) -> Precision {
        Precision::of(self.vae_dtype(precision.into()).into())
    }

    /// Says so where the weights are larger than what the device has free, before they are read.
    ///
    /// # Errors
    /// [`PipelineError::Memory`].
    pub(crate) fn check_memory(
        &self,
        precision: Precision,
        device: &Device,
    ) -> Result<(), PipelineError> {
        let Some(choice) = DeviceChoice::of(device) else { return Ok(()) };
        let needed = self.weights(precision);
        let what = || format!("the weights of `{}` in {precision}", self.name);
        let advice = match precision {
            Precision::F32 => "`--dtype f16` takes half, or use a smaller model",
            _ => "use a smaller model, or another device",
        };
        fits(choice, choice.free_memory(), needed, what, advice)
    }
}

/// The error where `needed` bytes are more than `free`; what is not known is enough.
pub(crate) fn fits(
    device: DeviceChoice,
    free: Option<u64>,
    needed: u64,
    what: impl FnOnce() -> String,
    advice: &'static str,
) -> Result<(), PipelineError> {
    match free {
        Some(free) if free < needed => {
            Err(PipelineError::Memory { what: what(), needed, free, device, advice })
        }
        _ => Ok(()),
    }
}

/// Bytes of the features of a U-Net call for each sample, and of decoding for each picture, from latents
/// of that height and width.
pub(crate) fn features(
    (unet, vae): (&UNet2DConditionConfig, &AutoencoderKLConfig),
    latents: [usize; 2],
    [unet_precision, vae_precision]: [Precision; 2],
) -> [u64; 2] {
    [
        bytes(unet.features(latents), unet_precision),
        bytes(vae.decoded_features(latents), vae_precision),
    ]
}

fn bytes(values: usize, precision: Precision) -> u64 {
    let width = if precision == Precision::F32 { 4 } else { 2 };
    (values as u64).saturating_mul(width)
}

impl DeviceChoice {
    /// Bytes that programs may still take of the device's memory: on the processor what the system
    /// calls available (of a control group, where it is less) and free swap, on an NVIDIA GPU what
    /// its driver's `nvidia-smi` tells; `None` where nobody tells, as by WGPU.
    pub fn free_memory(self) -> Option<u64> {
        match self {
            Self::Cpu | Self::Torch(None) => {
                let mut system = System::new();
                system.refresh_memory();
                if system.total_memory() == 0 {
                    return None;
                }
                let (available, swap) = (system.available_memory(), system.free_swap());
                // What files are cached in counts as used by a group, and is given up when needed.
                let limits = system.cgroup_limits();
                let of_group = limits.map(|group| group.total_memory.saturating_sub(group.rss));
                Some(available.min(of_group.unwrap_or(u64::MAX)).saturating_add(swap))
            }
            Self::Cuda(index) | Self::Torch(Some(index)) => {
                let visible = std::env::var("CUDA_VISIBLE_DEVICES").unwrap_or_default();
                let named =
                    visible.split(',').map(str::trim).filter(|name| !name.is_empty()).nth(index);
                let name = named.map_or_else(|| index.to_string(), String::from);
                let query =
                    ["--query-gpu=memory.free", "--format=csv,noheader,nounits", "-i", &*name];
                let answer = Command::new("nvidia-smi").args(query).output().ok()?;
                let mebibytes: u64 = String::from_utf8(answer.stdout).ok()?.trim().parse().ok()?;
                Some(mebibytes << 20)
            }
            Self::Wgpu(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_of_sd_is_that_of_its_parameters_and_features() {
        let configs = PipelineConfigs::of_preset(hub::preset("sd-2.1-base").unwrap()).unwrap();
        let need = configs.memory([512, 512], Precision::F32);
        // Parameters of the published U-Net, autoencoder and text encoder (23 layers).
        assert_eq!(need.weights, 4 * (865_910_724 + 83_653_863 + 340_387_840));
        assert_eq!(need.unet_sample, 4 * 16 * 320 * 64 * 64);
        assert_eq!(need.picture, 4 * 512 * 512 * 512);
        let half = configs.memory([512, 512], Precision::F16);
        // Nothing says that this autoencoder does not overflow in f16, so it stays in f32.
        assert_eq!(half.weights, 2 * (865_910_724 + 340_387_840) + 4 * 83_653_863);
        assert_eq!([half.unet_sample, half.picture], [need.unet_sample / 2, need.picture]);
    }

    #[test]
    fn what_does_not_fit_is_said_with_both_sizes() {
        let free = DeviceChoice::Cpu.free_memory().unwrap();
        assert!(free > 1 << 20, "{free}");
        let asked =
            |free| fits(DeviceChoice::Cpu, free, 5 << 30, || "the weights".into(), "buy more");
        assert!(asked(None).is_ok() && asked(Some(5 << 30)).is_ok());
        let error = asked(Some(3 << 29)).unwrap_err().to_string();
        for part in ["the weights", "5.0 GiB", "1.5 GiB", "cpu", "buy more"] {
            assert!(error.contains(part), "{error}");
        }
    }
}
