//! What the parts of a U-Net cost, from its configuration alone.

use burn::module::Module;
use burn::tensor::Device;
use weights::{Outline, outline};

use crate::table::Stage;
use crate::{BlockKind, UNet2DConditionConfig};

/// What one part of the U-Net costs for one sample.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PartCost {
    /// diffusers' path, for example `up_blocks.1`; `time_embedding` stands for all embeddings.
    pub path: String,
    /// Number of weights.
    pub parameters: usize,
    /// Multiply-accumulate operations of its layers, attention included.
    pub macs: u64,
    /// Those of `macs` that multiply attention scores: queries with keys, weights with values.
    pub attention_macs: u64,
    /// Those of `macs` that its Transformers do: what is saved where the block does not run.
    pub transformer_macs: u64,
    /// Values of the largest tensor it makes.
    pub widest: usize,
}

impl UNet2DConditionConfig {
    /// What each part costs for latents of that height and width and so many text tokens, from the
    /// configuration alone: no weights are needed.
    pub fn costs(&self, latents: [usize; 2], tokens: usize) -> Vec<PartCost> {
        let stages = self.stages();
        let mut parts: Vec<PartCost> = Vec::new();
        for tensor in outline(&self.init(&Device::flex())) {
            let stage = stages.iter().find(|stage| is_in(&tensor.name, stage));
            let path = path_of(&tensor.name, stage);
            let position = parts.iter().position(|part| part.path == path);
            let position = position.unwrap_or_else(|| {
                parts.push(PartCost { path, ..PartCost::default() });
                parts.len() - 1
            });
            let part = &mut parts[position];
            part.parameters += tensor.len();
            let positions = self.positions(&tensor.name, stage, latents);
            part.add(&tensor, positions, tokens);
        }
        parts
    }

    /// The path of the part that the tensor called `name` belongs to, as [`Self::costs`] names it.
    pub fn part_of(&self, name: &str) -> String {
        path_of(name, self.stages().iter().find(|stage| is_in(name, stage)))
    }

    /// Positions of the feature map that a layer makes.
    fn positions(&self, name: &str, stage: Option<&Stage>, latents: [usize; 2]) -> usize {
        let level = match stage.map(|stage| stage.kind) {
            None => 0,
            Some(kind @ BlockKind::Down { .. }) if name.contains("downsamplers") => {
                self.level_of(kind) + 1
            }
            Some(kind @ BlockKind::Up { .. }) if name.contains("upsamplers") => {
                self.level_of(kind) - 1
            }
            Some(kind) => self.level_of(kind),
        };
        positions_of(latents, level)
    }
}

/// Positions of the feature map of a level; those of sizes beyond any machine are the largest number.
pub(crate) fn positions_of(latents: [usize; 2], level: usize) -> usize {
    latents.iter().map(|side| side.div_ceil(1 << level)).fold(1, usize::saturating_mul)
}

impl PartCost {
    /// Counts the layer whose weight is `tensor`; sizes beyond any machine count as the largest
    /// number.
    fn add(&mut self, tensor: &Outline, positions: usize, tokens: usize) {
        if !tensor.name.ends_with("weight") || tensor.shape.len() < 2 {
            return;
        }
        let name = &tensor.name;
        let embeds = self.path == "time_embedding" || name.contains("time_emb_proj");
        let reads_text = name.contains("attn2.to_k") || name.contains("attn2.to_v");
        let rows = match (embeds, reads_text) {
            (true, _) => 1,
            (_, true) => tokens,
            _ => positions,
        };
        let mut macs = (tensor.len() as u64).saturating_mul(rows as u64);
        self.widest = self.widest.max(tensor.shape[0].saturating_mul(rows));
        // Scores and their products with the values, counted once for each attention.
        if name.ends_with("to_q.weight") {
            let context = if name.contains("attn2") { tokens } else { positions };
            let products = [tensor.shape[0], positions, context]
                .iter()
                .fold(2u64, |product, factor| product.saturating_mul(*factor as u64));
            self.attention_macs = self.attention_macs.saturating_add(products);
            macs = macs.saturating_add(products);
        }
        self.macs = self.macs.saturating_add(macs);
        if name.contains(".attentions.") {
            self.transformer_macs = self.transformer_macs.saturating_add(macs);
        }
    }
}

