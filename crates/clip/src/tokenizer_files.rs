//! The files of a `tokenizer` folder.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use config::{ConfigError, Keys};
use serde_json::{Value, json};

use crate::ClipError;

pub(crate) type Vocabulary = ahash::AHashMap<String, u32>;
pub(crate) type Merges = Vec<(String, String)>;

/// CLIP's vocabulary counts on this many merges at most; files have more lines.
const MAX_MERGES: usize = 49_152 - 256 - 2;
/// CLIP's sequence, begin and end included: that of files which name none.
pub(crate) const USUAL_LENGTH: usize = 77;
/// Longest sequence that a file may name.
const MAX_LENGTH: usize = 4096;
/// From here on a file means that there is no limit; transformers writes 10³⁰.
const NO_LIMIT: f64 = 1e9;

pub(crate) fn broken(path: &Path, reason: impl std::fmt::Display) -> ClipError {
    ClipError::Tokenizer { path: PathBuf::from(path), reason: reason.to_string() }
}

pub(crate) fn read_vocab(path: &Path) -> Result<Vocabulary, ClipError> {
    let vocab: HashMap<String, u32> =
        serde_json::from_str(&files::read_to_string(path)?).map_err(|error| broken(path, error))?;
    Ok(vocab.into_iter().collect())
}

pub(crate) fn read_merges(path: &Path) -> Result<Merges, ClipError> {
    parse_merges(&files::read_to_string(path)?, path)
}

pub(crate) fn parse_merges(text: &str, path: &Path) -> Result<Merges, ClipError> {
    // The first line is the version.
    let lines = text.trim().lines().enumerate().skip(1).take(MAX_MERGES);
    let merges: Merges = lines
        .map(|(number, line)| match line.split(' ').collect::<Vec<_>>()[..] {
            [left, right] => Ok((left.to_string(), right.to_string())),
            _ => Err(broken(
                path,
                format!("line {}: expected two tokens, found `{line}`", number + 1),
            )),
        })
        .collect::<Result<_, _>>()?;
    if merges.is_empty() {
        return Err(broken(path, "expected a version and merges, found no merge"));
    }
    Ok(merges)
}

/// What `tokenizer_config.json` and `special_tokens_map.json` say.
pub(crate) struct Settings {
    /// Begin, end, padding and unknown token.
    pub(crate) special: [String; 4],
    /// Length of a padded sequence, from 2 to 4,096.
    pub(crate) max_length: usize,
}

const NAMES: [&str; 4] = ["bos_token", "eos_token", "pad_token", "unk_token"];
const DEFAULTS: [&str; 4] = ["<|startoftext|>", "<|endoftext|>", "<|endoftext|>", "<|endoftext|>"];

impl Settings {
    /// Reads both files, either of which may be absent.
    pub(crate) fn from_folder(folder: &Path) -> Result<Self, ClipError> {
        let open = |name: &str| -> Result<Keys, ConfigError> {
            let path = folder.join(name);
            if path.exists() { Keys::from_file(path) } else { Keys::from_json("{}", name) }
        };
        let (mut config, mut map) =
            (open("tokenizer_config.json")?, open("special_tokens_map.json")?);
        let mut special = DEFAULTS.map(String::from);
        for (name, token) in NAMES.into_iter().zip(&mut special) {
            // The map wins over the configuration, as in transformers; SD 2.1 relies on it.
            let configured = token_text(&mut config, name)?;
            let mapped = token_text(&mut map, name)?;
            if let Some(text) = mapped.or(configured) {
                *token = text;
            }
        }
        let max_length = max_length(&mut config)?;
        check_added_tokens(&mut config, &special)?;
        finish_config(config)?;
        map.fixed("additional_special_tokens", &[json!([]), Value::Null])?;
        map.finish()?;
        Ok(Self { special, max_length })
    }
}

/// A token is written as its text or as an object with its `content`.
fn token_text(keys: &mut Keys, name: &'static str) -> Result<Option<String>, ConfigError> {
    let Some(value) = keys.value(name) else { return Ok(None) };
    match value.as_str().or_else(|| value.get("content")?.as_str()) {
        Some(text) if !text.is_empty() => Ok(Some(text.into())),
        _ => Err(keys.invalid(name, "a token, or an object with its `content`", value)),
    }
}

fn max_length(config: &mut Keys) -> Result<usize, ConfigError> {
    let key = "model_max_length";
    let limited = |length: f64| length >= 2.0 && length <= MAX_LENGTH as f64;
    let fits = |length: f64| length.fract() == 0.0 && (limited(length) || length >= NO_LIMIT);
    let expected =
        "a whole number of tokens from 2 (begin and end) to 4096, or 1e9 and more for no limit";
    let length = config.float(key, expected, fits)?.filter(|length| *length < NO_LIMIT);
    Ok(length.map_or(USUAL_LENGTH, |length| length as usize))
}

/// Tokens added to the vocabulary would be cut out of every prompt; only the special ones are.
fn check_added_tokens(config: &mut Keys, special: &[String; 4]) -> Result<(), ConfigError> {
    let key = "added_tokens_decoder";
    let Some(value) = config.value(key) else { return Ok(()) };
    let content = |token: &Value| token.get("content").and_then(Value::as_str).map(String::from);
    let tokens = value.as_object().into_iter().flat_map(serde_json::Map::values);
    match tokens.map(content).find(|text| text.as_ref().is_none_or(|text| !special.contains(text)))
    {
        None if value.is_object() => Ok(()),
        _ => Err(config.invalid(key, format!("only `{}`", special.join("`, `")), value)),
    }
}

