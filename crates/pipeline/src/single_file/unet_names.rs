//! LDM's names of the U-Net's tensors.

use unet_core::{BlockType, UNet2DConditionConfig};
use weights::KeyMap;

/// diffusers' names for LDM's, below `model.diffusion_model`.
///
/// | LDM | diffusers |
/// |---|---|
/// | `time_embed.0`, `.2` | `time_embedding.linear_1`, `_2` |
/// | `label_emb.0.0`, `.2` | `add_embedding.linear_1`, `_2` |
/// | `input_blocks.0.0` | `conv_in` |
/// | `input_blocks.{1 + l(n+1) + i}.0`, `.1` | `down_blocks.l.resnets.i`, `attentions.i` |
/// | `input_blocks.{(l+1)(n+1)}.0.op` | `down_blocks.l.downsamplers.0.conv` |
/// | `middle_block.0`, `.1`, `.2` | `mid_block.resnets.0`, `attentions.0`, `resnets.1` |
/// | `output_blocks.{l(n+1) + i}.0`, `.1` | `up_blocks.l.resnets.i`, `attentions.i` |
/// | `output_blocks.{l(n+1) + n}.1` or `.2`, `.conv` | `up_blocks.l.upsamplers.0.conv` |
/// | `out.0`, `out.2` | `conv_norm_out`, `conv_out` |
///
/// where `n` is `layers_per_block`.
pub(crate) fn unet_names(config: &UNet2DConditionConfig) -> KeyMap {
    let resnet = resnet();
    let linear = KeyMap::new().rename("0.*", "linear_1.*").rename("2.*", "linear_2.*");
    let mut map = KeyMap::new()
        .within("time_embed", "time_embedding", &linear)
        .within("label_emb.0", "add_embedding", &linear)
        .rename("input_blocks.0.0.*", "conv_in.*")
        .within("middle_block.0", "mid_block.resnets.0", &resnet)
        .rename("middle_block.1.**", "mid_block.attentions.0.**")
        .within("middle_block.2", "mid_block.resnets.1", &resnet)
        .rename("out.0.*", "conv_norm_out.*")
        .rename("out.2.*", "conv_out.*");
    let layers = config.layers_per_block;
    for level in 0..config.down_block_types.len() {
        let down = format!("down_blocks.{level}");
        for layer in 0..layers {
            let block = format!("input_blocks.{}", 1 + level * (layers + 1) + layer);
            map = map
                .within(&format!("{block}.0"), &format!("{down}.resnets.{layer}"), &resnet)
                .rename(&format!("{block}.1.**"), &format!("{down}.attentions.{layer}.**"));
        }
        let block = format!("input_blocks.{}", (level + 1) * (layers + 1));
        map = map.rename(&format!("{block}.0.op.*"), &format!("{down}.downsamplers.0.conv.*"));
    }
    for (level, kind) in config.up_block_types.iter().enumerate() {
        let up = format!("up_blocks.{level}");
        for layer in 0..=layers {
            let block = format!("output_blocks.{}", level * (layers + 1) + layer);
            map = map.within(&format!("{block}.0"), &format!("{up}.resnets.{layer}"), &resnet);
            if *kind == BlockType::CrossAttention {
                map = map.rename(&format!("{block}.1.**"), &format!("{up}.attentions.{layer}.**"));
            }
        }
        // It follows what the last layer has.
        let place = if *kind == BlockType::CrossAttention { 2 } else { 1 };
        let upsampler = format!("output_blocks.{}.{place}", level * (layers + 1) + layers);
        map = map.rename(&format!("{upsampler}.conv.*"), &format!("{up}.upsamplers.0.conv.*"));
    }
    map.under("model.diffusion_model.")
}

/// The inside of a residual block.
fn resnet() -> KeyMap {
    KeyMap::new()
        .rename("in_layers.0.*", "norm1.*")
        .rename("in_layers.2.*", "conv1.*")
        .rename("emb_layers.1.*", "time_emb_proj.*")
        .rename("out_layers.0.*", "norm2.*")
        .rename("out_layers.3.*", "conv2.*")
        .rename("skip_connection.*", "conv_shortcut.*")
}
