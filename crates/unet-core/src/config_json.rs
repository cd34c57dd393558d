//! Reading a U-Net's `config.json`.

use std::path::Path;

use config::{ConfigError, Keys};
use serde_json::{Value, json};

use crate::UNetError;
use crate::config::{AdditionEmbed, BlockType, UNet2DConditionConfig};

/// Most resolution levels; each halves the latents, and 128 of them is more than any picture has.
const MAX_LEVELS: usize = 8;
/// Most channels of anything; 13 times those of the widest published model.
const MAX_CHANNELS: usize = 65_536;
/// Most resnets of a level, and most blocks of a Transformer: published ones have 2 and 10.
const MAX_LAYERS: usize = 16;
const MAX_DEPTH: usize = 64;
/// Largest height or width of the latents.
const MAX_SAMPLE_SIZE: usize = 8192;

impl UNet2DConditionConfig {
    /// Reads a diffusers `config.json`; absent keys have diffusers' defaults.
    ///
    /// # Errors
    /// [`UNetError::Config`] naming the file and the key that is unknown, out of range or not
    /// implemented.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, UNetError> {
        Ok(read(Keys::from_file(path)?)?)
    }

    /// Reads the text of a diffusers `config.json`; errors call it `file`.
    ///
    /// # Errors
    /// As [`Self::from_file`].
    pub fn from_json(text: &str, file: &str) -> Result<Self, UNetError> {
        Ok(read(Keys::from_json(text, file)?)?)
    }
}

fn read(mut keys: Keys) -> Result<UNet2DConditionConfig, ConfigError> {
    let channels = 1..=MAX_CHANNELS;
    let block_out_channels = keys
        .sizes("block_out_channels", channels.clone(), 1..=MAX_LEVELS)?
        .unwrap_or_else(|| vec![320, 640, 1280, 1280]);
    let levels = block_out_channels.len();
    let head_dim = keys.repeated("attention_head_dim", channels.clone(), levels)?;
    let heads = keys.repeated("num_attention_heads", channels.clone(), levels)?;
    let config = UNet2DConditionConfig {
        sample_size: keys
            .repeated("sample_size", 1..=MAX_SAMPLE_SIZE, 2)?
            .map(|size| [size[0], size[1]]),
        in_channels: keys.size("in_channels", channels.clone())?.unwrap_or(4),
        out_channels: keys.size("out_channels", channels.clone())?.unwrap_or(4),
        down_block_types: block_types(
            &mut keys,
            "down_block_types",
            [
                ("DownBlock2D", BlockType::Plain),
                ("CrossAttnDownBlock2D", BlockType::CrossAttention),
            ],
            DOWN,
            levels,
        )?,
        up_block_types: block_types(
            &mut keys,
            "up_block_types",
            [("UpBlock2D", BlockType::Plain), ("CrossAttnUpBlock2D", BlockType::CrossAttention)],
            UP,
            levels,
        )?,
        layers_per_block: keys.size("layers_per_block", 1..=MAX_LAYERS)?.unwrap_or(2),
        transformer_layers_per_block: keys
            .repeated("transformer_layers_per_block", 0..=MAX_DEPTH, levels)?
            .unwrap_or_else(|| vec![1; levels]),
        // The files call the number of heads `attention_head_dim`.
        num_attention_heads: heads.or(head_dim).unwrap_or_else(|| vec![8; levels]),
        cross_attention_dim: keys.size("cross_attention_dim", channels.clone())?.unwrap_or(1280),
        use_linear_projection: keys.flag("use_linear_projection")?.unwrap_or(false),
        upcast_attention: keys.flag("upcast_attention")?.unwrap_or(false),
        norm_num_groups: keys.size("norm_num_groups", channels)?.unwrap_or(32),
        norm_eps: keys
            .float("norm_eps", "a number above 0 and below 1", |eps| eps > 0.0 && eps < 1.0)?
            .unwrap_or(1e-5),
        flip_sin_to_cos: keys.flag("flip_sin_to_cos")?.unwrap_or(true),
        freq_shift: keys
            .float("freq_shift", "a number from 0 to 1", |shift| (0.0..=1.0).contains(&shift))?
            .unwrap_or(0.0),
        addition_embed: addition_embed(&mut keys)?,
        block_out_channels,
    };
    keys.fixed("_class_name", &[json!("UNet2DConditionModel")])?;
    for (key, allowed) in fixed() {
        keys.fixed(key, &allowed)?;
    }
    check(&config, &keys)?;
    keys.finish()?;
    Ok(config)
}

