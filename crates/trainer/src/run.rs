//! The training of the text-to-image model from pictures to a pipeline folder.

use std::path::Path;

use burn::module::Module;
use burn::tensor::Device;
use pictures::Dataset;
use serde::Serialize;
use serde_json::json;

use crate::autoencoder_stage::{psnr, train_autoencoder};
use crate::captions::Captions;
use crate::checkpoint::CheckpointFile;
use crate::distillation_stage::distil;
use crate::export::export_pipeline;
use crate::held_out::HeldOut;
use crate::kinds::{self, Kinds};
use crate::origin::Origin;
use crate::start::{Begun, Start};
use crate::summary::curve;
use crate::trainings::{Materials, Trainings};
use crate::vocabulary::Vocabulary;
use crate::{DiffusionRecipe, DistillationRecipe, Progress, Recipe, Summary, TrainError, concepts};

/// How far [`train`] goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stages {
    /// The autoencoder only.
    Autoencoder,
    /// Autoencoder, U-Net and text encoder: the pipeline folder.
    All,
    /// Those, then the few-step model: its pipeline folder instead.
    Distillation,
}

/// What [`train`] has made.
#[derive(Debug, Clone, PartialEq)]
pub enum Trained {
    /// The autoencoder's checkpoint.
    Autoencoder {
        /// Peak signal-to-noise ratio on the validation pictures, in decibels.
        psnr: f64,
    },
    /// The pipeline folder.
    Pipeline(Summary),
}

/// The folders of a training.
#[derive(Debug, Clone, Copy)]
pub struct Folders<'a> {
    /// `train/` and `validation/`, each with pictures and a `metadata.jsonl`, and where the recipe
    /// asks for vaguer captions a `keywords.json`.
    pub data: &'a Path,
    /// Checkpoints.
    pub work: &'a Path,
    /// The pipeline folder that is written.
    pub out: &'a Path,
    /// A pipeline folder that such a training wrote, whose models stand for the autoencoder's training
    /// and for as many of U-Net and text encoder as its `training.json` has.
    pub from: Option<&'a Path>,
}

/// Everything that the second stage follows.
#[derive(Serialize)]
struct Followed {
    #[serde(flatten)]
    recipe: Recipe,
    /// What vaguer captions are made from.
    #[serde(skip_serializing_if = "Option::is_none")]
    keywords_sha256: Option<String>,
    /// What it goes on from.
    #[serde(skip_serializing_if = "Option::is_none")]
    from_sha256: Option<String>,
}

