//! Everything a page shows, measured step by step and kept as it grows.

use std::path::{Path, PathBuf};

use metrics::ClipScorer;
use pipeline::{Generation, ImageRecord, NoiseSource, Pipeline};
use probe::{
    Cost, Estimates, Estimator, ImportanceMap, ProbeConfig, ProbeError, Subject, UNetEvaluator,
    block_labels,
};
use serde::Serialize;
use serde_json::Value;

use crate::block::{Block, Times, blocks, times};
use crate::picture::{Shown, Studio, vanilla_file};
use crate::source::ModelSource;
use crate::state::State;
use crate::variant::{Variant, Window};
use crate::{ExplainError, page};

/// The version of [`Explanation`] that is written.
const VERSION: u32 = 1;
/// Noise seeds that importance is measured with, from the first picture's seed on.
const IMPORTANCE_SEEDS: u64 = 5;
/// Folder of the full pictures, beside the page.
pub(crate) const PICTURES: &str = "pictures";

/// What is asked for.
pub struct Question<'a> {
    /// Who samples.
    pub pipeline: &'a Pipeline,
    /// Prompt, seeds of the pictures, steps, guidance.
    pub generation: &'a Generation,
    /// The picture whose inversion the initial noise is, where there is one.
    pub image: Option<ImageRecord>,
    /// What scores pictures against the prompt.
    pub scorer: Option<&'a ClipScorer>,
    /// What tells this question from others: prompt, seeds, steps, model.
    pub facts: Value,
    /// SHA-256 of the model's files.
    pub model_sha256: &'a str,
    /// How the model was named.
    pub source: ModelSource,
    /// Settings of the paper's search, where its vote is to stand beside importance.
    pub vote: Option<ProbeConfig>,
    /// Largest number of samples of one U-Net call; results do not depend on it.
    pub unet_batch: usize,
    /// Folder of the page.
    pub out: &'a Path,
}

/// The answer: what the page shows, and `explain.json` holds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explanation {
    /// Version of this format, 1.
    pub version: u32,
    /// Prompt, seeds, steps, guidance, model.
    pub facts: Value,
    /// In plain words.
    pub summary: Vec<String>,
    /// Milliseconds of a U-Net call on one sample, on the machine that made the page.
    pub milliseconds: f64,
    /// The attention blocks in execution order.
    pub blocks: Vec<Block>,
    /// How much each matters, when.
    pub importance: ImportanceMap,
    /// The paper's vote, where it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vote: Option<ImportanceMap>,
    /// All pictures, seed by seed and block by block; the vanilla one first each time.
    pub pictures: Vec<Vec<Vec<Shown>>>,
}

/// How far a page is, in samples of the U-Net.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Done.
    pub done: usize,
    /// In all.
    pub total: usize,
}

/// What a page takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// Samples the U-Net runs on; with a vote those of the skip sets that it meets come on top.
    pub unet_samples: usize,
    /// Pictures.
    pub pictures: usize,
}

