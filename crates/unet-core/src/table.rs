//! The blocks of a U-Net in execution order: the one place where they are numbered.

use std::fmt;

use crate::{BlockKind, BlockSite, UNet2DConditionConfig};

/// A block of the U-Net, with Transformers or without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stage {
    pub(crate) kind: BlockKind,
    /// Its number among the attention blocks, where it has Transformers.
    pub(crate) site: Option<BlockSite>,
}

/// One row of the table that relates our block indices to the names other tools use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockInfo {
    /// Index and kind.
    pub site: BlockSite,
    /// diffusers' path, for example `up_blocks.1`.
    pub path: String,
    /// By how much the block's feature map is smaller than the latents.
    pub downscale: usize,
    /// Channels of its feature map.
    pub channels: usize,
    /// Number of Transformers.
    pub transformers: usize,
    /// Basic blocks in each Transformer.
    pub depth: usize,
    /// ComfyUI's names of its Transformers, for example `input_1`, `input_2`.
    pub comfyui: Vec<String>,
}

impl BlockInfo {
    /// Height and width of the feature map for latents of that size.
    pub fn resolution(&self, latents: [usize; 2]) -> [usize; 2] {
        latents.map(|size| size.div_ceil(self.downscale))
    }

    /// The names that LoRA block weights give its Transformers, as `IN01`, `MID`, `OUT03`: ComfyUI's,
    /// in capitals.
    pub fn lora_block_weights(&self) -> Vec<String> {
        let name = |name: &String| match name.split_once('_') {
            Some(("input", number)) => format!("IN{number:0>2}"),
            Some(("output", number)) => format!("OUT{number:0>2}"),
            _ => "MID".into(),
        };
        self.comfyui.iter().map(name).collect()
    }
}

/// diffusers' path of the block, for example `up_blocks.1`.
impl fmt::Display for BlockKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Down { level } => write!(f, "down_blocks.{level}"),
            Self::Mid => f.write_str("mid_block"),
            Self::Up { level } => write!(f, "up_blocks.{level}"),
        }
    }
}

impl UNet2DConditionConfig {
    /// Every block in execution order: the way down, the bottleneck, the way up.
    pub(crate) fn stages(&self) -> Vec<Stage> {
        let levels = 0..self.levels();
        let down = levels.clone().map(|level| BlockKind::Down { level });
        let up = levels.map(|level| BlockKind::Up { level });
        let mut index = 0;
        let mut stage = |kind| {
            let site = self.attends(kind).then_some(BlockSite { index, kind });
            index += usize::from(site.is_some());
            Stage { kind, site }
        };
        down.chain([BlockKind::Mid]).chain(up).map(&mut stage).collect()
    }

    /// Number `m` of attention blocks that can be re-weighted.
    pub fn num_attention_blocks(&self) -> usize {
        self.stages().iter().filter(|stage| stage.site.is_some()).count()
    }

    /// The attention blocks in execution order.
    pub fn blocks(&self) -> Vec<BlockInfo> {
        let sites = self.stages().into_iter().filter_map(|stage| stage.site);
        let info = |site: BlockSite| {
            let level = self.level_of(site.kind);
            let comfyui = self.comfyui(site.kind);
            BlockInfo {
                site,
                path: site.kind.to_string(),
                downscale: 1 << level,
                channels: self.block_out_channels[level],
                transformers: comfyui.len(),
                depth: self.transformer_layers_per_block[level],
                comfyui,
            }
        };
        sites.map(info).collect()
    }

    /// ComfyUI's names of a block's Transformers. It counts `conv_in` as input 0 and each
    /// downsampler as an input of its own.
    fn comfyui(&self, kind: BlockKind) -> Vec<String> {
        let layers = self.layers_per_block;
        match kind {
            BlockKind::Down { level } => {
                let first = 1 + level * (layers + 1);
                (first..first + layers).map(|i| format!("input_{i}")).collect()
            }
            BlockKind::Mid => vec!["middle_1".into()],
            BlockKind::Up { level } => {
                let first = level * (layers + 1);
                (first..=first + layers).map(|i| format!("output_{i}")).collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lora_block_weights_count_as_comfyui_does() {
        // Four levels, all but the last down and the first up with Transformers: as SD 2.1.
        let config = UNet2DConditionConfig::from_json("{}", "unet/config.json").unwrap();
        let blocks = config.blocks();
        let names = |path: &str| {
            blocks.iter().find(|block| block.path == path).unwrap().lora_block_weights()
        };
        assert_eq!(names("down_blocks.0"), ["IN01", "IN02"]);
        assert_eq!(names("mid_block"), ["MID"]);
        assert_eq!(names("up_blocks.3"), ["OUT09", "OUT10", "OUT11"]);
    }
}
