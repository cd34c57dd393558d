//! Pictures out of decoded tensors, and the record of how they were made.

use std::path::Path;

use burn::tensor::Tensor;
use pictures::{EncodeError, PictureError, RgbImage, png_text};
use serde::{Deserialize, Serialize};

use crate::{DeviceChoice, LoraRecord, NoiseKind, PipelineError, Precision};

/// The pictures of a decoded batch, `[batch, 3, height, width]` with values in [-1, 1].
///
/// Rounds halves to even, as NumPy does.
pub fn pictures_from_tensor(pixels: Tensor<4>) -> Vec<RgbImage> {
    let [batch, _, height, width] = pixels.dims();
    let values: Vec<f32> = pixels.into_data().iter::<f32>().collect();
    let plane = height * width;
    (0..batch)
        .map(|sample| {
            let values = &values[sample * 3 * plane..][..3 * plane];
            let byte =
                |value: f32| ((value / 2.0 + 0.5).clamp(0.0, 1.0) * 255.0).round_ties_even() as u8;
            let rgb = (0..3 * plane).map(|i| byte(values[i % 3 * plane + i / 3])).collect();
            RgbImage { width, height, rgb }
        })
        .collect()
}

/// How a picture was made; stored in its PNG and beside it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PictureRecord {
    /// The prompt.
    pub prompt: String,
    /// The negative prompt, where guidance used one.
    pub negative_prompt: Option<String>,
    /// Seed of the initial noise.
    pub seed: u64,
    /// Inference steps.
    pub steps: usize,
    /// Guidance scale.
    pub guidance_scale: f64,
    /// Scheduler class.
    pub scheduler: String,
    /// The generator that made the seed's noise.
    #[serde(default)]
    pub noise: NoiseKind,
    /// DDIM's η.
    #[serde(default)]
    pub eta: f64,
    /// SHA-256 of the file that the initial noise was read from, where it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initial_noise: Option<String>,
    /// Height and width in pixels.
    pub size: [usize; 2],
    /// Name of the model folder.
    pub model: String,
    /// SHA-256 over the model's files, in hexadecimal.
    #[serde(deserialize_with = "hash_alone")]
    pub model_sha256: String,
    /// What was merged into the model; counted in its hash.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub loras: Vec<LoraRecord>,
    /// Data type of the model's weights; unknown in older records.
    #[serde(default)]
    pub dtype: Option<Precision>,
    /// Device that the picture was made on; unknown in older records.
    #[serde(default)]
    pub device: Option<DeviceChoice>,
    /// Version of this software.
    pub version: String,
    /// The intervention, for example `{"weights": [[…]]}`; null for none.
    pub intervention: serde_json::Value,
}

/// Older records have the data type and the noise after the hash, apart from fields of their own.
fn hash_alone<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    Ok(text.split(' ').next().unwrap_or_default().to_string())
}

impl PictureRecord {
    /// `picture` as a PNG file with the record in its text chunks: `parameters` as other tools
    /// show them, `unet-reweight` as JSON.
    ///
    /// # Errors
    /// Where the encoder refuses.
    pub fn to_png(&self, picture: &RgbImage) -> Result<Vec<u8>, EncodeError> {
        let json = serde_json::to_string(self).unwrap_or_default();
        picture.to_png(&[("parameters", &self.summary()), ("unet-reweight", &json)])
    }

    /// Writes `picture` with the record to `path` (a PNG) and, beside it, the record as `.json`;
    /// each complete or not at all.
    ///
    /// # Errors
    /// [`PipelineError`] naming the file.
    pub fn save(&self, picture: &RgbImage, path: &Path) -> Result<(), PipelineError> {
        let bytes = self
            .to_png(picture)
            .map_err(|source| PictureError::Encode { path: path.into(), reason: source })?;
        files::write_atomically(path, bytes)?;
        let json = serde_json::to_vec_pretty(self).unwrap_or_default();
        Ok(files::write_atomically(path.with_extension("json"), json)?)
    }

    /// The record that the PNG file of a picture carries.
    ///
    /// # Errors
    /// [`PipelineError`] naming the file where it cannot be read, or carries none.
    pub fn of_png(path: impl AsRef<Path>) -> Result<Self, PipelineError> {
        let path = path.as_ref();
        let none = |reason: String| {
            PipelineError::from(PictureError::Broken { path: path.into(), reason })
        };
        let text = png_text(path, "unet-reweight")?;
        let text = text.ok_or_else(|| {
            none("expected a picture that `unet-reweight` made, which says how, found none".into())
        })?;
        serde_json::from_str(&text).map_err(|error| none(format!("its record: {error}")))
    }

    /// The parameters in the form other tools show and read: that of AUTOMATIC1111's web UI, with
    /// its names of the samplers.
    fn summary(&self) -> String {
        let [height, width] = self.size;
        let sampler = match self.scheduler.as_str() {
            "DDIMScheduler" => "DDIM",
            "EulerDiscreteScheduler" => "Euler",
            "EulerAncestralDiscreteScheduler" => "Euler a",
            "PNDMScheduler" => "PLMS",
            "DPMSolverMultistepScheduler" => "DPM++ 2M",
            other => other,
        };
        format!(
            "{}\nNegative prompt: {}\nSteps: {}, Sampler: {sampler}, CFG scale: {}, Seed: {}, \
             Size: {width}x{height}, Model: {}, Model hash: {}",
            self.prompt,
            self.negative_prompt.as_deref().unwrap_or(""),
            self.steps,
            self.guidance_scale,
            self.seed,
            self.model,
            self.model_sha256.get(..10).unwrap_or(&self.model_sha256),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = r#"{"prompt": "p", "negative_prompt": null, "seed": 1, "steps": 2,
        "guidance_scale": 3.0, "scheduler": "DDIMScheduler", "size": [8, 8], "model": "m",
        "model_sha256": "0123abcd F16 TorchCuda", "version": "0.1.0", "intervention": null}"#;

    #[test]
    fn from_json_older_record_gives_the_hash_alone() {
        let record: PictureRecord = serde_json::from_str(OLD).unwrap();
        assert_eq!(record.model_sha256, "0123abcd");
        assert_eq!((record.dtype, record.device), (None, None));
    }

    #[test]
    fn summary_is_as_other_tools_read_it() {
        let record: PictureRecord = serde_json::from_str(OLD).unwrap();
        assert_eq!(
            record.summary(),
            "p\nNegative prompt: \nSteps: 2, Sampler: DDIM, CFG scale: 3, Seed: 1, Size: 8x8, \
             Model: m, Model hash: 0123abcd"
        );
    }

    #[test]
    fn to_json_type_and_device_have_fields_of_their_own() {
        let mut record: PictureRecord = serde_json::from_str(OLD).unwrap();
        record.dtype = Some(Precision::BF16);
        record.device = Some(DeviceChoice::Cuda(1));
        let json = serde_json::to_value(&record).unwrap();
        assert_eq!([&json["dtype"], &json["device"]], ["bf16", "cuda:1"]);
        assert_eq!(json["model_sha256"], "0123abcd");
        assert_eq!(serde_json::from_value::<PictureRecord>(json).unwrap(), record);
    }
}
