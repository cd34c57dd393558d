//! What a pipeline folder is, and what it is not.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use files::FileError;
use hub::{HashCache, Settings};
use scheduler::SchedulerConfig;
use serde::Deserialize;

use crate::PipelineError;
use crate::request::check_guidance;

/// Folders of a pipeline that determine what it computes.
const PARTS: [&str; 7] =
    ["scheduler", "text_encoder", "text_encoder_2", "tokenizer", "tokenizer_2", "unet", "vae"];

/// Reads and checks `model_index.json`.
pub(crate) fn read_index(folder: &Path) -> Result<serde_json::Value, PipelineError> {
    let wrong = |reason: String| PipelineError::Folder { path: folder.to_path_buf(), reason };
    let path = folder.join("model_index.json");
    if !folder.is_dir() {
        return Err(wrong("no such folder".into()));
    }
    if !path.is_file() {
        return Err(wrong(format!("it has no `model_index.json`{}", likely(folder))));
    }
    let text = std::fs::read_to_string(&path)
        .map_err(|error| wrong(format!("`model_index.json`: {error}")))?;
    let index: serde_json::Value = serde_json::from_str(&text)
        .map_err(|error| wrong(format!("`model_index.json`: {error}")))?;
    let class = index["_class_name"].as_str().unwrap_or("");
    match class {
        "StableDiffusionPipeline" | "StableDiffusionXLPipeline" => Ok(index),
        _ => Err(wrong(format!(
            "expected a StableDiffusionPipeline or StableDiffusionXLPipeline, found `{class}`"
        ))),
    }
}

/// The scheduler configuration, whose class the index names as well.
pub(crate) fn read_scheduler(
    folder: &Path,
    index: &serde_json::Value,
) -> Result<SchedulerConfig, PipelineError> {
    let path = folder.join("scheduler/scheduler_config.json");
    let mut config = SchedulerConfig::from_file(&path)?;
    // diffusers' pipeline of SDXL takes it as it is.
    if index["_class_name"] == "StableDiffusionPipeline" {
        config = config.corrected_for_latents();
    }
    let Some(indexed) = index["scheduler"][1].as_str() else { return Ok(config) };
    match &config.class_name {
        Some(configured) if configured != indexed => Err(PipelineError::SchedulerClass {
            index: folder.join("model_index.json"),
            indexed: indexed.into(),
            config: path,
            configured: configured.clone(),
        }),
        _ => {
            config.class_name = Some(indexed.into());
            Ok(config)
        }
    }
}

/// The inference steps and the guidance scale that an index recommends, where it does.
pub(crate) fn read_recommended(
    folder: &Path,
    index: &serde_json::Value,
) -> Result<Option<(usize, f64)>, PipelineError> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Recommended {
        num_inference_steps: NonZeroUsize,
        guidance_scale: f64,
    }
    let Some(value) = index.get("_recommended") else { return Ok(None) };
    let wrong = |reason: String| PipelineError::Folder {
        path: folder.to_path_buf(),
        reason: format!("`_recommended` in `model_index.json`: {reason}"),
    };
    let Recommended { num_inference_steps, guidance_scale } =
        Recommended::deserialize(value).map_err(|error| wrong(error.to_string()))?;
    check_guidance(guidance_scale).map_err(|error| wrong(error.to_string()))?;
    Ok(Some((num_inference_steps.get(), guidance_scale)))
}

/// The folder's own name, also where it was given as `.`.
pub(crate) fn name_of(folder: &Path) -> String {
    let canonical = folder.canonicalize().unwrap_or_else(|_| folder.to_path_buf());
    canonical.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}

/// The text encoders that an index names.
pub(crate) fn text_encoders(index: &serde_json::Value) -> &'static [&'static str] {
    let double = index.get("text_encoder_2").is_some_and(|entry| !entry[0].is_null());
    &["text_encoder", "text_encoder_2"][..if double { 2 } else { 1 }]
}

