use std::path::Path;

use serde_json::{Map, Value, json};

use crate::UNetError;

/// Kind of one resolution level of the U-Net.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlockType {
    /// Resnets only (`DownBlock2D`, `UpBlock2D`).
    Plain,
    /// Resnets, each followed by a Transformer (`CrossAttnDownBlock2D`, `CrossAttnUpBlock2D`).
    CrossAttention,
}

/// The part of diffusers' `config.json` that shapes a `UNet2DConditionModel`.
///
/// Read it with [`UNet2DConditionConfig::from_json`]: keys whose value is not implemented, and
/// keys that are unknown, are errors that name the key.
#[derive(Debug, Clone, PartialEq)]
pub struct UNet2DConditionConfig {
    /// Height and width of the latents the model was trained on, where the file says so.
    pub sample_size: Option<[usize; 2]>,
    /// Channels of the latents.
    pub in_channels: usize,
    /// Channels of the prediction.
    pub out_channels: usize,
    /// Channels of each level, from the highest resolution to the lowest.
    pub block_out_channels: Vec<usize>,
    /// Kind of each level on the way down.
    pub down_block_types: Vec<BlockType>,
    /// Kind of each level on the way up, deepest first.
    pub up_block_types: Vec<BlockType>,
    /// Resnets of a level on the way down; the way up has one more.
    pub layers_per_block: usize,
    /// Transformer depth of each level.
    pub transformer_layers_per_block: Vec<usize>,
    /// Attention heads of each level (the files call it `attention_head_dim`).
    pub num_attention_heads: Vec<usize>,
    /// Channels of the text context.
    pub cross_attention_dim: usize,
    /// Whether `proj_in` and `proj_out` are stored as linear layers (else as 1×1 convolutions).
    pub use_linear_projection: bool,
    /// Whether attention scores are computed in f32 whatever the weights' type.
    pub upcast_attention: bool,
    /// Groups of every GroupNorm.
    pub norm_num_groups: usize,
    /// Epsilon of the resnets' and the output norm.
    pub norm_eps: f64,
    /// Whether the time embedding has its cosines first.
    pub flip_sin_to_cos: bool,
    /// Subtracted from the half dimension in the time embedding's exponent.
    pub freq_shift: f64,
    /// SDXL's `text_time` embedding: dimension of each time id and input width of its MLP.
    pub addition_embed: Option<AdditionEmbed>,
}

/// Sizes of SDXL's additional embedding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AdditionEmbed {
    /// `addition_time_embed_dim`: channels each of the six time ids is embedded into.
    pub time_embed_dim: usize,
    /// `projection_class_embeddings_input_dim`: pooled text plus embedded time ids.
    pub input_dim: usize,
}