/// Whether a tensor is one of a block's.
fn is_in(name: &str, stage: &Stage) -> bool {
    name.strip_prefix(&stage.kind.to_string()).is_some_and(|rest| rest.starts_with('.'))
}

/// The part that a tensor of that stage, or outside the blocks, belongs to.
fn path_of(name: &str, stage: Option<&Stage>) -> String {
    match (stage, name.split('.').next().unwrap_or_default()) {
        (Some(stage), _) => stage.kind.to_string(),
        (None, "time_embedding" | "add_embedding") => "time_embedding".into(),
        (None, "conv_norm_out" | "conv_out") => "conv_out".into(),
        (None, first) => first.into(),
    }
}

/// Number of weights of a module, whether they are there yet or not.
pub fn parameter_count<M: Module>(module: &M) -> usize {
    outline(module).iter().map(Outline::len).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// stabilityai/stable-diffusion-2-1-base, unet/config.json.
    const SD21: &str = r#"{"attention_head_dim": [5, 10, 20, 20], "cross_attention_dim": 1024,
        "use_linear_projection": true}"#;
    /// runwayml/stable-diffusion-v1-5, unet/config.json.
    const SD15: &str = r#"{"attention_head_dim": 8, "cross_attention_dim": 768}"#;

    fn total(text: &str, sum: impl Fn(&PartCost) -> u64) -> u64 {
        let config = UNet2DConditionConfig::from_json(text, "unet/config.json").unwrap();
        config.costs([64, 64], 77).iter().map(sum).sum()
    }

    #[test]
    fn costs_parameters_are_those_of_the_published_weights() {
        // `sum(p.numel() for p in unet.parameters())` of the published checkpoints.
        assert_eq!(total(SD15, |part| part.parameters as u64), 859_520_964);
        assert_eq!(total(SD21, |part| part.parameters as u64), 865_910_724);
    }

    #[test]
    fn costs_macs_are_the_published_ones() {
        // Kim et al., "BK-SDM", Table 1: 339 G for one forward pass of SD 1.4 at 512×512, whose
        // counter leaves out the products inside attention.
        let layers = total(SD15, |part| part.macs - part.attention_macs);
        assert_eq!((layers as f64 / 1e9).round(), 339.0);
    }

    #[test]
    fn costs_of_transformers_are_counted_by_hand() {
        let config = UNet2DConditionConfig::from_json(SD21, "unet/config.json").unwrap();
        let parts = config.costs([64, 64], 77);
        let mid = parts.iter().find(|part| part.path == "mid_block").unwrap();
        // One layer on 64 positions of 1280 channels: projections in and out, four of
        // self-attention, two of cross-attention, a feed-forward of 4 · 1280 with a gate.
        let (d, positions, tokens) = (1280u64, 64u64, 77u64);
        let rows = positions * d * d * (2 + 4 + 2 + 8 + 4);
        let text = 2 * tokens * 1024 * d;
        let products = 2 * d * positions * (positions + tokens);
        assert_eq!(mid.transformer_macs, rows + text + products);
        let without: Vec<&str> =
            parts.iter().filter(|p| p.transformer_macs == 0).map(|p| p.path.as_str()).collect();
        let expected = ["conv_in", "time_embedding", "down_blocks.3", "up_blocks.0", "conv_out"];
        assert!(without.len() == 5 && expected.iter().all(|path| without.contains(path)));
    }

    #[test]
    fn costs_of_absurd_sizes_do_not_overflow() {
        let config = UNet2DConditionConfig::from_json(SD15, "unet/config.json").unwrap();
        let costs = config.costs([usize::MAX, usize::MAX], usize::MAX);
        assert!(costs.iter().all(|part| part.parameters > 0 && part.macs > 0));
    }
}
