//! The trainings of U-Net and text encoder, each from what the one before it ended with.

use autoencoder::AutoencoderKL;
use burn::tensor::Device;
use clip::CLIPTokenizer;
use pictures::Dataset;

use crate::captions::Captions;
use crate::checkpoint::CheckpointFile;
use crate::diffusion_stage::{TextToLatent, train_diffusion};
use crate::kinds::Kinds;
use crate::latents::Latents;
use crate::{Progress, Recipe, TrainError};

/// One of the trainings.
pub(crate) struct Training {
    stage: &'static str,
    recipe: Recipe,
    checkpoint: CheckpointFile,
    /// Whether its checkpoint is that of its last step.
    is_done: bool,
}

/// All of them, in their order.
pub(crate) struct Trainings {
    first: Training,
    refinements: Vec<Training>,
}

/// What every training takes.
pub(crate) struct Materials<'a> {
    pub(crate) vae: &'a AutoencoderKL,
    pub(crate) pictures: &'a Dataset,
    pub(crate) kinds: &'a Kinds,
    pub(crate) device: &'a Device,
}

impl Trainings {
    /// The trainings of `recipe`; their checkpoints, which `file` places, are of it or absent.
    ///
    /// # Errors
    /// As [`CheckpointFile::check`].
    pub(crate) fn new(
        recipe: &Recipe,
        file: &dyn Fn(&str, Recipe) -> CheckpointFile,
    ) -> Result<Self, TrainError> {
        let training = |index: usize, stage, name: &str| {
            let checkpoint = file(name, recipe.refined_to(index));
            let recipe = recipe.training(index);
            let is_done = checkpoint.check()? == recipe.diffusion.optimizer.steps as u64;
            Ok::<_, TrainError>(Training { stage, recipe, checkpoint, is_done })
        };
        let first = training(0, "diffusion", "diffusion.safetensors")?;
        let refinements = (1..=recipe.diffusion.refinement.len()).map(|index| {
            let number = if index == 1 { String::new() } else { format!("-{index}") };
            training(index, "refinement", &format!("refinement{number}.safetensors"))
        });
        Ok(Self { first, refinements: refinements.collect::<Result<_, _>>()? })
    }

    /// Runs all trainings; returns the last one's averaged weights and latents, and the loss of
    /// every step of each.
    ///
    /// # Errors
    /// As [`train_diffusion`].
    pub(crate) fn run(
        &self,
        materials: &Materials<'_>,
        tokenizer: CLIPTokenizer,
        progress: &mut dyn FnMut(&'static str, Progress),
    ) -> Result<(TextToLatent, Latents, Vec<Vec<f32>>), TrainError> {
        let mut latents = self.first.encode(materials, tokenizer, self.refinements.is_empty());
        let (mut model, losses) = self.first.run(None, &latents, materials.device, progress)?;
        let mut all_losses = vec![losses];
        for (index, training) in self.refinements.iter().enumerate() {
            let is_last = index + 1 == self.refinements.len();
            latents = training.encode(materials, latents.tokenizer, is_last);
            let losses;
            (model, losses) = training.run(Some(model), &latents, materials.device, progress)?;
            all_losses.push(losses);
        }
        Ok((model, latents, all_losses))
    }
}

impl Training {
    /// What it learns from; no pictures where it is done and none is drawn any more.
    fn encode(
        &self,
        materials: &Materials<'_>,
        tokenizer: CLIPTokenizer,
        is_last: bool,
    ) -> Latents {
        let Materials { vae, pictures, kinds, device } = *materials;
        let captions = Captions::new(pictures, kinds, &self.recipe.diffusion);
        let mut augment = self.recipe.diffusion.augment.clone();
        if self.is_done && !is_last {
            augment.variants = 0;
        }
        Latents::encode(vae, pictures, (&augment, self.recipe.seed), captions, tokenizer, device)
    }

    fn run(
        &self,
        start: Option<TextToLatent>,
        latents: &Latents,
        device: &Device,
        progress: &mut dyn FnMut(&'static str, Progress),
    ) -> Result<(TextToLatent, Vec<f32>), TrainError> {
        let progress = &mut |p| progress(self.stage, p);
        train_diffusion(&self.recipe, latents, start, &self.checkpoint, device, progress)
    }
}
