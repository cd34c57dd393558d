use std::path::Path;

use burn::tensor::{Device, FloatDType, Tensor};
use pipeline::Pipeline;
use serde_json::Value;
use unet_core::AddedConditioning;

use crate::golden::{Golden, json};
use crate::report::Report;
use crate::{probe_runs, text, trace, trajectories, unet, vae};

/// A pipeline folder with its reference outputs.
pub(crate) struct Case<'a> {
    pub(crate) folder: &'a Path,
    pub(crate) name: &'a str,
    pub(crate) device: Device,
    pub(crate) pipeline: Pipeline,
    pub(crate) golden: Golden,
    pub(crate) facts: Value,
    sensitivity: Value,
}

pub(crate) fn run(folder: &Path, name: &str, report: &mut Report<'_>) -> anyhow::Result<()> {
    let device = Device::flex();
    let sensitivity = folder.join("sensitivity.json");
    let case = Case {
        folder,
        name,
        pipeline: Pipeline::from_folder(folder, FloatDType::F32, &device)?,
        device,
        golden: Golden::open(&folder.join("golden.safetensors"))?,
        facts: json(&folder.join("golden.json"))?,
        sensitivity: if sensitivity.exists() { json(&sensitivity)? } else { Value::Null },
    };
    text::run(&case, report)?;
    unet::run(&case, report)?;
    vae::run(&case, report)?;
    trajectories::run(&case, report)?;
    for unused in case.golden.unused() {
        report.missed(&format!("{name}/{unused}"), "no comparison asks for it");
    }
    if folder.join("golden_trace.safetensors").exists() {
        trace::run(&case, report)?;
    }
    if folder.join("golden_probe.json").exists() {
        probe_runs::run(&case, report)?;
    }
    Ok(())
}

impl Case<'_> {
    /// The tolerance for `key`: `base`, or five times the noise that was measured for it.
    pub(crate) fn tolerance(&self, part: &str, key: &str, base: f64) -> f64 {
        let noise = self.sensitivity[part]["noise_threads"][key].as_f64().unwrap_or(0.0);
        base.max(5.0 * noise)
    }

    /// Tolerance of one U-Net forward pass. The SDXL-shaped U-Nets are quieter.
    pub(crate) fn unet_tolerance(&self, key: &str) -> f64 {
        let sdxl = self.pipeline.unet().config().addition_embed.is_some();
        self.tolerance("unet", key, if sdxl { 4e-5 } else { 1.5e-4 })
    }

    /// SDXL's additional conditioning stored beside a U-Net input.
    pub(crate) fn added(
        &self,
        golden: &Golden,
        prefix: &str,
    ) -> anyhow::Result<Option<AddedConditioning>> {
        let (embeds, ids) = (format!("{prefix}/text_embeds"), format!("{prefix}/time_ids"));
        if !golden.has(&embeds) {
            return Ok(None);
        }
        let rows = golden.rows(&ids)?;
        let time_ids = rows.iter().map(|row| std::array::from_fn(|i| row[i])).collect();
        let text_embeds: Tensor<2> = golden.tensor(&embeds, &self.device)?;
        Ok(Some(AddedConditioning { text_embeds, time_ids }))
    }
}
