//! PEFT's configuration of a LoRA: where its scale stands in no tensor.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde_json::{Map, Value};
use weights::WeightsFile;

use crate::{LoraError, PartKind};

/// Under which diffusers keeps the configurations in a file's header.
const METADATA: &str = "lora_adapter_metadata";
/// Beside `adapter_model.safetensors`.
const BESIDE: &str = "adapter_config.json";

/// What of PEFT's `LoraConfig` shapes the result; all else is in the tensors or concerns training.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct PeftConfig {
    lora_alpha: Option<f64>,
    #[serde(default)]
    use_rslora: bool,
    /// Alphas of layers, by the ends of their paths.
    #[serde(default)]
    alpha_pattern: BTreeMap<String, f64>,
}

impl PeftConfig {
    /// The factor of a layer of that rank: α/r, or α/√r where the LoRA is *rank-stabilised*.
    pub(crate) fn scale(&self, layer: &str, rank: usize) -> f64 {
        let ends = |pattern: &&String| {
            layer
                .strip_suffix(pattern.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        };
        let pattern =
            self.alpha_pattern.keys().find(ends).and_then(|key| self.alpha_pattern.get(key));
        let rank = rank as f64;
        let alpha = pattern.copied().or(self.lora_alpha).unwrap_or(rank);
        if self.use_rslora { alpha / rank.sqrt() } else { alpha / rank }
    }

    fn check(self) -> Result<Self, String> {
        let plain = |c: char| c.is_ascii_alphanumeric() || ['.', '_'].contains(&c);
        let finite =
            self.lora_alpha.iter().chain(self.alpha_pattern.values()).all(|a| a.is_finite());
        match self.alpha_pattern.keys().find(|key| !key.chars().all(plain)) {
            Some(key) => Err(format!(
                "`alpha_pattern` has the regular expression `{key}`; expected \
                                      paths of layers"
            )),
            None if !finite => Err("an alpha is not finite".into()),
            None => Ok(self),
        }
    }
}

/// The configuration of each part of a model that the file has one of: from its header, or from
/// `adapter_config.json` beside it (which is of a U-Net).
pub(crate) fn read(file: &WeightsFile) -> Result<BTreeMap<PartKind, PeftConfig>, LoraError> {
    if let Some(text) = file.metadata(METADATA) {
        let all: Map<String, Value> = parsed(file.path(), &format!("`{METADATA}`"), text)?;
        let mut configs = BTreeMap::new();
        for kind in PartKind::ALL {
            let inner = |(key, value): (&String, &Value)| {
                let key = key.strip_prefix(kind.name())?.strip_prefix('.')?;
                Some((key.to_string(), value.clone()))
            };
            let own: Map<String, Value> = all.iter().filter_map(inner).collect();
            if !own.is_empty() {
                configs.insert(kind, config(file.path(), Value::Object(own))?);
            }
        }
        return Ok(configs);
    }
    let path = file.path().with_file_name(BESIDE);
    let name = file.path().file_name().map(|name| name.to_string_lossy().into_owned());
    if !name.is_some_and(|name| name.starts_with("adapter_model.")) || !path.is_file() {
        return Ok(BTreeMap::new());
    }
    let text = files::read_to_string(&path).map_err(weights::WeightsError::from)?;
    let value = parsed(&path, "it", &text)?;
    Ok(BTreeMap::from([(PartKind::UNet, config(&path, value)?)]))
}

fn parsed<T: serde::de::DeserializeOwned>(
    path: &Path,
    what: &str,
    text: &str,
) -> Result<T, LoraError> {
    serde_json::from_str(text).map_err(|error| LoraError::Config {
        path: path.into(),
        reason: format!("{what} is no configuration of PEFT's: {error}"),
    })
}

fn config(path: &Path, value: Value) -> Result<PeftConfig, LoraError> {
    let config = serde_json::from_value::<PeftConfig>(value).map_err(|error| error.to_string());
    config.and_then(PeftConfig::check).map_err(|reason| LoraError::Config {
        path: path.into(),
        reason: format!("PEFT's configuration: {reason}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<PeftConfig, String> {
        serde_json::from_str::<PeftConfig>(text).map_err(|error| error.to_string())?.check()
    }

    #[test]
    fn scale_follows_alpha_its_patterns_and_the_rank() {
        let text =
            r#"{"lora_alpha": 8, "alpha_pattern": {"attn1.to_q": 2}, "r": 4, "other": null}"#;
        let config = parse(text).unwrap();
        assert_eq!(config.scale("mid_block.attn1.to_q", 4), 0.5);
        assert_eq!(config.scale("mid_block.xattn1.to_q", 4), 2.0);
        let stable = parse(r#"{"lora_alpha": 8, "use_rslora": true}"#).unwrap();
        assert_eq!(stable.scale("a", 4), 4.0);
        assert_eq!(PeftConfig::default().scale("a", 4), 1.0);
    }

    #[test]
    fn patterns_that_are_no_paths_are_refused() {
        let error = parse(r#"{"alpha_pattern": {"attn[12].to_q": 2}}"#).unwrap_err();
        assert!(error.contains("attn[12].to_q"), "{error}");
    }
}
