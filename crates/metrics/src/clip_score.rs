//! The cosine between pictures and their prompts under a contrastive model.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Mutex;

use burn::tensor::{DType, Device, FloatDType, Tensor};
use clip::{CLIPTokenizer, OpenClip, OpenClipConfig, normalize};
use files::Sha256;
use pictures::{Planes, RgbImage};
use rayon::prelude::*;

use crate::MetricsError;
use crate::clip_preprocess::ClipPreprocess;
use crate::networks::{Checkpoint, ClipFeatures, stack};

/// sha256 of `HPS_v2.1_compressed.pt`.
const HPS_V2_1: &str = "c57a38fb4a2f7e7c15bf00da2ea377cdf165448b4dd1052a484c215a998c9837";

/// The cosine between pictures and their prompts under a contrastive model: HPS v2 and v2.1, or
/// another CLIP.
///
/// No temperature: the score is in [-1, 1]; the HPS papers print it times 100.
#[derive(Debug)]
pub struct ClipScorer {
    model: OpenClip,
    tokenizer: CLIPTokenizer,
    preprocess: ClipPreprocess,
    checkpoint: Checkpoint,
    name: String,
    device: Device,
    /// Unit vectors of the prompts seen so far.
    texts: Mutex<HashMap<String, Vec<f32>>>,
}

impl ClipScorer {
    /// Loads an HPS checkpoint (`HPS_v2_compressed.pt`, `HPS_v2.1_compressed.pt`, or the same
    /// weights as safetensors), with CLIP's tokenizer from the folder `tokenizer`, or the built-in
    /// one.
    ///
    /// `config` is ViT-H-14's unless another is given.
    ///
    /// # Errors
    /// [`MetricsError`] where a file is absent, broken, or does not fit.
    pub fn hps(
        checkpoint: impl AsRef<Path>,
        tokenizer: Option<&Path>,
        config: Option<&OpenClipConfig>,
        dtype: FloatDType,
        device: &Device,
    ) -> Result<Self, MetricsError> {
        let path = checkpoint.as_ref();
        let standard = OpenClipConfig::vit_h_14();
        let config = config.unwrap_or(&standard);
        let tokenizer = match tokenizer {
            Some(folder) => CLIPTokenizer::from_folder(folder)?,
            // open_clip pads with id 0, which is "!".
            None => CLIPTokenizer::openai("!")?,
        };
        let model = OpenClip::from_file(config, path, dtype, device)?;
        let checkpoint = Checkpoint::of(path)?;
        let name = hps_name(&checkpoint);
        let preprocess = ClipPreprocess::hps(config.vision_cfg.image_size);
        Self::new(model, tokenizer, preprocess, (checkpoint, name), device)
    }

    /// Loads a folder in open_clip's layout: `open_clip_config.json`,
    /// `open_clip_model.safetensors` and `tokenizer/`.
    ///
    /// # Errors
    /// [`MetricsError`] where a file is absent, broken, or does not fit.
    pub fn from_folder(
        folder: impl AsRef<Path>,
        dtype: FloatDType,
        device: &Device,
    ) -> Result<Self, MetricsError> {
        let folder = folder.as_ref();
        let config = folder.join("open_clip_config.json");
        let preprocess = ClipPreprocess::from_file(&config)?;
        let config = OpenClipConfig::from_file(&config)?;
        let weights = folder.join("open_clip_model.safetensors");
        let model = OpenClip::from_file(&config, &weights, dtype, device)?;
        let tokenizer = CLIPTokenizer::from_folder(folder.join("tokenizer"))?;
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        let name = format!("CLIP score, {name}");
        Self::new(model, tokenizer, preprocess, (Checkpoint::of(&weights)?, name), device)
    }

    fn new(
        model: OpenClip,
        tokenizer: CLIPTokenizer,
        preprocess: ClipPreprocess,
        (checkpoint, name): (Checkpoint, String),
        device: &Device,
    ) -> Result<Self, MetricsError> {
        if tokenizer.vocab_size() > model.config().text_cfg.vocab_size {
            return Err(MetricsError::Size {
                left: format!("a tokenizer of {} tokens", tokenizer.vocab_size()),
                right: format!("a table of {}", model.config().text_cfg.vocab_size),
            });
        }
        let (device, texts) = (device.clone(), Mutex::default());
        Ok(Self { model, tokenizer, preprocess, checkpoint, name, device, texts })
    }