fn finish_config(mut keys: Keys) -> Result<(), ConfigError> {
    keys.fixed("do_lower_case", &[json!(true)])?;
    keys.fixed("errors", &[json!("replace")])?;
    keys.fixed("tokenizer_class", &["CLIPTokenizer", "CLIPTokenizerFast"].map(Value::from))?;
    for (key, side) in [("padding_side", "right"), ("truncation_side", "right")] {
        keys.fixed(key, &[json!(side)])?;
    }
    keys.fixed("additional_special_tokens", &[json!([]), Value::Null])?;
    keys.fixed("extra_special_tokens", &[json!({}), json!([]), Value::Null])?;
    keys.fixed("split_special_tokens", &[json!(false)])?;
    keys.ignore("CLIP's slow tokenizer does not read it", &["add_prefix_space", "add_bos_token"]);
    keys.ignore(
        "it concerns decoding, or how transformers finds its files",
        &[
            "auto_map",
            "backend",
            "clean_up_tokenization_spaces",
            "is_local",
            "model_input_names",
            "name_or_path",
            "processor_class",
            "special_tokens_map_file",
            "tokenizer_file",
            "use_fast",
        ],
    );
    keys.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(config: Value, map: Value) -> Result<Settings, ClipError> {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, value: Value| {
            std::fs::write(folder.path().join(name), value.to_string()).unwrap();
        };
        write("tokenizer_config.json", config);
        write("special_tokens_map.json", map);
        Settings::from_folder(folder.path())
    }

    #[test]
    fn published_settings_are_read_and_the_map_wins() {
        // stabilityai/stable-diffusion-2-1 and sd-turbo, their keys together.
        let token = json!({"__type": "AddedToken", "content": "<|endoftext|>", "lstrip": false,
            "normalized": true, "rstrip": false, "single_word": false});
        let config = json!({
            "add_prefix_space": false, "bos_token": "<|startoftext|>", "do_lower_case": true,
            "eos_token": token, "errors": "replace", "model_max_length": 77,
            "name_or_path": "laion/CLIP-ViT-H-14-laion2B-s32B-b79K", "pad_token": "<|endoftext|>",
            "special_tokens_map_file": "./special_tokens_map.json",
            "tokenizer_class": "CLIPTokenizer", "unk_token": "<|endoftext|>",
            "clean_up_tokenization_spaces": true,
            "added_tokens_decoder": {"0": {"content": "!"}, "49407": {"content": "<|endoftext|>"}},
        });
        let read = settings(config, json!({"pad_token": "!", "unk_token": token})).unwrap();
        assert_eq!(read.special, ["<|startoftext|>", "<|endoftext|>", "!", "<|endoftext|>"]);
        assert_eq!(read.max_length, 77);
        for (length, expected) in
            [(json!(1e30), 77), (Value::Null, 77), (json!(24), 24), (json!(248), 248)]
        {
            let read = settings(json!({"model_max_length": length}), json!({})).unwrap();
            assert_eq!(read.max_length, expected);
        }
        let absent = Settings::from_folder(Path::new("/nowhere")).unwrap();
        assert_eq!(absent.special, DEFAULTS);
    }

    #[test]
    fn what_is_unknown_or_out_of_range_names_file_and_key() {
        for (config, map, key) in [
            (json!({"model_max_length": 0}), json!({}), "model_max_length"),
            (json!({"model_max_length": 4097}), json!({}), "model_max_length"),
            (json!({"model_max_length": 1.5}), json!({}), "model_max_length"),
            (json!({"modelmax_length": 77}), json!({}), "modelmax_length"),
            (json!({"unk_token": ""}), json!({}), "unk_token"),
            (json!({"pad_token": 3}), json!({}), "pad_token"),
            (json!({"do_lower_case": false}), json!({}), "do_lower_case"),
            (json!({"tokenizer_class": "T5Tokenizer"}), json!({}), "tokenizer_class"),
            (json!({"padding_side": "left"}), json!({}), "padding_side"),
            (json!({"added_tokens_decoder": {"9": {"content": "<x>"}}}), json!({}), "added_tokens"),
            (json!({"added_tokens_decoder": [1]}), json!({}), "added_tokens_decoder"),
            (json!({}), json!({"additional_special_tokens": ["<x>"]}), "additional_special_tokens"),
            (json!({}), json!({"padtoken": "!"}), "padtoken"),
        ] {
            let file = if map == json!({}) { "tokenizer_config" } else { "special_tokens_map" };
            let error = settings(config, map).err().unwrap().to_string();
            assert!(error.contains(file) && error.contains(key), "{error}");
        }
    }

    #[test]
    fn merges_that_are_none_are_refused() {
        for text in ["", "#version: 0.2", "#version: 0.2\n\n"] {
            let error = parse_merges(text, Path::new("merges.txt")).unwrap_err().to_string();
            assert!(error.contains("`merges.txt`") && error.contains("no merge"), "{error}");
        }
        let error = parse_merges("v\na b\na", Path::new("merges.txt")).unwrap_err().to_string();
        assert!(error.contains("line 3"), "{error}");
    }
}