impl Question<'_> {
    pub(crate) fn steps(&self) -> Result<usize, ExplainError> {
        Ok(self.generation.calls()?)
    }

    pub(crate) fn doubled(&self) -> usize {
        if self.generation.guidance_scale > 1.0 { 2 } else { 1 }
    }

    pub(crate) fn block_count(&self) -> usize {
        self.pipeline.unet().config().num_attention_blocks()
    }

    /// Samples of the U-Net for the importance, and for the variants of one block and seed.
    fn parts(&self) -> Result<[usize; 2], ExplainError> {
        let (steps, doubled, blocks) = (self.steps()?, self.doubled(), self.block_count());
        let importance = IMPORTANCE_SEEDS as usize * Estimator::Derivative.predictions(blocks);
        let from_first =
            |variant: Variant| steps - variant.window.steps(steps).first().unwrap_or(&steps);
        let variants: usize = Variant::of_block(0, steps).into_iter().map(from_first).sum();
        Ok([importance * steps * doubled, (steps + variants) * doubled])
    }

    /// What the page takes.
    ///
    /// # Errors
    /// [`ExplainError::Pipeline`] for steps the scheduler does not have.
    pub fn plan(&self) -> Result<Plan, ExplainError> {
        let [importance, block] = self.parts()?;
        let (seeds, blocks, steps) = (self.generation.samples(), self.block_count(), self.steps()?);
        let pictures = seeds * (1 + blocks * Variant::of_block(0, steps).len());
        let unet_samples = importance + self.vote_samples()? + block * seeds * blocks;
        Ok(Plan { unet_samples, pictures })
    }

    /// The full pictures, beside the page.
    ///
    /// # Errors
    /// As [`Self::plan`].
    pub fn picture_files(&self) -> Result<Vec<PathBuf>, ExplainError> {
        let steps = self.steps()?;
        let of_seed = |seed: &u64| {
            let blocks = 0..self.block_count();
            let variants = blocks.flat_map(|block| Variant::of_block(block, steps));
            let files = variants.map(|variant| variant.file(*seed)).collect::<Vec<_>>();
            std::iter::once(vanilla_file(*seed)).chain(files)
        };
        let folder = self.out.join(PICTURES);
        let names = self.generation.noise.seeds.iter().flat_map(of_seed);
        Ok(names.map(|name| folder.join(name)).collect())
    }

    /// Measures what is left, and writes the page `index.html` and `explain.json`.
    ///
    /// # Errors
    /// [`ExplainError`]; what is done is kept.
    pub fn answer(&self, progress: &mut dyn FnMut(Progress)) -> Result<Explanation, ExplainError> {
        if self.block_count() == 0 {
            return Err(ExplainError::Settings("the model has no attention blocks".into()));
        }
        let (total, [importance, block]) = (self.plan()?.unet_samples, self.parts()?);
        let mut state = self.kept()?;
        let map = self.importance(&mut state, &mut |share| {
            progress(Progress { done: (importance as f64 * share) as usize, total });
        })?;
        let voting = self.vote_samples()?;
        let vote = self.vote(&mut state, &mut |share| {
            progress(Progress { done: importance + (voting as f64 * share) as usize, total });
        })?;
        let importance = importance + voting;
        let seeds = &self.generation.noise.seeds;
        let studio = Studio {
            pipeline: self.pipeline,
            generation: self.generation,
            image: self.image.as_ref(),
            scorer: self.scorer,
            model_sha256: self.model_sha256,
            unet_batch: self.unet_batch,
            folder: &self.out.join(PICTURES),
        };
        let steps = self.steps()?;
        if state.times.is_none() {
            let request = self.pipeline.request(self.generation, 0..1)?;
            state.times = Some(times(self.pipeline, &request)?);
        }
        for position in state.pictures.len()..seeds.len() * self.block_count() {
            let (at, number) = (position / self.block_count(), position % self.block_count());
            let request = self.pipeline.request(self.generation, at..at + 1)?;
            let mut step = 0;
            let shown = studio.block(&request, seeds[at], number, &mut || {
                let done = importance + block * position + block * step / steps.max(1);
                progress(Progress { done, total });
                step += 1;
            })?;
            state.pictures.push(shown);
            self.keep(&state)?;
        }
        let answer = self.finished(state, map, vote)?;
        files::write_atomically(self.out.join("index.html"), page::page(self, &answer)?)?;
        let json = serde_json::to_string_pretty(&answer)?;
        files::write_atomically(self.out.join("explain.json"), json)?;
        Ok(answer)
    }

    fn finished(
        &self,
        state: State,
        importance: ImportanceMap,
        vote: Option<ImportanceMap>,
    ) -> Result<Explanation, ExplainError> {
        let Some(Times { whole, saved }) = state.times else {
            return Err(ExplainError::Settings("no times were measured".into()));
        };
        let latents = self.pipeline.latent_size(self.generation.size)?;
        let request = self.pipeline.request(self.generation, 0..1)?;
        let tokens = request.prompts.embeds.dims()[1];
        let blocks = blocks(self.pipeline, latents, tokens, &saved);
        let pictures: Vec<Vec<Vec<Shown>>> =
            state.pictures.chunks(self.block_count()).map(<[_]>::to_vec).collect();
        let mut answer = Explanation {
            version: VERSION,
            facts: self.facts.clone(),
            summary: Vec::new(),
            milliseconds: whole,
            blocks,
            importance,
            vote,
            pictures,
        };
        answer.summary = answer.in_words();
        Ok(answer)
    }

    /// Measures importance by derivatives, from where an earlier run was interrupted.
    fn importance(
        &self,
        state: &mut State,
        progress: &mut dyn FnMut(f64),
    ) -> Result<ImportanceMap, ExplainError> {
        let first = self.generation.noise.seeds.first().copied().unwrap_or_default();
        let seeds: Vec<u64> = (0..IMPORTANCE_SEEDS).map(|i| first.wrapping_add(i)).collect();
        let noise = NoiseSource { seeds, ..self.generation.noise.clone() };
        let generation = Generation { noise, initial_noise: None, ..self.generation.clone() };
        let start = std::time::Instant::now();
        let requests = (0..generation.samples())
            .map(|at| self.pipeline.request(&generation, at..at + 1))
            .collect::<Result<Vec<_>, _>>()?;
        let mut evaluator = UNetEvaluator::new(self.pipeline, &requests, self.unet_batch)?;
        let steps = self.steps()?;
        let mut estimates =
            state.estimates.take().unwrap_or_else(|| Estimates::new(Estimator::Derivative));
        estimates.complete(&mut evaluator, &mut |estimates| {
            progress(estimates.measured.len() as f64 / steps as f64);
            let kept = State {
                facts: self.facts.clone(),
                estimates: Some(estimates.clone()),
                ..State::default()
            };
            self.keep(&kept).map_err(|error| ProbeError::Interrupted {
                epoch: estimates.measured.len(),
                reason: error.to_string(),
            })
        })?;
        state.estimates = Some(estimates.clone());
        let subject = Subject {
            facts: self.facts.clone(),
            steps: evaluator.levels(),
            blocks: block_labels(&self.pipeline.unet().config().blocks()),
        };
        let cost = Cost { unet_samples: self.parts()?[0], seconds: start.elapsed().as_secs_f64() };
        Ok(ImportanceMap::from_estimates(subject, estimates, cost)?)
    }
}

impl Explanation {
    /// The mean over the seeds of what a variant did to the pictures: PSNR in dB, and the change of
    /// the score.
    pub(crate) fn effect(
        &self,
        block: usize,
        window: Window,
        factor: f64,
    ) -> Option<(f64, Option<f64>)> {
        let wanted = Variant { block, window, factor };
        let mut pairs = Vec::new();
        for seed in &self.pictures {
            let shown = seed.get(block)?;
            let found = shown.iter().find(|shown| shown.variant == Some(wanted))?;
            let change = found.score.zip(shown.first()?.score).map(|(score, usual)| score - usual);
            pairs.push((found.psnr, change));
        }
        let count = pairs.len() as f64;
        let psnr = pairs.iter().map(|pair| pair.0).sum::<f64>() / count;
        let changes: Option<Vec<f64>> = pairs.iter().map(|pair| pair.1).collect();
        Some((psnr, changes.map(|changes| changes.iter().sum::<f64>() / count)))
    }
}