    /// What the scores are called: the metric and its version.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The file the weights came from.
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// A hash of everything scores depend on: weights, sizes, preprocessing and vocabulary.
    pub fn fingerprint(&self) -> String {
        let mut hasher = Sha256::new();
        hasher.update(&self.checkpoint.sha256);
        hasher.update(format!("{:?} {:?}", self.model.config(), self.preprocess));
        for (token, id) in self.tokenizer.vocabulary() {
            hasher.update(format!("{id} {token}\n"));
        }
        hasher.hex()
    }

    /// The picture tower, for CLIP-FID and KID.
    pub fn features(&self) -> ClipFeatures {
        ClipFeatures::new(
            self.model.visual().clone(),
            self.model.config().embed_dim,
            self.preprocess,
            self.checkpoint.clone(),
        )
    }

    /// The cosine of each picture with its prompt. A prompt is encoded once, however often and in
    /// whatever batches it comes.
    ///
    /// # Errors
    /// [`MetricsError::Size`] where there are not as many prompts as pictures,
    /// [`MetricsError::Picture`] for a picture without pixels.
    pub fn score(
        &self,
        pictures: &[RgbImage],
        prompts: &[String],
    ) -> Result<Vec<f64>, MetricsError> {
        self.cosines(&self.embed(pictures)?, prompts)
    }

    /// The unit vector of each picture.
    ///
    /// # Errors
    /// [`MetricsError::Picture`] for a picture without pixels.
    pub fn embed(&self, pictures: &[RgbImage]) -> Result<Vec<Vec<f32>>, MetricsError> {
        if pictures.is_empty() {
            return Ok(Vec::new());
        }
        let squares = pictures
            .par_iter()
            .map(|picture| self.preprocess.apply(picture))
            .collect::<Result<Vec<Planes>, _>>()?;
        Ok(rows(self.model.encode_image(stack(&squares, &self.device))))
    }

    /// The cosine of each picture's unit vector, as [`Self::embed`] gives it, with its prompt.
    ///
    /// # Errors
    /// [`MetricsError::Size`] where there are not as many prompts as vectors.
    pub fn cosines(
        &self,
        pictures: &[Vec<f32>],
        prompts: &[String],
    ) -> Result<Vec<f64>, MetricsError> {
        if pictures.len() != prompts.len() {
            return Err(MetricsError::Size {
                left: format!("{} pictures", pictures.len()),
                right: format!("{} prompts", prompts.len()),
            });
        }
        let texts = self.encode_prompts(prompts);
        let cosine = |(a, b): (&Vec<f32>, &Vec<f32>)| -> f64 {
            a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
        };
        Ok(pictures.iter().zip(&texts).map(cosine).collect())
    }

    fn encode_prompts(&self, prompts: &[String]) -> Vec<Vec<f32>> {
        let length = self.model.config().text_cfg.context_length;
        let mut known = self.texts.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        for prompt in prompts {
            if !known.contains_key(prompt) {
                let ids = self.tokenizer.encode_open_clip(prompt, length);
                known.extend(
                    rows(self.model.encode_text(&[ids]))
                        .into_iter()
                        .map(|row| (prompt.clone(), row)),
                );
            }
        }
        prompts.iter().map(|prompt| known.get(prompt).cloned().unwrap_or_default()).collect()
    }
}

/// Unit vectors on the host.
fn rows(tensor: Tensor<2>) -> Vec<Vec<f32>> {
    let width = tensor.dims()[1];
    let values: Vec<f32> = normalize(tensor.cast(DType::F32)).into_data().iter::<f32>().collect();
    values.chunks(width.max(1)).map(<[f32]>::to_vec).collect()
}

/// The version by the file's digest where that is known, by its name otherwise.
fn hps_name(checkpoint: &Checkpoint) -> String {
    if checkpoint.sha256 == HPS_V2_1 {
        return "HPS v2.1".into();
    }
    let file = &checkpoint.file;
    let version = match file {
        _ if file.contains("v2.1") => "v2.1",
        _ if file.contains("v2") => "v2",
        _ => "of unknown version",
    };
    format!("HPS {version} by name ({file})")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_told_apart() {
        let name = |file: &str, sha256: &str| {
            hps_name(&Checkpoint { file: file.into(), sha256: sha256.into() })
        };
        assert_eq!(name("x.pt", HPS_V2_1), "HPS v2.1");
        assert!(name("HPS_v2_compressed.pt", "0").starts_with("HPS v2 by name"));
        assert!(name("HPS_v2.1_compressed.pt", "0").starts_with("HPS v2.1 by name"));
        assert!(name("model.safetensors", "0").contains("unknown"));
    }
}
