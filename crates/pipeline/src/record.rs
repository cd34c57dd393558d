//! The record of how a picture was made.

use std::path::Path;

use pictures::{EncodeError, PictureError, RgbImage, png_text};
use scheduler::{SchedulerKind, SigmaSpacing};
use serde::{Deserialize, Serialize};

use crate::{DeviceChoice, Generation, LoraRecord, NoiseKind, Pipeline, PipelineError, Precision};

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
    /// What few pictures are made with.
    #[serde(flatten)]
    pub extras: RecordExtras,
}

/// The part of a record that is absent from those of most pictures.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct RecordExtras {
    /// The generator of a sampler's fresh noise, where it is another than that of the initial noise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sampler_noise: Option<NoiseKind>,
    /// Spacing of σ, where another than the model's own was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sigmas: Option<SigmaSpacing>,
    /// The picture that it was made of, where it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<ImageRecord>,
    /// Whether the picture was decoded in tiles.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub vae_tiling: bool,
}

/// Which picture another was made of, and how.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ImageRecord {
    /// SHA-256 of its file, in hexadecimal.
    pub sha256: String,
    /// How it was used.
    #[serde(flatten)]
    pub used: ImageUse,
}

/// How a picture is used to make another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ImageUse {
    /// Noised in the place of the first steps.
    Noised {
        /// Share of the steps that were taken.
        strength: f64,
    },
    /// Turned into noise by DDIM's inversion.
    Inverted {
        /// The prompt of the inversion.
        prompt: String,
        /// Its guidance scale.
        guidance_scale: f64,
    },
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
        let sampler = match self.scheduler.parse() {
            Ok(SchedulerKind::Ddim) => "DDIM",
            Ok(SchedulerKind::Euler) => "Euler",
            Ok(SchedulerKind::EulerAncestral) => "Euler a",
            Ok(SchedulerKind::Pndm) => "PLMS",
            Ok(SchedulerKind::Heun) => "Heun",
            Ok(SchedulerKind::DpmSolverMultistep) => "DPM++ 2M",
            Ok(SchedulerKind::DpmSolverMultistepSde) => "DPM++ 2M SDE",
            Ok(SchedulerKind::Lcm) => "LCM",
            Ok(SchedulerKind::DdimInverse) | Err(_) => &self.scheduler,
        };
        let spacing = match self.extras.sigmas {
            Some(SigmaSpacing::Karras) => ", Schedule type: Karras",
            Some(SigmaSpacing::Exponential) => ", Schedule type: Exponential",
            Some(SigmaSpacing::Timesteps) | None => "",
        };
        format!(
            "{}\nNegative prompt: {}\nSteps: {}, Sampler: {sampler}{spacing}, CFG scale: {}, Seed: {}, \
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

impl Pipeline {
    /// What is stored with the picture of `seed`, drawn under `intervention` by this pipeline, whose
    /// [`fingerprint`](Self::fingerprint) is `model_sha256`.
    pub fn record(
        &self,
        generation: &Generation,
        model_sha256: &str,
        seed: u64,
        intervention: serde_json::Value,
    ) -> PictureRecord {
        PictureRecord {
            prompt: generation.prompt.clone(),
            negative_prompt: generation.negative_prompt.clone(),
            seed,
            steps: generation.steps,
            guidance_scale: generation.guidance_scale,
            scheduler: generation.scheduler.class_name().into(),
            noise: generation.noise.kind,
            eta: generation.scheduler_config.eta,
            initial_noise: generation.initial_noise.as_ref().and_then(|path| {
                // It was read a moment ago; what is not there now can be told no more.
                hub::hash_file(path).ok().map(|hash| hash.sha256)
            }),
            size: generation.size,
            model: self.name().into(),
            model_sha256: model_sha256.into(),
            loras: self.loras().to_vec(),
            dtype: Some(self.precision()),
            device: DeviceChoice::of(self.device()),
            version: env!("CARGO_PKG_VERSION").into(),
            intervention,
            extras: RecordExtras {
                sampler_noise: Some(generation.sampler_noise)
                    .filter(|kind| *kind != generation.noise.kind),
                sigmas: generation.sigmas,
                image: generation.image.as_ref().map(|image| ImageRecord {
                    sha256: image.sha256.clone(),
                    used: ImageUse::Noised { strength: image.strength },
                }),
                vae_tiling: self.vae_tiling,
            },
        }
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
