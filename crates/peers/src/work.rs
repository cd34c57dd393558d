//! What is measured.

use anyhow::Context;
use clap::ValueEnum;
use serde_json::{Value, json};

/// A row of the comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Work {
    /// The shipped U-Net, 16×16 latents, one sample.
    Unet1,
    /// The same, two samples.
    Unet2,
    /// The same, eight samples.
    Unet8,
    /// The same, 32 samples.
    Unet32,
    /// One picture of the shipped model from its prompt: 20 guided DDIM steps and decoding.
    Picture1,
    /// Eight pictures at once.
    Picture8,
    /// The paper's probe of the shipped model: 24,000 U-Net samples in calls of 32.
    Probe,
    /// A training step of the shipped U-Net, 32 samples: loss, gradients, AdamW.
    Training,
    /// The text encoder of SD 2.1 (CLIP ViT-H), 77 tokens.
    Text,
    /// The U-Net of SD 2.1, 64×64 latents, one sample.
    Sd,
    /// The autoencoder of SD 2.1, 64×64 latents to 512×512 pixels.
    Vae,
    /// The U-Net of SDXL, 64×64 latents, one sample.
    Sdxl,
}

impl Work {
    /// Its name on the command line and in tables.
    pub fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_string())
    }

    /// The preset whose part is measured, and the part; the shipped model's U-Net otherwise.
    fn part(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Text => Some(("sd-2.1", "text_encoder")),
            Self::Sd => Some(("sd-2.1", "unet")),
            Self::Vae => Some(("sd-2.1", "vae")),
            Self::Sdxl => Some(("sdxl-base", "unet")),
            _ => None,
        }
    }

    /// The configuration of the measured part, as its `config.json`; for whole pictures where the
    /// shipped model is.
    pub fn config(self) -> anyhow::Result<Value> {
        if matches!(self, Self::Picture1 | Self::Picture8) {
            return Ok(json!({ "folder": workloads::shipped_folder() }));
        }
        let Some((preset, part)) = self.part() else {
            return serde_json::from_str(workloads::SHIPPED_UNET)
                .context("models/emoji-sd/unet/config.json");
        };
        let config = hub::preset(preset)?.config.get(part);
        Ok(json!(config.with_context(|| format!("`{preset}` has no `{part}`"))?))
    }

    /// Samples of one call.
    pub fn batch(self) -> usize {
        match self {
            Self::Unet2 => 2,
            Self::Unet8 | Self::Picture8 => 8,
            Self::Unet32 | Self::Training | Self::Probe => 32,
            _ => 1,
        }
    }

    /// Timed runs after the first, which is not timed.
    pub fn repeats(self) -> usize {
        match self {
            Self::Unet1 | Self::Unet2 | Self::Unet8 | Self::Unet32 => 20,
            Self::Training | Self::Picture1 | Self::Picture8 => 5,
            Self::Text => 10,
            Self::Probe | Self::Sdxl => 1,
            Self::Sd | Self::Vae => 2,
        }
    }
}
