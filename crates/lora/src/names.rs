//! The names that LoRA files have for the layers of a model.

use std::collections::HashMap;

use weights::{KeyMap, Outline};

/// Which part of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PartKind {
    /// The denoiser.
    UNet,
    /// The text encoder, or SDXL's first.
    TextEncoder,
    /// SDXL's second text encoder.
    TextEncoder2,
}

impl PartKind {
    pub(crate) const ALL: [Self; 3] = [Self::UNet, Self::TextEncoder, Self::TextEncoder2];

    /// diffusers' name of it.
    pub fn name(self) -> &'static str {
        match self {
            Self::UNet => "unet",
            Self::TextEncoder => "text_encoder",
            Self::TextEncoder2 => "text_encoder_2",
        }
    }

    /// What stands before names whose words are joined by `_`.
    fn flat_prefixes(self) -> &'static [&'static str] {
        match self {
            Self::UNet => &["lora_unet_"],
            Self::TextEncoder => &["lora_te_", "lora_te1_"],
            Self::TextEncoder2 => &["lora_te2_"],
        }
    }
}

/// A part of a model that LoRAs may be merged into.
#[derive(Debug, Clone)]
pub struct Part {
    /// Which.
    pub kind: PartKind,
    /// Its tensors under the names of diffusers and transformers.
    pub weights: Vec<Outline>,
    /// LDM's names of them, where there are such.
    pub ldm: KeyMap,
}

impl Part {
    /// The weights of linear layers and convolutions, by path (without `.weight`).
    fn layers(&self) -> impl Iterator<Item = (usize, &str)> {
        let layer = |(index, weight): (usize, &'_ Outline)| {
            (weight.shape.len() == 2 || weight.shape.len() == 4).then_some(index)
        };
        let indices = self.weights.iter().enumerate().filter_map(layer);
        indices.filter_map(|index| Some((index, self.weights[index].name.strip_suffix(".weight")?)))
    }

    /// All names that files have for the layer at `path`.
    ///
    /// | name | of |
    /// |---|---|
    /// | `lora_unet_` + path with `_` for `.`; `lora_te_`, `lora_te1_`, `lora_te2_` | kohya |
    /// | the same with LDM's path | kohya, SDXL |
    /// | `unet.`, `text_encoder.`, `text_encoder_2.` + path | diffusers |
    /// | … + `attn1.processor.to_out` for `attn1.to_out.0` | diffusers to 0.22 |
    /// | … + `self_attn.to_q` for `self_attn.q_proj` | diffusers to 0.22 |
    /// | … without `text_model.` | diffusers with transformers 5 |
    /// | path alone, or after `base_model.model.` | diffusers to 0.13; PEFT |
    /// | `diffusion_model.` + LDM's path | tools that extract LoRAs from models |
    fn names(&self, path: &str) -> Vec<String> {
        let flat = |path: &str| path.replace('.', "_");
        let mut names = Vec::new();
        for prefix in self.kind.flat_prefixes() {
            names.push(format!("{prefix}{}", flat(path)));
        }
        let mut paths = vec![path.to_string()];
        if self.kind == PartKind::UNet {
            for source in self.ldm.sources(&format!("{path}.weight")) {
                let source = source.trim_end_matches(".weight");
                names.push(format!("lora_unet_{}", flat(source)));
                names.push(format!("diffusion_model.{source}"));
            }
            paths.extend(processor(path));
            for path in &paths {
                names.extend([path.clone(), format!("base_model.model.{path}")]);
            }
        } else {
            paths.extend(old_projection(path));
            let short = |path: &String| path.strip_prefix("text_model.").map(str::to_string);
            paths.extend(paths.iter().filter_map(short).collect::<Vec<_>>());
        }
        names.extend(paths.iter().map(|path| format!("{}.{path}", self.kind.name())));
        names
    }
}

/// The name of a projection while attention processors held LoRAs.
fn processor(path: &str) -> Option<String> {
    let (attention, projection) = path.rsplit_once(".to_")?;
    let projection = projection.trim_end_matches(".0");
    Some(format!("{attention}.processor.to_{projection}"))
}

/// The name of a text encoder's projection in the same files.
fn old_projection(path: &str) -> Option<String> {
    let (attention, projection) = path.strip_suffix("_proj")?.rsplit_once(".self_attn.")?;
    Some(format!("{attention}.self_attn.to_{projection}"))
}

/// Where each name leads: a part and the place of the weight in it.
pub(crate) struct Index(HashMap<String, (usize, usize)>);

impl Index {
    pub(crate) fn new(parts: &[Part]) -> Self {
        let mut places = HashMap::new();
        for (number, part) in parts.iter().enumerate() {
            for (weight, path) in part.layers() {
                places.extend(part.names(path).into_iter().map(|name| (name, (number, weight))));
            }
        }
        Self(places)
    }

    pub(crate) fn find(&self, name: &str) -> Option<(usize, usize)> {
        self.0.get(name).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(kind: PartKind, layers: &[&str]) -> Part {
        let weight = |layer: &&str| Outline { name: format!("{layer}.weight"), shape: vec![4, 4] };
        let weights = layers.iter().map(weight).collect();
        let ldm = KeyMap::new().rename("middle_block.1.**", "mid_block.attentions.0.**");
        Part { kind, weights, ldm }
    }

    #[test]
    fn every_name_of_a_layer_leads_to_it() {
        let attention = "mid_block.attentions.0.transformer_blocks.0.attn1";
        let query = "text_model.encoder.layers.0.self_attn.q_proj";
        let parts = [
            part(PartKind::UNet, &["conv_in", &format!("{attention}.to_out.0")]),
            part(PartKind::TextEncoder, &[query]),
            part(PartKind::TextEncoder2, &[query]),
        ];
        let index = Index::new(&parts);
        for (name, place) in [
            ("lora_unet_mid_block_attentions_0_transformer_blocks_0_attn1_to_out_0", (0, 1)),
            ("lora_unet_middle_block_1_transformer_blocks_0_attn1_to_out_0", (0, 1)),
            ("diffusion_model.middle_block.1.transformer_blocks.0.attn1.to_out.0", (0, 1)),
            ("unet.mid_block.attentions.0.transformer_blocks.0.attn1.processor.to_out", (0, 1)),
            ("base_model.model.conv_in", (0, 0)),
            ("conv_in", (0, 0)),
            ("lora_te_text_model_encoder_layers_0_self_attn_q_proj", (1, 0)),
            ("lora_te1_text_model_encoder_layers_0_self_attn_q_proj", (1, 0)),
            ("text_encoder.encoder.layers.0.self_attn.q_proj", (1, 0)),
            ("text_encoder.text_model.encoder.layers.0.self_attn.to_q", (1, 0)),
            ("text_encoder_2.encoder.layers.0.self_attn.to_q", (2, 0)),
            ("lora_te2_text_model_encoder_layers_0_self_attn_q_proj", (2, 0)),
        ] {
            assert_eq!(index.find(name), Some(place), "{name}");
        }
        assert_eq!(index.find("lora_unet_mid_block"), None);
    }
}
