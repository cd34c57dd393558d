//! A model that was trained before, to go on from.

use std::collections::BTreeSet;
use std::path::Path;

use autoencoder::AutoencoderKL;
use burn::tensor::{Device, FloatDType};
use clip::{CLIPTextModel, CLIPTokenizer};
use files::Sha256;
use serde_json::{Value, json};
use unet_core::UNet2DConditionModel;

use crate::autoencoder_stage;
use crate::diffusion_stage::{TextToLatent, text_config, unet_config, unet_json};
use crate::json_file::read_record;
use crate::origin::changed;
use crate::summary::curve;
use crate::vocabulary::Vocabulary;
use crate::{HeldOut, Pair, Recipe, Summary, TrainError};

/// The parts of a pipeline folder that a training of a recipe wrote.
pub(crate) struct Start {
    pub(crate) vae: AutoencoderKL,
    pub(crate) model: TextToLatent,
    pub(crate) vocabulary: Vocabulary,
    pub(crate) summary: Summary,
    /// What it was trained without.
    held_out: HeldOut,
    /// SHA-256 of the weights and the vocabulary.
    pub(crate) sha256: String,
}

impl Start {
    /// Reads `folder`, whose models are those that `recipe` describes for pictures with `side`
    /// pixels a side.
    ///
    /// # Errors
    /// [`TrainError`], naming the file: absent or broken parts, or models of another shape.
    pub(crate) fn read(
        folder: &Path,
        recipe: &Recipe,
        side: usize,
        device: &Device,
    ) -> Result<Self, TrainError> {
        let parts = ["vae", "unet", "text_encoder", "tokenizer"].map(|part| folder.join(part));
        let [vae_folder, unet_folder, text_folder, tokenizer_folder] = &parts;
        let summary = Summary::from_folder(folder)?;
        let held_out = HeldOut::from_folder(folder)?;
        let (most, found) = (recipe.diffusion.refinement.len(), summary.refinement_loss.len());
        if found > most || !summary.distillation_loss.is_empty() {
            let found = match summary.distillation_loss.len() {
                0 => found.to_string(),
                rounds => format!("{found} and {rounds} rounds of distillation"),
            };
            let path = folder.join(Summary::FILE);
            let reason = format!("expected at most the recipe's {most} refinements, found {found}");
            return Err(TrainError::broken(path, reason));
        }
        let vae = AutoencoderKL::from_folder(vae_folder, FloatDType::F32, device)?;
        let unet = UNet2DConditionModel::from_folder(unet_folder, FloatDType::F32, device)?;
        let text_encoder = CLIPTextModel::from_folder(text_folder, FloatDType::F32, device)?;
        let vocabulary = Vocabulary::read(tokenizer_folder)?;
        let vocab_size = CLIPTokenizer::from_folder(tokenizer_folder)?.vocab_size();

        let mut expected = autoencoder_stage::config(&recipe.autoencoder);
        expected.scaling_factor = vae.config().scaling_factor;
        let is_same = *vae.config() == expected;
        fits(is_same, vae_folder, &expected.to_json())?;
        let side = side / expected.downscale();
        let latents = [expected.latent_channels, side, side];
        let is_same = *unet.config() == unet_config(&recipe.diffusion, latents)?;
        fits(is_same, unet_folder, &unet_json(&recipe.diffusion, latents))?;
        let expected = text_config(&recipe.diffusion, vocab_size);
        fits(*text_encoder.config() == expected, text_folder, &json!(expected))?;

        let mut sha256 = Sha256::new();
        for part in [vae_folder, unet_folder] {
            sha256.update_file(part.join("diffusion_pytorch_model.safetensors"))?;
        }
        sha256.update_file(text_folder.join("model.safetensors"))?;
        vocabulary.hash(&mut sha256);
        let model = TextToLatent { unet, text_encoder };
        Ok(Self { vae, model, vocabulary, summary, held_out, sha256: sha256.hex() })
    }

    /// An error where it may have been trained on a pair that is `held_out`, which says that no
    /// training sees it; `folder` is where it was read.
    ///
    /// # Errors
    /// [`TrainError::Broken`] naming the first such pair.
    pub(crate) fn may_not_know(&self, held_out: &HeldOut, folder: &Path) -> Result<(), TrainError> {
        let known: BTreeSet<&String> = self.summary.concepts.iter().collect();
        let mut seen = held_out.pairs().filter(|pair| known.contains(&pair.caption));
        match seen.find(|pair| !self.held_out.holds(pair)) {
            None => Ok(()),
            Some(Pair { caption, style }) => {
                let reason = format!(
                    "expected a model trained without the pairs that the recipe holds out, found \
                     one that may know `{caption}` as `{style}`"
                );
                Err(TrainError::broken(folder, reason))
            }
        }
    }

    /// How many trainings of U-Net and text encoder are behind it.
    pub(crate) fn trainings(&self) -> usize {
        1 + self.summary.refinement_loss.len()
    }
}

/// What is there before U-Net and text encoder are trained.
pub(crate) struct Begun {
    pub(crate) vae: AutoencoderKL,
    /// Those of an earlier training.
    pub(crate) model: Option<TextToLatent>,
    pub(crate) vocabulary: Option<Vocabulary>,
    /// Mean losses over fiftieths, as [`Summary`] has them.
    pub(crate) autoencoder_loss: Vec<f32>,
    /// The same of each training of U-Net and text encoder so far.
    pub(crate) losses: Vec<Vec<f32>>,
}

impl Begun {
    /// With an autoencoder that was just trained.
    pub(crate) fn with(vae: AutoencoderKL, losses: &[f32]) -> Self {
        let autoencoder_loss = curve(losses);
        Self { vae, model: None, vocabulary: None, autoencoder_loss, losses: Vec::new() }
    }
}

impl From<Start> for Begun {
    fn from(Start { vae, model, vocabulary, summary, .. }: Start) -> Self {
        let Summary { autoencoder_loss, diffusion_loss, refinement_loss, .. } = summary;
        let losses = std::iter::once(diffusion_loss).chain(refinement_loss).collect();
        let (model, vocabulary) = (Some(model), Some(vocabulary));
        Self { vae, model, vocabulary, autoencoder_loss, losses }
    }
}

/// An error that names the fields of `folder`'s configuration that are not as `expected`, unless
/// the model `is_same`.
fn fits(is_same: bool, folder: &Path, expected: &Value) -> Result<(), TrainError> {
    if is_same {
        return Ok(());
    }
    let path = folder.join("config.json");
    let mut found: Value = read_record(&path)?;
    if let (Some(found), Some(expected)) = (found.as_object_mut(), expected.as_object()) {
        found.retain(|field, _| expected.contains_key(field));
    }
    let reason = format!(
        "expected the model that the recipe describes, found another: {}",
        changed(expected, &found)
    );
    Err(TrainError::broken(path, reason))
}
