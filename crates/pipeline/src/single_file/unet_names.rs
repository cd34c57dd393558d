//! Names of U-Net tensors.

use unet_core::{BlockType, UNet2DConditionConfig};

/// diffusers' name of a U-Net tensor, `None` for an unknown one.
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
pub(super) fn unet_name(name: &str, config: &UNet2DConditionConfig) -> Option<String> {
    let (head, rest) = name.split_once('.')?;
    let layers = config.layers_per_block + 1;
    let number = |text: &str| text.parse::<usize>().ok();
    match head {
        "time_embed" => linear(rest, "time_embedding"),
        "label_emb" => linear(rest.strip_prefix("0.")?, "add_embedding"),
        "out" => match rest.split_once('.')? {
            ("0", leaf) => Some(format!("conv_norm_out.{leaf}")),
            ("2", leaf) => Some(format!("conv_out.{leaf}")),
            _ => None,
        },
        "middle_block" => match rest.split_once('.')? {
            ("0", inner) => Some(format!("mid_block.resnets.0.{}", resnet(inner)?)),
            ("1", inner) => Some(format!("mid_block.attentions.0.{inner}")),
            ("2", inner) => Some(format!("mid_block.resnets.1.{}", resnet(inner)?)),
            _ => None,
        },
        "input_blocks" => {
            let (block, rest) = rest.split_once('.')?;
            let (part, inner) = rest.split_once('.')?;
            let block = number(block)?;
            if block == 0 {
                return Some(format!("conv_in.{inner}"));
            }
            let (level, layer) = ((block - 1) / layers, (block - 1) % layers);
            let prefix = format!("down_blocks.{level}");
            match (part, inner.strip_prefix("op.")) {
                ("0", Some(leaf)) => Some(format!("{prefix}.downsamplers.0.conv.{leaf}")),
                ("0", None) => Some(format!("{prefix}.resnets.{layer}.{}", resnet(inner)?)),
                ("1", _) => Some(format!("{prefix}.attentions.{layer}.{inner}")),
                _ => None,
            }
        }
        "output_blocks" => {
            let (block, rest) = rest.split_once('.')?;
            let (part, inner) = rest.split_once('.')?;
            let (level, layer) = (number(block)? / layers, number(block)? % layers);
            let prefix = format!("up_blocks.{level}");
            let attends = *config.up_block_types.get(level)? == BlockType::CrossAttention;
            match (part, inner.strip_prefix("conv.")) {
                ("0", _) => Some(format!("{prefix}.resnets.{layer}.{}", resnet(inner)?)),
                ("1" | "2", Some(leaf)) => Some(format!("{prefix}.upsamplers.0.conv.{leaf}")),
                ("1", None) if attends => Some(format!("{prefix}.attentions.{layer}.{inner}")),
                _ => None,
            }
        }
        _ => None,
    }
}

fn linear(rest: &str, name: &str) -> Option<String> {
    match rest.split_once('.')? {
        ("0", leaf) => Some(format!("{name}.linear_1.{leaf}")),
        ("2", leaf) => Some(format!("{name}.linear_2.{leaf}")),
        _ => None,
    }
}

/// The inside of a residual block.
fn resnet(name: &str) -> Option<String> {
    const NAMES: [(&str, &str); 6] = [
        ("in_layers.0.", "norm1."),
        ("in_layers.2.", "conv1."),
        ("emb_layers.1.", "time_emb_proj."),
        ("out_layers.0.", "norm2."),
        ("out_layers.3.", "conv2."),
        ("skip_connection.", "conv_shortcut."),
    ];
    NAMES.iter().find_map(|(ldm, own)| Some(format!("{own}{}", name.strip_prefix(ldm)?)))
}
