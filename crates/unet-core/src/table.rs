use crate::{BlockKind, BlockSite, BlockType, UNet2DConditionConfig};

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
}

impl UNet2DConditionConfig {
    /// The attention blocks in execution order.
    pub fn blocks(&self) -> Vec<BlockInfo> {
        let levels = self.levels();
        let layers = self.layers_per_block;
        let mut table = Vec::new();
        let mut push = |kind, path: String, level: usize, comfyui: Vec<String>| {
            table.push(BlockInfo {
                site: BlockSite { index: table.len(), kind },
                path,
                downscale: 1 << level,
                channels: self.block_out_channels[level],
                transformers: comfyui.len(),
                depth: self.transformer_layers_per_block[level],
                comfyui,
            });
        };
        for level in (0..levels).filter(|l| self.down_block_types[*l] == BlockType::CrossAttention)
        {
            // ComfyUI counts conv_in as input 0 and each downsampler as an input of its own.
            let first = 1 + level * (layers + 1);
            let names = (first..first + layers).map(|i| format!("input_{i}")).collect();
            push(BlockKind::Down { level }, format!("down_blocks.{level}"), level, names);
        }
        push(BlockKind::Mid, "mid_block".into(), levels - 1, vec!["middle_1".into()]);
        for up in (0..levels).filter(|l| self.up_block_types[*l] == BlockType::CrossAttention) {
            let first = up * (layers + 1);
            let names = (first..=first + layers).map(|i| format!("output_{i}")).collect();
            push(BlockKind::Up { level: up }, format!("up_blocks.{up}"), levels - 1 - up, names);
        }
        table
    }
}
