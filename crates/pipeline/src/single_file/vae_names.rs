//! LDM's names of the autoencoder's tensors.

use autoencoder::AutoencoderKLConfig;
use weights::KeyMap;

/// diffusers' names for LDM's, below `first_stage_model`.
///
/// | LDM | diffusers |
/// |---|---|
/// | `encoder.down.l.block.i` | `encoder.down_blocks.l.resnets.i` |
/// | `encoder.down.l.downsample.conv` | `encoder.down_blocks.l.downsamplers.0.conv` |
/// | `decoder.up.l.block.i` | `decoder.up_blocks.{levels−1−l}.resnets.i` |
/// | `decoder.up.l.upsample.conv` | `decoder.up_blocks.{levels−1−l}.upsamplers.0.conv` |
/// | `mid.block_1`, `mid.attn_1`, `mid.block_2` | `mid_block.resnets.0`, `attentions.0`, `resnets.1` |
/// | `norm_out` | `conv_norm_out` |
/// | `nin_shortcut` | `conv_shortcut` |
///
/// What training leaves there, the loss and an average, is left out.
pub(super) fn vae_names(config: &AutoencoderKLConfig) -> KeyMap {
    let resnet = KeyMap::new().rename("nin_shortcut.*", "conv_shortcut.*").keep("**");
    let attention = KeyMap::new()
        .rename("norm.*", "group_norm.*")
        .rename("q.*", "to_q.*")
        .rename("k.*", "to_k.*")
        .rename("v.*", "to_v.*")
        .rename("proj_out.*", "to_out.0.*");
    let mut coder = KeyMap::new()
        .keep("conv_in.*")
        .keep("conv_out.*")
        .rename("norm_out.*", "conv_norm_out.*")
        .within("mid.block_1", "mid_block.resnets.0", &resnet)
        .within("mid.attn_1", "mid_block.attentions.0", &attention)
        .within("mid.block_2", "mid_block.resnets.1", &resnet);
    let levels = config.block_out_channels.len();
    for level in 0..levels {
        // The way up is counted from the highest resolution here, from the lowest there.
        for (way, from) in [("down", level), ("up", levels - 1 - level)] {
            let (from, to) = (format!("{way}.{from}"), format!("{way}_blocks.{level}"));
            let sample = format!("{way}sample");
            coder = coder
                .within(&format!("{from}.block.*"), &format!("{to}.resnets.*"), &resnet)
                .rename(&format!("{from}.{sample}.**"), &format!("{to}.{sample}rs.0.**"));
        }
    }
    KeyMap::new()
        .within("encoder", "encoder", &coder)
        .within("decoder", "decoder", &coder)
        .keep("quant_conv.*")
        .keep("post_quant_conv.*")
        .drop("loss.**")
        .drop("model_ema.**")
        .under("first_stage_model.")
}
