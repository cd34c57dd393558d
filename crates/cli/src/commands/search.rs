//! The paper's search, as `probe` and `importance --method vote` run it: its settings, exact or
//! fast, resumed from a file.

use std::path::Path;

use anyhow::Context;
use clap::Args;
use clap::builder::RangedU64ValueParser;
use files::FileError;
use probe::{
    CounterDraws, Evaluator, FastSearch, PerStep, ProbeConfig, ProbeError, ProbeState, Progress,
    UNetEvaluator, search,
};
use serde_json::Value;

use super::saved::SavedState;
use crate::commands::progress_bar;
use crate::failure::usage;
use crate::options::count;

/// The settings of the search.
#[derive(Args)]
pub struct SearchOptions {
    /// `paper`, `reference` (as the published code does it) or `both-ways` (the paper's, perturbed
    /// up and down) [default: paper].
    #[arg(long)]
    preset: Option<String>,
    /// Independent runs that vote.
    #[arg(long, value_parser = RangedU64ValueParser::<usize>::new().range(1..=10_000))]
    rounds: Option<usize>,
    /// Epochs of each run.
    #[arg(long, value_parser = count())]
    epochs: Option<usize>,
    /// Perturbed weight sets tried per step and epoch.
    #[arg(long, value_parser = count())]
    candidates: Option<usize>,
    /// Loss tolerance of the first and the last step.
    #[arg(long, value_delimiter = ',', allow_negative_numbers = true)]
    tolerance: Option<Vec<f64>>,
    /// Seed of the search's own draws [default: 42].
    #[arg(long)]
    probe_seed: Option<u64>,
    /// Take the losses from the derivatives and a table of skip sets instead of running the U-Net
    /// for every candidate: nearly the same decisions for about a hundredth of the work.
    #[arg(long)]
    fast: bool,
}

impl SearchOptions {
    /// The settings.
    pub fn config(&self) -> anyhow::Result<ProbeConfig> {
        let mut config = match self.preset.as_deref().unwrap_or("paper") {
            "paper" => ProbeConfig::paper(),
            "reference" => ProbeConfig::reference(),
            "both-ways" => ProbeConfig::both_ways(),
            other => {
                return Err(usage(format_args!(
                    "expected the preset `paper`, `reference` or `both-ways`, found `{other}`"
                )));
            }
        };
        config.rounds = self.rounds.unwrap_or(config.rounds);
        config.epochs = self.epochs.unwrap_or(config.epochs);
        config.candidates = self.candidates.unwrap_or(config.candidates);
        match self.tolerance.as_deref() {
            None => {}
            Some([start, end]) => {
                config.loss_tolerance = PerStep::Linear { start: *start, end: *end };
            }
            Some(other) => {
                let count = other.len();
                return Err(usage(format_args!(
                    "expected two tolerances `first,last`, found {count}"
                )));
            }
        }
        config.seed = self.probe_seed.unwrap_or(config.seed);
        Ok(config)
    }

    /// Adds to the facts of a search what is not in its settings.
    pub fn add_to(&self, facts: &mut Value) {
        if self.fast {
            facts["fast"] = true.into();
        }
    }

    /// Refuses settings of the search where there is none.
    pub fn check_unused(&self, method: &str) -> anyhow::Result<()> {
        for (option, given) in [
            ("--preset", self.preset.is_some()),
            ("--rounds", self.rounds.is_some()),
            ("--epochs", self.epochs.is_some()),
            ("--candidates", self.candidates.is_some()),
            ("--tolerance", self.tolerance.is_some()),
            ("--probe-seed", self.probe_seed.is_some()),
            ("--fast", self.fast),
        ] {
            if given {
                return Err(usage(format_args!("{option} means nothing to --method {method}")));
            }
        }
        Ok(())
    }

    /// Searches to the end, from where an earlier search of the same facts was interrupted; its
    /// state is kept in `state_path`. Also on how many samples the U-Net is run for it, whether it
    /// was interrupted or not.
    pub fn run(
        &self,
        config: &ProbeConfig,
        evaluator: &mut UNetEvaluator<'_>,
        facts: &Value,
        state_path: &Path,
    ) -> anyhow::Result<(ProbeState, usize)> {
        let (steps, blocks) = (evaluator.steps(), evaluator.blocks());
        let (batches, inputs) = (evaluator.batches(), evaluator.inputs());
        let prompt = facts["prompt"].as_str().unwrap_or_default().to_string();
        let mut draws = CounterDraws::for_prompt(config, &prompt);
        let saved = SavedState::new(state_path, facts);
        let bar = progress_bar((config.epochs * batches * steps) as u64, "probing");
        let mut progress = |progress: Progress| bar.set_position(progress.done as u64);
        let named = || saved.begin_anew();
        let found = if self.fast {
            let mut fast = match saved.read::<FastSearch>()? {
                Some(fast) => {
                    fast.state.check_continues(config, steps, blocks).with_context(named)?;
                    fast
                }
                None => FastSearch::new(config, steps, blocks, &mut draws)?,
            };
            fast.complete(evaluator, &mut draws, &mut progress, &mut |fast| {
                saved.write(fast).map_err(|error| interrupted(&fast.state, &error))
            })?;
            let predictions = fast.predictions();
            (fast.state, inputs * predictions)
        } else {
            let mut state = match saved.read::<ProbeState>()? {
                Some(state) => {
                    state.check_continues(config, steps, blocks).with_context(named)?;
                    state
                }
                None => ProbeState::new(config, steps, blocks, &mut draws)?,
            };
            search(&mut state, evaluator, &mut draws, &mut progress, &mut |state| {
                saved.write(state).map_err(|error| interrupted(state, &error))
            })?;
            (state, inputs * (steps + config.evaluations(steps, batches)))
        };
        bar.finish_and_clear();
        Ok(found)
    }
}

fn interrupted(state: &ProbeState, error: &FileError) -> ProbeError {
    ProbeError::Interrupted { epoch: state.epoch, reason: error.to_string() }
}
