//! How well a trained model's pictures show what they were asked for, how different they are, and
//! how much of them is copied.

mod copies;
mod distribution;
mod diversity;
mod look;
mod look_statistics;
mod nearest;
mod recognition;
mod sampling;
mod scored;
mod sheet;
mod vague;

use pictures::{Dataset, Example, RgbImage};
use pipeline::{Pipeline, PipelineError};
use serde::Serialize;

pub use copies::Copies;
pub use distribution::SetDistance;
pub use diversity::Diversity;
pub use nearest::Nearest;
pub use recognition::Recognition;
pub use scored::{Reference, Scored, scored};
pub use sheet::sheet;
pub use vague::VaguePrompt;

use crate::TrainError;

/// What [`quality`] measures without a scorer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Quality {
    /// Pictures sampled.
    pub pictures: usize,
    /// How many lie nearest to a training picture of their own prompt.
    #[serde(flatten)]
    pub nearest: Nearest,
}

/// How pictures are sampled.
#[derive(Debug, Clone, Copy)]
pub struct QualitySettings {
    /// Number of pictures of captions that the model was trained on.
    pub pictures: usize,
    /// Inference steps.
    pub steps: usize,
    /// Guidance scale; none where it is at most 1.
    pub guidance_scale: f64,
    /// Seed of the first picture; each has its own.
    pub seed: u64,
}

/// Samples a picture for every so many of the captions the model was trained on and looks for the
/// nearest picture among *all* of `train`, those of concepts it never saw included.
///
/// # Errors
/// [`TrainError::NoConcept`], [`TrainError::Pipeline`] for requests that cannot be sampled or
/// pictures of another size than the model's.
pub fn quality(
    pipeline: &Pipeline,
    train: &Dataset,
    concepts: &[String],
    settings: QualitySettings,
) -> Result<Quality, TrainError> {
    let chosen = choose(train, concepts, settings.pictures)?;
    let sampled = for_captions(pipeline, &chosen, train.size, settings, &mut |_| {})?;
    let nearest = nearest::nearest(&sampled, train, pipeline.vae(), pipeline.device());
    Ok(Quality { pictures: chosen.len(), nearest })
}

/// `count` pictures of `train` with a concept among `concepts`, evenly spread.
fn choose<'a>(
    train: &'a Dataset,
    concepts: &[String],
    count: usize,
) -> Result<Vec<&'a Example>, TrainError> {
    let known: Vec<&Example> =
        train.examples.iter().filter(|example| concepts.contains(&example.caption)).collect();
    if known.is_empty() {
        let (pictures, concepts) = (train.examples.len(), concepts.len());
        return Err(TrainError::NoConcept { pictures, concepts });
    }
    Ok((0..count).map(|i| known[i * known.len() / count % known.len()]).collect())
}

/// A picture for the whole caption of each of `examples`, which have `side` pixels.
fn for_captions<'a>(
    pipeline: &Pipeline,
    examples: &[&'a Example],
    side: usize,
    settings: QualitySettings,
    progress: &mut dyn FnMut(usize),
) -> Result<Vec<(&'a Example, RgbImage)>, TrainError> {
    let [height, width] = pipeline.default_size();
    if [height, width] != [side; 2] {
        let reason = format!(
            "expected training pictures of the model's {width}×{height} pixels, found {side}×{side}"
        );
        return Err(PipelineError::Request(reason).into());
    }
    let prompts: Vec<String> = examples.iter().map(|example| example.text.clone()).collect();
    let pictures = sampling::sample(pipeline, &prompts, settings.seed, settings, progress)?;
    Ok(examples.iter().copied().zip(pictures).collect())
}