/// Runs the stages on `device`, resuming from the checkpoints in the work folder, and writes the
/// pipeline.
///
/// Nothing is written before every checkpoint there is known to be of this recipe, these pictures
/// and what is gone on from. Checkpoints are the same on every device.
///
/// # Errors
/// [`TrainError`], naming the file where there is one.
pub fn train(
    recipe: &Recipe,
    Folders { data, work, out, from }: Folders<'_>,
    stages: Stages,
    device: &Device,
    progress: &mut dyn FnMut(&'static str, Progress),
) -> Result<Trained, TrainError> {
    let mut pictures = Dataset::open(data.join("train"))?;
    let validation = Dataset::open(data.join("validation"))?;
    if validation.size != pictures.size {
        let (train, validation) = (pictures.size, validation.size);
        let reason = format!(
            "expected pictures of one size, found {train} pixels in `train` and {validation} in `validation`"
        );
        return Err(TrainError::broken(data, reason));
    }
    recipe.fits(pictures.size)?;
    let mut keywords_sha256 = None;
    let mut kinds = Kinds::new();
    if recipe.uses_kinds() {
        (kinds, keywords_sha256) = kinds::read(data).map(|(kinds, sha)| (kinds, Some(sha)))?;
    }
    if let Some(from) = from.filter(|from| is_same_folder(from, out)) {
        let reason =
            "what a training goes on from cannot be what it writes; expected another folder";
        return Err(TrainError::broken(from, reason));
    }
    let start = from.map(|from| Start::read(from, recipe, pictures.size, device)).transpose()?;
    let held_out = HeldOut::draw(recipe.held_out, &pictures, data)?;
    if let (Some(start), Some(from)) = (&start, from) {
        start.may_not_know(&held_out, from)?;
    }
    held_out.split_off(&mut pictures);
    let origin = Origin::new(
        &json!({ "seed": recipe.seed, "autoencoder": recipe.autoencoder }),
        &[&pictures],
    );
    let first = CheckpointFile::new(work.join("autoencoder.safetensors"), origin);
    let from_sha256 = start.as_ref().map(|start| start.sha256.clone());
    let followed = |recipe: Recipe| Followed {
        recipe,
        keywords_sha256: keywords_sha256.clone(),
        from_sha256: from_sha256.clone(),
    };
    // Validation decides which concepts are learnt.
    let sets = [&pictures, &validation];
    let file = |name: &str, recipe: Recipe| {
        CheckpointFile::new(work.join(name), Origin::new(&followed(recipe), &sets))
    };
    if start.is_none() {
        first.check()?;
    }
    let trainings = match stages {
        Stages::Autoencoder => None,
        Stages::All | Stages::Distillation => {
            Some(Trainings::new(recipe, start.as_ref().map_or(0, Start::trainings), &file)?)
        }
    };
    let third = match (&recipe.distillation, stages) {
        (Some(distillation), Stages::Distillation) => {
            let rounds = rounds(recipe, distillation, &file)?;
            Some((distillation, rounds))
        }
        (None, Stages::Distillation) => return Err(recipe.without_distillation()),
        _ => None,
    };
    let Begun { vae, model, vocabulary, autoencoder_loss, mut losses } = match start {
        Some(start) => Begun::from(start),
        None => {
            let progress = &mut |p| progress("autoencoder", p);
            let (vae, loss) = train_autoencoder(recipe, &pictures, &first, device, progress)?;
            Begun::with(vae, &loss)
        }
    };
    let Some(trainings) = trainings else {
        return Ok(Trained::Autoencoder { psnr: psnr(&vae, &validation, device) });
    };
    let vocabulary = match vocabulary {
        Some(vocabulary) => vocabulary,
        None => {
            let DiffusionRecipe { vocabulary, text_tokens, .. } = recipe.diffusion;
            // It covers all captions, so that more concepts can be learnt later.
            let all = Captions::new(&pictures, &kinds, &recipe.diffusion);
            let texts: Vec<String> = all.all().collect();
            Vocabulary::learn(&texts, vocabulary, text_tokens, data)?
        }
    };
    let tokenizer = work.join("tokenizer");
    vocabulary.write(&tokenizer)?;
    let concepts = concepts::choose(&pictures, &validation, recipe.diffusion.concepts);
    pictures.retain_concepts(&concepts);
    let materials =
        Materials { vae: &vae, pictures: &pictures, kinds: &kinds, tokenizer: &tokenizer, device };
    let (mut model, latents, more) = trainings.run(model, &materials, progress)?;
    losses.extend(more.iter().map(|losses| curve(losses)));
    let mut losses = losses.into_iter();
    let (mut distillation_loss, mut recommended) = (Vec::new(), None);
    if let Some((distillation, checkpoints)) = third {
        let rounds;
        (model, rounds) =
            distil((distillation, recipe.seed), &latents, model, &checkpoints, device, &mut |p| {
                progress("distillation", p)
            })?;
        distillation_loss = rounds.iter().map(|losses| curve(losses)).collect();
        recommended = distillation.steps.last().map(|steps| (*steps, 0.0));
    }
    export_pipeline(out, &recipe.diffusion, latents.shape, &vocabulary, &vae, &model, recommended)?;
    let summary = Summary {
        concepts,
        pictures: pictures.examples.len(),
        parameters: [model.unet.num_params(), vae.num_params(), model.text_encoder.num_params()],
        autoencoder_loss,
        diffusion_loss: losses.next().unwrap_or_default(),
        refinement_loss: losses.collect(),
        distillation_loss,
        from_sha256,
        autoencoder_psnr: psnr(&vae, &validation, device),
    };
    held_out.write(out)?;
    summary.write(out)?;
    Ok(Trained::Pipeline(summary))
}

fn is_same_folder(one: &Path, other: &Path) -> bool {
    let [one, other] = [one, other].map(std::fs::canonicalize);
    one.is_ok_and(|one| other.is_ok_and(|other| one == other))
}

/// The checkpoint of every round of the distillation; each is of this recipe or absent.
fn rounds(
    recipe: &Recipe,
    distillation: &DistillationRecipe,
    file: &dyn Fn(&str, Recipe) -> CheckpointFile,
) -> Result<Vec<CheckpointFile>, TrainError> {
    let mut files = Vec::new();
    for (round, steps) in distillation.steps.iter().enumerate() {
        let recipe = recipe.first_rounds(distillation, round + 1);
        let file = file(&format!("student-{steps}.safetensors"), recipe);
        file.check()?;
        files.push(file);
    }
    Ok(files)
}
