//! A pipeline folder with its reference outputs.

use std::path::Path;

use anyhow::{Context, bail};
use burn::tensor::{Device, FloatDType, Tensor};
use pipeline::Pipeline;
use unet_core::{AddedConditioning, Intervention};

use crate::arithmetic::Arithmetic;
use crate::facts::Facts;
use crate::golden::Golden;

/// A pipeline folder with its reference outputs.
pub(crate) struct Case<'a> {
    pub(crate) folder: &'a Path,
    pub(crate) name: &'a str,
    pub(crate) device: Device,
    pub(crate) dtype: FloatDType,
    pub(crate) pipeline: Pipeline,
    pub(crate) golden: Golden,
    pub(crate) facts: Facts,
    sensitivity: Option<Facts>,
}

impl<'a> Case<'a> {
    pub(crate) fn open(
        folder: &'a Path,
        name: &'a str,
        arithmetic: &Arithmetic,
    ) -> anyhow::Result<Self> {
        let (device, dtype) = (arithmetic.device.clone(), arithmetic.float());
        let sensitivity = folder.join("sensitivity.json");
        Ok(Self {
            folder,
            name,
            pipeline: Pipeline::from_folder(folder, dtype, &device)?,
            device,
            dtype,
            golden: Golden::open(&folder.join("golden.safetensors"))?,
            facts: Facts::open(&folder.join("golden.json"))?,
            sensitivity: sensitivity.exists().then(|| Facts::open(&sensitivity)).transpose()?,
        })
    }

    /// The name of a tensor with that of its folder.
    pub(crate) fn label(&self, key: &str) -> String {
        format!("{}/{key}", self.name)
    }

    /// The tolerance for `key`: `base`, or five times the noise that the reference measured for
    /// it, as far as the bases lie above the noise of the quieter cases.
    pub(crate) fn tolerance(&self, part: &str, key: &str, base: f64) -> anyhow::Result<f64> {
        let measured = |facts: &Facts| facts.find(part)?.find("noise_threads")?.find(key);
        let noise = self.sensitivity.as_ref().and_then(measured);
        Ok(base.max(5.0 * noise.map_or(Ok(0.0), |noise| noise.parse())?))
    }

    /// Tolerance of one U-Net forward pass: five times the largest noise that the reference
    /// measured (2.7e-5 for the SD-shaped U-Net, 0.9e-5 for the quieter SDXL-shaped one).
    pub(crate) fn unet_tolerance(&self, key: &str) -> anyhow::Result<f64> {
        let sdxl = self.pipeline.unet().config().addition_embed.is_some();
        self.tolerance("unet", key, if sdxl { 4e-5 } else { 1.5e-4 })
    }

    /// The U-Net's output for the inputs stored in `golden` below `prefix`.
    pub(crate) fn unet_output(
        &self,
        golden: &Golden,
        prefix: &str,
        intervention: Option<&dyn Intervention>,
    ) -> anyhow::Result<Tensor<4>> {
        let unet = self.pipeline.unet();
        let config = unet.config();
        let key = |part: &str| format!("{prefix}/{part}");
        let channels = [None, Some(config.in_channels), None, None];
        let sample: Tensor<4> = golden.tensor(&key("sample"), channels, &self.device)?;
        let batch = sample.dims()[0];
        let timesteps = golden.values(&key("timestep"))?;
        if ![1, batch].contains(&timesteps.len()) {
            bail!("`{prefix}`: {} timesteps for {batch} samples", timesteps.len());
        }
        let shape = [Some(batch), None, Some(config.cross_attention_dim)];
        let context = golden.tensor(&key("encoder_hidden_states"), shape, &self.device)?;
        let added = self.added(golden, prefix, batch)?;
        Ok(unet.forward(sample, timesteps, context, added.as_ref(), intervention))
    }

    /// SDXL's additional conditioning stored beside a U-Net input.
    fn added(
        &self,
        golden: &Golden,
        prefix: &str,
        batch: usize,
    ) -> anyhow::Result<Option<AddedConditioning>> {
        let Some(embed) = self.pipeline.unet().config().addition_embed else { return Ok(None) };
        let (embeds, ids) = (format!("{prefix}/text_embeds"), format!("{prefix}/time_ids"));
        let width = embed.input_dim.saturating_sub(6 * embed.time_embed_dim);
        let text_embeds = golden.tensor(&embeds, [Some(batch), Some(width)], &self.device)?;
        let time_ids: Vec<[f64; 6]> = golden
            .rows(&ids)?
            .into_iter()
            .map(|row| <[f64; 6]>::try_from(row).ok())
            .collect::<Option<_>>()
            .filter(|rows: &Vec<_>| rows.len() == batch)
            .with_context(|| format!("`{ids}`: expected {batch} rows of 6 numbers"))?;
        Ok(Some(AddedConditioning { text_embeds, time_ids }))
    }
}
