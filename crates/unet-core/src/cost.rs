use burn::module::Module;
use burn::tensor::Device;
use weights::{Outline, outline};

use crate::UNet2DConditionConfig;

/// What one part of the U-Net costs for one sample.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartCost {
    /// diffusers' path, for example `up_blocks.1`; `time_embedding` stands for all embeddings.
    pub path: String,
    /// Number of weights.
    pub parameters: usize,
    /// Multiply-accumulate operations of its layers, attention included.
    pub macs: u64,
    /// Those of `macs` that multiply attention scores: queries with keys, weights with values.
    pub attention_macs: u64,
    /// Values of the largest tensor it makes.
    pub widest: usize,
}

impl UNet2DConditionConfig {
    /// What each part costs for latents of that height and width and so many text tokens, from the
    /// configuration alone: no weights are needed.
    pub fn costs(&self, latents: [usize; 2], tokens: usize) -> Vec<PartCost> {
        let mut parts: Vec<PartCost> = Vec::new();
        for tensor in outline(&self.init(&Device::flex())) {
            let path = part_of(&tensor.name);
            if parts.last().is_none_or(|part| part.path != path)
                && !parts.iter().any(|part| part.path == path)
            {
                parts.push(PartCost {
                    path: path.clone(),
                    parameters: 0,
                    macs: 0,
                    attention_macs: 0,
                    widest: 0,
                });
            }
            let Some(part) = parts.iter_mut().find(|part| part.path == path) else { continue };
            part.parameters += tensor.len();
            self.add(part, &tensor, latents, tokens);
        }
        parts
    }

    fn add(&self, part: &mut PartCost, tensor: &Outline, latents: [usize; 2], tokens: usize) {
        if !tensor.name.ends_with("weight") || tensor.shape.len() < 2 {
            return;
        }
        let name = &tensor.name;
        let positions = self.positions(name, latents);
        let embeds = part.path == "time_embedding" || name.contains("time_emb_proj");
        let reads_text = name.contains("attn2.to_k") || name.contains("attn2.to_v");
        let rows = match (embeds, reads_text) {
            (true, _) => 1,
            (_, true) => tokens,
            _ => positions,
        };
        part.macs += tensor.len() as u64 * rows as u64;
        part.widest = part.widest.max(tensor.shape[0] * rows);
        // Scores and their products with the values, counted once for each attention.
        if name.ends_with("to_q.weight") {
            let context = if name.contains("attn2") { tokens } else { positions };
            let macs = 2 * (tensor.shape[0] * positions) as u64 * context as u64;
            part.macs += macs;
            part.attention_macs += macs;
        }
    }

    /// Positions of the feature map that a layer makes.
    fn positions(&self, name: &str, latents: [usize; 2]) -> usize {
        let number = |prefix: &str| -> Option<usize> {
            name.strip_prefix(prefix)?.split('.').next()?.parse().ok()
        };
        let level = match (number("down_blocks."), number("up_blocks.")) {
            (Some(level), _) => level + usize::from(name.contains("downsamplers")),
            (_, Some(up)) => self.levels() - 1 - up - usize::from(name.contains("upsamplers")),
            _ if name.starts_with("mid_block") => self.levels() - 1,
            _ => 0,
        };
        latents.iter().map(|side| side.div_ceil(1 << level)).product()
    }
}

/// The part a tensor belongs to.
fn part_of(name: &str) -> String {
    let mut segments = name.split('.');
    match (segments.next(), segments.next()) {
        (Some(blocks @ ("down_blocks" | "up_blocks")), Some(level)) => format!("{blocks}.{level}"),
        (Some("time_embedding" | "add_embedding"), _) => "time_embedding".into(),
        (Some("conv_norm_out" | "conv_out"), _) => "conv_out".into(),
        (Some(first), _) => first.into(),
        (None, _) => String::new(),
    }
}

/// Number of weights of a module, whether they are there yet or not.
pub fn parameter_count<M: Module>(module: &M) -> usize {
    outline(module).iter().map(Outline::len).sum()
}
