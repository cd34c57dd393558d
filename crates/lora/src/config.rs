//! PEFT's configuration of a LoRA: where its scale stands in no tensor.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::path::Path;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use weights::WeightsFile;

use crate::{LoraError, PartKind};

/// Under which diffusers keeps the configurations in a file's header.
const METADATA: &str = "lora_adapter_metadata";
/// Beside `adapter_model.safetensors`.
const BESIDE: &str = "adapter_config.json";

/// What of PEFT's `LoraConfig` shapes the result; all else is in the tensors or concerns training.
#[derive(Debug, Clone, Default)]
pub(crate) struct PeftConfig {
    lora_alpha: Option<f64>,
    use_rslora: bool,
    /// Alphas of layers, by the ends of their paths; the first that fits counts.
    alpha_pattern: Vec<(String, f64)>,
}

/// A configuration's entries.
type Entries = Pairs<Entry>;

/// A value: pairs of names and numbers keep the order of the file, which counts.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum Entry {
    Numbers(Pairs<f64>),
    Other(Value),
}

/// An object's pairs in the order of the file.
#[derive(Debug, Clone)]
struct Pairs<T>(Vec<(String, T)>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Pairs<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Collect<T> {
            type Value = Pairs<T>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs<T>, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(Collect(PhantomData))
    }
}

impl PeftConfig {
    /// What `entries` say; of a key that stands twice the last counts.
    fn of(entries: Entries) -> Result<Self, String> {
        let mut config = Self::default();
        for (key, entry) in entries.0 {
            let wrong = |expected: &str| format!("`{key}`: expected {expected}");
            match (&*key, entry) {
                (_, Entry::Other(Value::Null)) => {}
                ("lora_alpha", Entry::Other(Value::Number(alpha))) => {
                    config.lora_alpha = alpha.as_f64()
                }
                ("lora_alpha", _) => return Err(wrong("a number")),
                ("use_rslora", Entry::Other(Value::Bool(on))) => config.use_rslora = on,
                ("use_rslora", _) => return Err(wrong("true or false")),
                ("alpha_pattern", Entry::Numbers(alphas)) => config.alpha_pattern = alphas.0,
                ("alpha_pattern", _) => return Err(wrong("paths of layers and their alphas")),
                _ => {}
            }
        }
        config.check()
    }

    /// The factor of a layer of that rank: α/r, or α/√r where the LoRA is *rank-stabilised*.
    pub(crate) fn scale(&self, layer: &str, rank: usize) -> f64 {
        let ends = |(pattern, _): &&(String, f64)| {
            layer
                .strip_suffix(pattern.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        };
        let pattern = self.alpha_pattern.iter().find(ends).map(|(_, alpha)| *alpha);
        let rank = rank as f64;
        let alpha = pattern.or(self.lora_alpha).unwrap_or(rank);
        if self.use_rslora { alpha / rank.sqrt() } else { alpha / rank }
    }

    fn check(self) -> Result<Self, String> {
        let plain = |c: char| c.is_ascii_alphanumeric() || ['.', '_'].contains(&c);
        let patterns = &self.alpha_pattern;
        let alphas = patterns.iter().map(|(_, alpha)| alpha);
        let finite = self.lora_alpha.iter().chain(alphas).all(|a| a.is_finite());
        match patterns.iter().find(|(key, _)| !key.chars().all(plain)) {
            Some((key, _)) => Err(format!(
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
        let all: Entries = parsed(file.path(), &format!("`{METADATA}`"), text)?;
        let mut configs = BTreeMap::new();
        for kind in PartKind::ALL {
            let inner = |(key, entry): &(String, Entry)| {
                let key = key.strip_prefix(kind.name())?.strip_prefix('.')?;
                Some((key.to_string(), entry.clone()))
            };
            let own: Vec<_> = all.0.iter().filter_map(inner).collect();
            if !own.is_empty() {
                configs.insert(kind, config(file.path(), Pairs(own))?);
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

fn config(path: &Path, entries: Entries) -> Result<PeftConfig, LoraError> {
    PeftConfig::of(entries).map_err(|reason| LoraError::Config {
        path: path.into(),
        reason: format!("PEFT's configuration: {reason}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<PeftConfig, String> {
        let entries = serde_json::from_str(text).map_err(|error| error.to_string())?;
        PeftConfig::of(entries)
    }

    #[test]
    fn scale_follows_alpha_its_patterns_and_the_rank() {
        let text =
            r#"{"lora_alpha": 8, "alpha_pattern": {"attn1.to_q": 2}, "r": 4, "other": null}"#;
        let config = parse(text).unwrap();
        assert_eq!(config.scale("mid_block.attn1.to_q", 4), 0.5);
        assert_eq!(config.scale("mid_block.xattn1.to_q", 4), 2.0);
        // The first that fits, in the order of the file.
        for (text, expected) in [
            (r#"{"alpha_pattern": {"to_q": 8, "attn1.to_q": 1}}"#, 2.0),
            (r#"{"alpha_pattern": {"attn1.to_q": 1, "to_q": 8}}"#, 0.25),
        ] {
            assert_eq!(parse(text).unwrap().scale("mid_block.attn1.to_q", 4), expected);
        }
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
