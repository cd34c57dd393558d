//! Reference outputs of open_clip, hpsv2, lpips and pytorch-fid.

mod clip;
mod distances;
mod inception;

use std::path::Path;

use anyhow::Context;
use burn::tensor::Device;
use pictures::RgbImage;
use serde_json::Value;

use crate::golden::{Golden, json};
use crate::report::Report;

/// A folder with pictures, small networks and what they gave.
struct Metrics<'a> {
    folder: &'a Path,
    /// The folder that all reference outputs lie in.
    root: &'a Path,
    name: &'a str,
    device: Device,
    golden: Golden,
    facts: Value,
}

pub(crate) fn run(
    folder: &Path,
    root: &Path,
    name: &str,
    report: &mut Report<'_>,
) -> anyhow::Result<()> {
    let case = Metrics {
        folder,
        root,
        name,
        device: Device::flex(),
        golden: Golden::open(&folder.join("golden.safetensors"))?,
        facts: json(&folder.join("golden.json"))?,
    };
    clip::run(&case, report)?;
    inception::run(&case, report)?;
    distances::run(&case, report)?;
    for unused in case.golden.unused() {
        report.missed(&format!("{name}/{unused}"), "no comparison asks for it");
    }
    Ok(())
}

impl Metrics<'_> {
    fn strings(&self, key: &str) -> anyhow::Result<Vec<String>> {
        serde_json::from_value(self.facts[key].clone())
            .with_context(|| format!("`{key}` in golden.json"))
    }

    fn picture(&self, file: &str) -> anyhow::Result<RgbImage> {
        Ok(RgbImage::open(self.folder.join("images").join(file))?)
    }

    fn pictures(&self, key: &str) -> anyhow::Result<Vec<RgbImage>> {
        self.strings(key)?.iter().map(|file| self.picture(file)).collect()
    }

    fn label(&self, key: &str) -> String {
        format!("{}/{key}", self.name)
    }
}
