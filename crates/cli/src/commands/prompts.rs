//! The prompts of pictures: from a file of JSON lines, or from the records beside them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde::Deserialize;

/// One line of a prompt file: Hugging Face's `imagefolder` says `text`.
#[derive(Deserialize)]
struct Row {
    file_name: String,
    prompt: Option<String>,
    text: Option<String>,
}

/// The prompt of a record that was written beside a picture.
#[derive(Deserialize)]
struct Record {
    prompt: String,
}

/// The prompt of every picture, from a file of JSON lines or, without one, from the record that
/// `generate` writes beside each picture.
pub fn prompts(pictures: &[PathBuf], file: Option<&Path>) -> anyhow::Result<Vec<String>> {
    match file {
        Some(file) => from_lines(pictures, file),
        None => pictures.iter().map(|picture| from_record(picture)).collect(),
    }
}

fn from_lines(pictures: &[PathBuf], file: &Path) -> anyhow::Result<Vec<String>> {
    let text = std::fs::read_to_string(file).with_context(|| format!("`{}`", file.display()))?;
    let mut prompts = BTreeMap::new();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let place = || format!("`{}` line {}", file.display(), number + 1);
        let row: Row = serde_json::from_str(line).with_context(place)?;
        let prompt = row.prompt.or(row.text);
        let prompt = prompt.with_context(|| format!("{}: no `prompt` or `text`", place()))?;
        if prompts.insert(row.file_name.clone(), prompt).is_some() {
            bail!("{}: `{}` occurs twice", place(), row.file_name);
        }
    }
    let mut unused: BTreeSet<&String> = prompts.keys().collect();
    let mut found = Vec::with_capacity(pictures.len());
    for picture in pictures {
        let name = picture.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let Some((key, prompt)) = prompts.get_key_value(&name) else {
            bail!("`{}`: `{}` has no prompt for it", picture.display(), file.display());
        };
        unused.remove(key);
        found.push(prompt.clone());
    }
    if let Some(name) = unused.first() {
        bail!("`{}` has a prompt for `{name}`, which is not in the folder", file.display());
    }
    Ok(found)
}

fn from_record(picture: &Path) -> anyhow::Result<String> {
    let path = picture.with_extension("json");
    let text = std::fs::read_to_string(&path).with_context(|| {
        format!(
            "no --prompts given, and `{}` has no record `{}`",
            picture.display(),
            path.display()
        )
    })?;
    let record: Record =
        serde_json::from_str(&text).with_context(|| format!("`{}`", path.display()))?;
    Ok(record.prompt)
}
