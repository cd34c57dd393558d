//! The trainings of U-Net and text encoder, each from what the one before it ended with.

use std::path::Path;

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

/// Those that are left to do.
pub(crate) struct Trainings {
    /// Those before the last, in their order.
    earlier: Vec<Training>,
    last: Training,
    /// Whether the result of the last is there, too.
    last_is_given: bool,
}

/// What every training takes.
pub(crate) struct Materials<'a> {
    pub(crate) vae: &'a AutoencoderKL,
    pub(crate) pictures: &'a Dataset,
    pub(crate) kinds: &'a Kinds,
    /// The `tokenizer` folder.
    pub(crate) tokenizer: &'a Path,
    pub(crate) device: &'a Device,
}

impl Trainings {
    /// The trainings of `recipe` but the first `given`, whose result is there; their checkpoints,
    /// which `file` places, are of it or absent.
    ///
    /// # Errors
    /// As [`CheckpointFile::check`].
    pub(crate) fn new(
        recipe: &Recipe,
        given: usize,
        file: &dyn Fn(&str, Recipe) -> CheckpointFile,
    ) -> Result<Self, TrainError> {
        let training = |index: usize| {
            let (stage, name) = match index {
                0 => ("diffusion", "diffusion.safetensors".to_string()),
                1 => ("refinement", "refinement.safetensors".to_string()),
                number => ("refinement", format!("refinement-{number}.safetensors")),
            };
            let checkpoint = file(&name, recipe.refined_to(index));
            let recipe = recipe.training(index);
            let is_done = checkpoint.check()? == recipe.diffusion.optimizer.steps as u64;
            Ok::<_, TrainError>(Training { stage, recipe, checkpoint, is_done })
        };
        let last = recipe.diffusion.refinement.len();
        let earlier = (given..last).map(training).collect::<Result<_, _>>()?;
        Ok(Self { earlier, last: training(last)?, last_is_given: given > last })
    }

    /// Runs the trainings, the first of them from `start` where earlier ones are given; returns the
    /// last one's averaged weights and latents, and the loss of every step of each.
    ///
    /// # Errors
    /// As [`train_diffusion`].
    pub(crate) fn run(
        &self,
        start: Option<TextToLatent>,
        materials: &Materials<'_>,
        progress: &mut dyn FnMut(&'static str, Progress),
    ) -> Result<(TextToLatent, Latents, Vec<Vec<f32>>), TrainError> {
        let (mut start, mut all_losses) = (start, Vec::new());
        for training in &self.earlier {
            // Where it is done, and another comes, no pictures are drawn any more.
            let latents = training.encode(materials, !training.is_done)?;
            let (model, losses) = training.run(start, &latents, materials.device, progress)?;
            start = Some(model);
            all_losses.push(losses);
        }
        let latents = self.last.encode(materials, true)?;
        let model = match start {
            Some(model) if self.last_is_given => model,
            start => {
                let (model, losses) = self.last.run(start, &latents, materials.device, progress)?;
                all_losses.push(losses);
                model
            }
        };
        Ok((model, latents, all_losses))
    }
}

impl Training {
    /// What it learns from, with the pictures or without.
    fn encode(
        &self,
        materials: &Materials<'_>,
        with_pictures: bool,
    ) -> Result<Latents, TrainError> {
        let Materials { vae, pictures, kinds, tokenizer, device } = *materials;
        let captions = Captions::new(pictures, kinds, &self.recipe.diffusion);
        let mut augment = self.recipe.diffusion.augment.clone();
        if !with_pictures {
            augment.variants = 0;
        }
        let tokenizer = CLIPTokenizer::from_folder(tokenizer)?;
        let seed = self.recipe.seed;
        Ok(Latents::encode(vae, pictures, (&augment, seed), captions, tokenizer, device))
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