/// Keys that must have one of these values (absent counts as the first).
fn fixed_keys() -> Vec<(&'static str, Vec<Value>)> {
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
        ("dropout", vec![json!(0.0), json!(0)]),
        ("dual_cross_attention", off()),
        ("encoder_hid_dim", off()),
        ("encoder_hid_dim_type", off()),
        ("mid_block_only_cross_attention", off()),
        ("mid_block_scale_factor", vec![json!(1), json!(1.0)]),
        ("mid_block_type", vec![json!("UNetMidBlock2DCrossAttn")]),
        ("num_class_embeds", off()),
        ("only_cross_attention", off()),
        ("resnet_out_scale_factor", vec![json!(1.0), json!(1)]),
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

impl UNet2DConditionConfig {
    /// Reads a diffusers `config.json`.
    ///
    /// # Errors
    /// As [`Self::from_json`], and [`UNetError::Io`].
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, UNetError> {
        let path = path.as_ref();
        let text = std::fs::read_to_string(path)
            .map_err(|source| UNetError::Io { path: path.into(), source })?;
        Self::from_json(&text)
    }

    /// Reads the text of a diffusers `config.json`; absent keys have diffusers' defaults.
    ///
    /// # Errors
    /// [`UNetError::Config`], [`UNetError::Unimplemented`] or [`UNetError::UnknownKey`], each
    /// naming the key.
    pub fn from_json(text: &str) -> Result<Self, UNetError> {
        let value: Value =
            serde_json::from_str(text).map_err(|error| UNetError::Config(error.to_string()))?;
        let Value::Object(object) = value else {
            return Err(UNetError::Config("expected a JSON object".into()));
        };
        let mut keys = Keys { object };
        let config = keys.read()?;
        keys.finish()?;
        config.validate()?;
        Ok(config)
    }

    /// Number of resolution levels.
    pub fn levels(&self) -> usize {
        self.block_out_channels.len()
    }

    /// Channels of the time embedding.
    pub fn time_embed_dim(&self) -> usize {
        4 * self.block_out_channels[0]
    }

    /// Number `m` of attention blocks that can be re-weighted.
    pub fn num_attention_blocks(&self) -> usize {
        let count = |types: &[BlockType]| {
            types.iter().filter(|kind| **kind == BlockType::CrossAttention).count()
        };
        count(&self.down_block_types) + 1 + count(&self.up_block_types)
    }

    fn validate(&self) -> Result<(), UNetError> {
        let levels = self.levels();
        let fail = |text: String| Err(UNetError::Config(text));
        if levels == 0 || self.layers_per_block == 0 {
            return fail(
                "`block_out_channels` and `layers_per_block` must not be empty or 0".into(),
            );
        }
        for (key, found) in [
            ("down_block_types", self.down_block_types.len()),
            ("up_block_types", self.up_block_types.len()),
            ("transformer_layers_per_block", self.transformer_layers_per_block.len()),
            ("attention_head_dim", self.num_attention_heads.len()),
        ] {
            if found != levels {
                return fail(format!("`{key}` has {found} entries, `block_out_channels` {levels}"));
            }
        }
        if self.in_channels == 0 || self.out_channels == 0 || self.cross_attention_dim == 0 {
            return fail(
                "`in_channels`, `out_channels`, `cross_attention_dim` must be above 0".into(),
            );
        }
        for (level, channels) in self.block_out_channels.iter().enumerate() {
            if self.norm_num_groups == 0 || channels % self.norm_num_groups != 0 || *channels == 0 {
                return fail(format!(
                    "`norm_num_groups` = {} does not divide `block_out_channels[{level}]` = {channels}",
                    self.norm_num_groups
                ));
            }
            let heads = self.num_attention_heads[level];
            if heads == 0 || channels % heads != 0 {
                return fail(format!(
                    "`attention_head_dim[{level}]` = {heads} (a number of heads) does not divide \
                     `block_out_channels[{level}]` = {channels}"
                ));
            }
        }
        if !self.block_out_channels[0].is_multiple_of(2) {
            return fail("`block_out_channels[0]` must be even for the time embedding".into());
        }
        Ok(())
    }
}

/// Takes the keys out of the object one by one, so that what is left at the end is unknown.
struct Keys {
    object: Map<String, Value>,
}

impl Keys {
    fn read(&mut self) -> Result<UNet2DConditionConfig, UNetError> {
        let channels: Vec<usize> =
            self.numbers("block_out_channels")?.unwrap_or_else(|| vec![320, 640, 1280, 1280]);
        let levels = channels.len();
        let down_default = ["CrossAttnDownBlock2D"; 3].into_iter().chain(["DownBlock2D"]);
        let up_default = ["UpBlock2D"].into_iter().chain(["CrossAttnUpBlock2D"; 3]);
        let down_block_types = self.types(
            "down_block_types",
            ["DownBlock2D", "CrossAttnDownBlock2D"],
            down_default.collect(),
        )?;
        let up_block_types = self.types(
            "up_block_types",
            ["UpBlock2D", "CrossAttnUpBlock2D"],
            up_default.collect(),
        )?;
        let head_dim = self.per_level("attention_head_dim", levels)?.unwrap_or(vec![8; levels]);
        let heads = self.per_level("num_attention_heads", levels)?.unwrap_or(head_dim);
        Ok(UNet2DConditionConfig {
            sample_size: self.sample_size()?,
            in_channels: self.number("in_channels")?.unwrap_or(4),
            out_channels: self.number("out_channels")?.unwrap_or(4),
            down_block_types,
            up_block_types,
            layers_per_block: self.number("layers_per_block")?.unwrap_or(2),
            transformer_layers_per_block: self
                .per_level("transformer_layers_per_block", levels)?
                .unwrap_or(vec![1; levels]),
            num_attention_heads: heads,
            cross_attention_dim: self.number("cross_attention_dim")?.unwrap_or(1280),
            use_linear_projection: self.flag("use_linear_projection", false)?,
            upcast_attention: self.flag("upcast_attention", false)?,
            norm_num_groups: self.number("norm_num_groups")?.unwrap_or(32),
            norm_eps: self.float("norm_eps")?.unwrap_or(1e-5),
            flip_sin_to_cos: self.flag("flip_sin_to_cos", true)?,
            freq_shift: self.float("freq_shift")?.unwrap_or(0.0),
            addition_embed: self.addition_embed()?,
            block_out_channels: channels,
        })
    }

    /// Checks the fixed keys and refuses everything that is left, `_class_name` and its like aside.
    fn finish(&mut self) -> Result<(), UNetError> {
        for (key, allowed) in fixed_keys() {
            match self.object.remove(key) {
                Some(found) if !allowed.contains(&found) => {
                    let implemented: Vec<String> = allowed.iter().map(Value::to_string).collect();
                    return Err(UNetError::Unimplemented {
                        key: key.into(),
                        found: found.to_string(),
                        implemented: implemented.join(" or "),
                    });
                }
                _ => {}
            }
        }
        match self.object.iter().find(|(key, _)| !key.starts_with('_')) {
            Some((key, value)) => {
                Err(UNetError::UnknownKey { key: key.clone(), value: value.to_string() })
            }
            None => Ok(()),
        }
    }

    /// The value of `key`, `None` where absent or null.
    fn take(&mut self, key: &str) -> Option<Value> {
        self.object.remove(key).filter(|value| !value.is_null())
    }

    fn number(&mut self, key: &str) -> Result<Option<usize>, UNetError> {
        self.take(key).map(|value| integer(key, &value)).transpose()
    }

    fn numbers(&mut self, key: &str) -> Result<Option<Vec<usize>>, UNetError> {
        let Some(value) = self.take(key) else { return Ok(None) };
        let Value::Array(entries) = &value else { return Err(wrong(key, "a list", &value)) };
        entries.iter().map(|entry| integer(key, entry)).collect::<Result<_, _>>().map(Some)
    }

    /// A list, or one number for every level.
    fn per_level(&mut self, key: &str, levels: usize) -> Result<Option<Vec<usize>>, UNetError> {
        match self.object.get(key) {
            Some(Value::Number(_)) => Ok(self.number(key)?.map(|number| vec![number; levels])),
            _ => self.numbers(key),
        }
    }

    fn float(&mut self, key: &str) -> Result<Option<f64>, UNetError> {
        self.take(key)
            .map(|value| value.as_f64().ok_or_else(|| wrong(key, "a number", &value)))
            .transpose()
    }

    fn flag(&mut self, key: &str, default: bool) -> Result<bool, UNetError> {
        self.take(key).map_or(Ok(default), |value| {
            value.as_bool().ok_or_else(|| wrong(key, "true or false", &value))
        })
    }

    fn types(
        &mut self,
        key: &str,
        [plain, attention]: [&str; 2],
        default: Vec<&str>,
    ) -> Result<Vec<BlockType>, UNetError> {
        let names = match self.take(key) {
            None => default.into_iter().map(String::from).collect(),
            Some(value) => serde_json::from_value::<Vec<String>>(value.clone())
                .map_err(|_| wrong(key, "a list of names", &value))?,
        };
        let kind = |name: String| match name {
            name if name == plain => Ok(BlockType::Plain),
            name if name == attention => Ok(BlockType::CrossAttention),
            found => Err(UNetError::Unimplemented {
                key: key.into(),
                found,
                implemented: format!("{plain} or {attention}"),
            }),
        };
        names.into_iter().map(kind).collect()
    }

    fn sample_size(&mut self) -> Result<Option<[usize; 2]>, UNetError> {
        match self.object.get("sample_size") {
            Some(Value::Array(_)) => match self.numbers("sample_size")?.as_deref() {
                Some([height, width]) => Ok(Some([*height, *width])),
                _ => Err(UNetError::Config("`sample_size` must be one or two numbers".into())),
            },
            _ => Ok(self.number("sample_size")?.map(|size| [size, size])),
        }
    }

    fn addition_embed(&mut self) -> Result<Option<AdditionEmbed>, UNetError> {
        let kind = self.take("addition_embed_type");
        let time_embed_dim = self.number("addition_time_embed_dim")?;
        let input_dim = self.number("projection_class_embeddings_input_dim")?;
        match kind {
            None => Ok(None),
            Some(Value::String(kind)) if kind == "text_time" => {
                let (Some(time_embed_dim), Some(input_dim)) = (time_embed_dim, input_dim) else {
                    return Err(UNetError::Config(
                        "`addition_embed_type` = \"text_time\" needs `addition_time_embed_dim` \
                         and `projection_class_embeddings_input_dim`"
                            .into(),
                    ));
                };
                Ok(Some(AdditionEmbed { time_embed_dim, input_dim }))
            }
            Some(other) => Err(UNetError::Unimplemented {
                key: "addition_embed_type".into(),
                found: other.to_string(),
                implemented: "null or \"text_time\"".into(),
            }),
        }
    }
}

fn wrong(key: &str, expected: &str, found: &Value) -> UNetError {
    UNetError::Config(format!("`{key}` must be {expected}, found {found}"))
}

fn integer(key: &str, value: &Value) -> Result<usize, UNetError> {
    match value.as_u64() {
        Some(number) if number <= u32::MAX as u64 => Ok(number as usize),
        _ => Err(wrong(key, "a whole number", value)),
    }
}