const DOWN: [BlockType; 4] = [
    BlockType::CrossAttention,
    BlockType::CrossAttention,
    BlockType::CrossAttention,
    BlockType::Plain,
];
const UP: [BlockType; 4] = [
    BlockType::Plain,
    BlockType::CrossAttention,
    BlockType::CrossAttention,
    BlockType::CrossAttention,
];

/// One kind per level; `default` is diffusers', for its four levels.
fn block_types(
    keys: &mut Keys,
    key: &'static str,
    names: [(&str, BlockType); 2],
    default: [BlockType; 4],
    levels: usize,
) -> Result<Vec<BlockType>, ConfigError> {
    let types = keys.choices(key, &names, levels..=levels)?;
    let default = Some(default.to_vec()).filter(|default| default.len() == levels);
    keys.required(key, &format!("a list of {levels}"), types.or(default))
}

fn addition_embed(keys: &mut Keys) -> Result<Option<AdditionEmbed>, ConfigError> {
    let kind = keys.choice("addition_embed_type", &[("text_time", ())])?;
    let time_embed_dim = keys.size("addition_time_embed_dim", 2..=MAX_CHANNELS)?;
    let input_dim = keys.size("projection_class_embeddings_input_dim", 1..=16 * MAX_CHANNELS)?;
    if kind.is_none() {
        return Ok(None);
    }
    let needed = |key: &str, size: Option<usize>| {
        keys.required(key, "a size, because `addition_embed_type` is \"text_time\"", size)
    };
    let time_embed_dim = needed("addition_time_embed_dim", time_embed_dim)?;
    let input_dim = needed("projection_class_embeddings_input_dim", input_dim)?;
    if !time_embed_dim.is_multiple_of(2) {
        let expected = "an even number: as many sines as cosines";
        return Err(keys.invalid("addition_time_embed_dim", expected, time_embed_dim));
    }
    if input_dim <= 6 * time_embed_dim {
        let expected = format!("more than six embedded time ids, {}", 6 * time_embed_dim);
        return Err(keys.invalid("projection_class_embeddings_input_dim", expected, input_dim));
    }
    Ok(Some(AdditionEmbed { time_embed_dim, input_dim }))
}

/// What has to hold between keys.
fn check(config: &UNet2DConditionConfig, keys: &Keys) -> Result<(), ConfigError> {
    let first = config.block_out_channels[0];
    if !first.is_multiple_of(2) || first as f64 / 2.0 <= config.freq_shift {
        let expected = "an even number to begin with, for as many sines as cosines of the time";
        return Err(keys.invalid("block_out_channels", expected, first));
    }
    for (level, channels) in config.block_out_channels.iter().enumerate() {
        let heads = config.num_attention_heads[level];
        for (key, parts) in
            [("norm_num_groups", config.norm_num_groups), ("attention_head_dim", heads)]
        {
            if channels % parts != 0 {
                let expected = format!("a divisor of `block_out_channels[{level}]` = {channels}");
                return Err(keys.invalid(key, expected, parts));
            }
        }
    }
    Ok(())
}

