use serde_json::{Map, Value, json};

use crate::UNetError;
use crate::config::{AdditionEmbed, BlockType, UNet2DConditionConfig};

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

/// Takes the keys out of the object one by one, so that what is left at the end is unknown.
pub(crate) struct Keys {
    object: Map<String, Value>,
}

impl Keys {
    pub(crate) fn new(object: Map<String, Value>) -> Self {
        Self { object }
    }

    /// The configuration, not yet checked for consistency; every key must be one that is known.
    pub(crate) fn read(mut self) -> Result<UNet2DConditionConfig, UNetError> {
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
        let config = UNet2DConditionConfig {
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
        };
        self.finish()?;
        Ok(config)
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