/// What a folder without `model_index.json` may be instead.
fn likely(folder: &Path) -> String {
    let entries: Vec<PathBuf> = std::fs::read_dir(folder)
        .map(|entries| entries.flatten().map(|entry| entry.path()).collect())
        .unwrap_or_default();
    let up = |levels: usize| folder.ancestors().nth(levels).unwrap_or(folder).display().to_string();
    let inside = |path: &PathBuf| path.join("model_index.json").is_file();
    if folder.join("config.json").is_file() && folder.join("../model_index.json").is_file() {
        return format!(": it is one part of a pipeline, give `{}`", up(1));
    }
    if let Ok(snapshots) = std::fs::read_dir(folder.join("snapshots")) {
        let snapshots: Vec<PathBuf> = snapshots.flatten().map(|entry| entry.path()).collect();
        if let Some(snapshot) = snapshots.iter().find(|path| inside(path)) {
            return format!(": it is a cached repository, give `{}`", snapshot.display());
        }
    }
    if let Some(other) = entries.iter().find(|path| inside(path)) {
        return format!(": did you mean `{}`?", other.display());
    }
    if folder.join("adapter_config.json").is_file()
        || folder.join("pytorch_lora_weights.safetensors").is_file()
    {
        return ": it is a LoRA adapter; name a model, and the adapter's file with `--lora`".into();
    }
    let is_checkpoint =
        |path: &&PathBuf| path.extension().is_some_and(|end| end == "safetensors" || end == "ckpt");
    match entries.iter().find(is_checkpoint) {
        Some(file) => format!(": if `{}` is a whole checkpoint, give that file", file.display()),
        None => String::new(),
    }
}

/// SHA-256 over a pipeline's files and their names, or over a single file and the name of its
/// configuration; large files are read only where their hash is not known yet.
pub(crate) fn fingerprint(path: &Path, name: &str) -> Result<String, PipelineError> {
    let mut files = Vec::new();
    for part in PARTS {
        let folder = path.join(part);
        if !folder.is_dir() {
            continue;
        }
        for entry in std::fs::read_dir(&folder).map_err(FileError::at(&folder))? {
            let path = entry.map_err(FileError::at(&folder))?.path();
            let end = path.extension().map(|end| end.to_string_lossy().into_owned());
            if path.is_file() && matches!(end.as_deref(), Some("json" | "txt" | "safetensors")) {
                files.push(path);
            }
        }
    }
    files.sort();
    let label =
        |file: &Path| file.strip_prefix(path).unwrap_or(file).to_string_lossy().into_owned();
    let mut parts: Vec<(String, PathBuf)> =
        files.into_iter().map(|file| (label(&file), file)).collect();
    if path.is_file() {
        parts.push((name.into(), path.into()));
    }
    Ok(HashCache::new(&Settings::from_env()).sha256(path, &parts)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn read_recommended_takes_both_or_says_what_is_wrong() {
        let read = |value: serde_json::Value| {
            read_recommended(Path::new("folder"), &serde_json::json!({ "_recommended": value }))
        };
        let two = serde_json::json!({ "num_inference_steps": 2, "guidance_scale": 0.0 });
        assert_eq!(read(two).unwrap(), Some((2, 0.0)));
        assert_eq!(read_recommended(Path::new("folder"), &serde_json::json!({})).unwrap(), None);
        for (wrong, said) in [
            (r#"{ "num_inference_steps": 2 }"#, "guidance_scale"),
            (r#"{ "num_inference_steps": 0, "guidance_scale": 0 }"#, "nonzero"),
            (r#"{ "num_inference_steps": 2, "guidance_scale": -1e9 }"#, "guidance scale"),
            (r#"{ "num_inference_steps": 2, "guidance_scale": 0, "eta": 1 }"#, "eta"),
            (r#""two""#, "two"),
        ] {
            let error = read(serde_json::from_str(wrong).unwrap()).unwrap_err().to_string();
            assert!(error.contains("_recommended") && error.contains(said), "{error}");
        }
    }

    #[test]
    fn fingerprint_of_the_shipped_model_is_that_of_its_bytes() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/emoji-sd");
        // SHA-256 over names and contents in one go, as older results have it.
        let known = "f702590be7bd4bb4d2c2f742712b0685ff3783fe6bd82271e57d3b9754ae58eb";
        for _ in 0..2 {
            assert_eq!(fingerprint(&folder, "emoji-sd").unwrap(), known);
        }
    }
}
