//! Names of autoencoder tensors.

use autoencoder::AutoencoderKLConfig;

/// diffusers' name of an autoencoder tensor, `None` for an unknown one.
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
pub(super) fn vae_name(name: &str, config: &AutoencoderKLConfig) -> Option<String> {
    if name.starts_with("quant_conv.") || name.starts_with("post_quant_conv.") {
        return Some(name.into());
    }
    let (coder, rest) = name.split_once('.')?;
    if coder != "encoder" && coder != "decoder" {
        return None;
    }
    let inner = match rest.split_once('.')? {
        ("conv_in" | "conv_out", _) => rest.to_string(),
        ("norm_out", leaf) => format!("conv_norm_out.{leaf}"),
        ("mid", part) => match part.split_once('.')? {
            ("block_1", inner) => format!("mid_block.resnets.0.{}", resnet(inner)),
            ("block_2", inner) => format!("mid_block.resnets.1.{}", resnet(inner)),
            ("attn_1", inner) => format!("mid_block.attentions.0.{}", attention(inner)?),
            _ => return None,
        },
        (way @ ("down" | "up"), part) => {
            let (level, part) = part.split_once('.')?;
            let level: usize = level.parse().ok()?;
            // The way up is counted from the highest resolution here, from the lowest there.
            let level = match way {
                "up" => (config.block_out_channels.len() - 1).checked_sub(level)?,
                _ => level,
            };
            match part.split_once('.')? {
                ("block", inner) => {
                    let (layer, inner) = inner.split_once('.')?;
                    format!("{way}_blocks.{level}.resnets.{layer}.{}", resnet(inner))
                }
                (sample @ ("downsample" | "upsample"), inner) => {
                    format!("{way}_blocks.{level}.{sample}rs.0.{inner}")
                }
                _ => return None,
            }
        }
        _ => return None,
    };
    Some(format!("{coder}.{inner}"))
}

fn resnet(name: &str) -> String {
    name.replace("nin_shortcut.", "conv_shortcut.")
}

fn attention(name: &str) -> Option<String> {
    const NAMES: [(&str, &str); 5] = [
        ("norm.", "group_norm."),
        ("q.", "to_q."),
        ("k.", "to_k."),
        ("v.", "to_v."),
        ("proj_out.", "to_out.0."),
    ];
    NAMES.iter().find_map(|(ldm, own)| Some(format!("{own}{}", name.strip_prefix(ldm)?)))
}