/// Keys with only these implemented values; the first is what an absent key means.
fn fixed() -> Vec<(&'static str, Vec<Value>)> {
    let off = || vec![Value::Null, json!(false)];
    vec![
        ("act_fn", vec![json!("silu"), json!("swish")]),
        ("addition_embed_type_num_heads", vec![json!(64), Value::Null]),
        ("attention_type", vec![json!("default")]),
        ("center_input_sample", off()),
        ("class_embed_type", off()),
        ("class_embeddings_concat", off()),
        ("conv_in_kernel", vec![json!(3)]),
        ("conv_out_kernel", vec![json!(3)]),
        ("cross_attention_norm", off()),
        ("downsample_padding", vec![json!(1)]),
        ("dropout", vec![json!(0)]),
        ("dual_cross_attention", off()),
        ("encoder_hid_dim", off()),
        ("encoder_hid_dim_type", off()),
        ("mid_block_only_cross_attention", off()),
        ("mid_block_scale_factor", vec![json!(1)]),
        ("mid_block_type", vec![json!("UNetMidBlock2DCrossAttn")]),
        ("num_class_embeds", off()),
        ("only_cross_attention", off()),
        ("resnet_out_scale_factor", vec![json!(1)]),
        ("resnet_skip_time_act", off()),
        ("resnet_time_scale_shift", vec![json!("default")]),
        ("reverse_transformer_layers_per_block", off()),
        ("time_cond_proj_dim", off()),
        ("time_embedding_act_fn", off()),
        ("time_embedding_dim", off()),
        ("time_embedding_type", vec![json!("positional")]),
        ("timestep_post_act", off()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    const XL: &str = r#""addition_embed_type": "text_time", "addition_time_embed_dim": 8,
        "projection_class_embeddings_input_dim": 68"#;

    fn read(extra: &str) -> Result<UNet2DConditionConfig, UNetError> {
        // Of a repeated key the last value counts.
        let text = format!(r#"{{"norm_num_groups": 32, {XL}, {extra}}}"#);
        UNet2DConditionConfig::from_json(&text, "unet/config.json")
    }

    #[test]
    fn defaults_are_those_of_diffusers() {
        let config = UNet2DConditionConfig::from_json("{}", "f").unwrap();
        assert_eq!(config.block_out_channels, [320, 640, 1280, 1280]);
        assert_eq!((config.down_block_types, config.up_block_types), (DOWN.into(), UP.into()));
        assert_eq!((config.num_attention_heads, config.layers_per_block), (vec![8; 4], 2));
        assert_eq!(read(r#""sample_size": [3, 4]"#).unwrap().sample_size, Some([3, 4]));
        assert_eq!(read(r#""num_attention_heads": 4"#).unwrap().num_attention_heads, [4; 4]);
    }

    #[test]
    fn what_is_unknown_or_out_of_range_names_file_and_key() {
        for (extra, key) in [
            (r#""surprise": 3"#, "surprise"),
            (r#""layers_per_blok": 2"#, "layers_per_blok"),
            (r#""class_embed_type": "timestep""#, "class_embed_type"),
            (r#""_class_name": "UNet2DModel""#, "_class_name"),
            (r#""attention_head_dim": [5, 10]"#, "attention_head_dim"),
            (r#""attention_head_dim": 7"#, "attention_head_dim"),
            (r#""norm_num_groups": 7"#, "norm_num_groups"),
            (r#""norm_num_groups": 0"#, "norm_num_groups"),
            (r#""norm_eps": 0"#, "norm_eps"),
            (r#""norm_eps": 1e9"#, "norm_eps"),
            (r#""freq_shift": 160"#, "freq_shift"),
            (r#""layers_per_block": [2]"#, "layers_per_block"),
            (r#""layers_per_block": 1000000000"#, "layers_per_block"),
            (r#""layers_per_block": 0"#, "layers_per_block"),
            (r#""transformer_layers_per_block": 100000"#, "transformer_layers_per_block"),
            (r#""block_out_channels": []"#, "block_out_channels"),
            (r#""block_out_channels": [4294967296]"#, "block_out_channels"),
            (r#""block_out_channels": [32, 64]"#, "down_block_types"),
            (r#""sample_size": 4294967296"#, "sample_size"),
            (r#""sample_size": [1, 2, 3]"#, "sample_size"),
            (r#""in_channels": 0"#, "in_channels"),
            (r#""cross_attention_dim": "wide""#, "cross_attention_dim"),
            (r#""down_block_types": ["DownBlock2D"]"#, "down_block_types"),
            (r#""up_block_types": ["UpBlock2D", "x", "x", "x"]"#, "up_block_types"),
            (r#""addition_time_embed_dim": 7"#, "addition_time_embed_dim"),
            (r#""addition_time_embed_dim": null"#, "addition_time_embed_dim"),
            (r#""addition_time_embed_dim": 12"#, "projection_class_embeddings_input_dim"),
            (r#""addition_embed_type": "image""#, "addition_embed_type"),
        ] {
            let error = read(extra).unwrap_err().to_string();
            assert!(error.starts_with("`unet/config.json`: "), "{error}");
            assert!(error.contains(&format!("`{key}`")), "{extra}: {error}");
        }
        let levels = vec!["32"; 70].join(", ");
        let error = read(&format!(r#""block_out_channels": [{levels}]"#)).unwrap_err().to_string();
        assert!(error.contains("a list of 1 to 8, found one of 70"), "{error}");
        let odd = r#""block_out_channels": [33, 33, 33, 33], "norm_num_groups": 33"#;
        assert!(read(odd).unwrap_err().to_string().contains("an even number"));
    }
}
