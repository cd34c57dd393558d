//! The paper's vote beside the derivative's importance, where it is asked for.

use probe::{
    Cost, CounterDraws, Evaluator, FastSearch, ImportanceMap, ProbeConfig, ProbeError, Subject,
    UNetEvaluator, block_labels,
};

use crate::ExplainError;
use crate::explanation::Question;
use crate::state::State;

impl Question<'_> {
    /// Samples of the U-Net that the vote takes before any set of blocks is skipped.
    pub(crate) fn vote_samples(&self) -> Result<usize, ExplainError> {
        match self.vote {
            Some(_) => Ok(self.steps()? * (1 + self.block_count()) * self.doubled()),
            None => Ok(0),
        }
    }

    /// Searches on tables for the first picture's seed, from where an earlier run was interrupted,
    /// and lets the rounds vote; `None` where it is not asked for.
    pub(crate) fn vote(
        &self,
        state: &mut State,
        progress: &mut dyn FnMut(f64),
    ) -> Result<Option<ImportanceMap>, ExplainError> {
        let Some(config) = &self.vote else { return Ok(None) };
        let start = std::time::Instant::now();
        let request = self.pipeline.request(self.generation, 0..1)?;
        let mut evaluator = UNetEvaluator::new(self.pipeline, &[request], self.unet_batch)?;
        let (steps, blocks) = (evaluator.steps(), evaluator.blocks());
        let mut draws = CounterDraws::for_prompt(config, &self.generation.prompt);
        let mut found = match state.vote.take() {
            Some(kept) => kept,
            None => FastSearch::new(config, steps, blocks, &mut draws)?,
        };
        found.complete(
            &mut evaluator,
            &mut draws,
            &mut |at| progress(at.done as f64 / at.total as f64),
            &mut |search| {
                state.vote = Some(search.clone());
                self.keep(state).map_err(|error| ProbeError::Interrupted {
                    epoch: search.state.epoch,
                    reason: error.to_string(),
                })
            },
        )?;
        let subject = Subject {
            facts: self.facts.clone(),
            steps: evaluator.levels(),
            blocks: block_labels(&self.pipeline.unet().config().blocks()),
        };
        let unet_samples = evaluator.inputs() * found.predictions();
        let cost = Cost { unet_samples, seconds: start.elapsed().as_secs_f64() };
        let map = ImportanceMap::from_search(subject, &found.state, cost)?;
        state.vote = Some(found);
        Ok(Some(map))
    }

    /// Whether a kept search is of this question's settings, and whole.
    pub(crate) fn continues(&self, kept: &FastSearch) -> Result<bool, ExplainError> {
        let (steps, blocks) = (self.steps()?, self.block_count());
        let fits = |config: &ProbeConfig| kept.state.check_continues(config, steps, blocks).is_ok();
        Ok(self.vote.as_ref().is_none_or(fits))
    }
}
