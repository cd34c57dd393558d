//! Importance of every block at every step, whichever way it was measured.

use reweight::{ImportanceScores, NoiseLevel, StepMatrix};
use serde::{Deserialize, Serialize};

use super::estimate::{Estimates, Estimator};
use super::games::{self, SkipSet};
use super::ranks;
use crate::{Agreement, Interval, ProbeConfig, ProbeError, ProbeState, bootstrap_scores, vote};

/// The version of [`ImportanceMap`] that is written.
pub(super) const VERSION: u32 = 1;
/// Resamples of the intervals of a vote.
const RESAMPLES: usize = 2000;

/// How importance is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ImportanceMethod {
    /// By how much the prediction moves with the block's weight.
    Derivative,
    /// By the loss where the block alone is skipped.
    Skip,
    /// By the Shapley value of the losses of all skip sets.
    Masks,
    /// By the paper's search and vote (Sec. III-C and III-D).
    Vote,
}

impl ImportanceMethod {
    /// As files and the command line name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Derivative => "derivative",
            Self::Skip => "skip",
            Self::Masks => "masks",
            Self::Vote => "vote",
        }
    }
}

/// What an importance map cost.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cost {
    /// Samples the U-Net was run on, the teacher's included; guidance counts both halves.
    pub unet_samples: usize,
    /// Wall-clock time.
    pub seconds: f64,
}

/// What was measured, and of what.
#[derive(Debug, Clone, PartialEq)]
pub struct Subject {
    /// Prompt, seeds, steps, guidance, model, as the caller names them.
    pub facts: serde_json::Value,
    /// Timestep and noise level of every step.
    pub steps: Vec<NoiseLevel>,
    /// The blocks' names, as [`block_labels`](crate::block_labels) gives them.
    pub blocks: Vec<String>,
}

/// What the values come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Evidence {
    /// What an estimator measured.
    Estimates(Estimates),
    /// What the search ended with.
    Search {
        /// Its settings.
        config: Box<ProbeConfig>,
        /// The final thresholds of every round.
        thresholds: Vec<StepMatrix>,
    },
}

/// What a method tells beyond importance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Details {
    /// The Gram matrix of each step, mean over the seeds.
    Derivative {
        /// `[step]`, blocks by blocks.
        gram: Vec<StepMatrix>,
    },
    /// Nothing.
    Skip {},
    /// What the losses of all skip sets tell, mean over the seeds.
    Masks {
        /// The Banzhaf value of every block.
        banzhaf: StepMatrix,
        /// `[step]`, blocks by blocks: the Shapley interaction index of every pair.
        interactions: Vec<StepMatrix>,
        /// `[step]`: the set of least loss for every number of skipped blocks, from 0 on.
        best: Vec<Vec<SkipSet>>,
    },
    /// How far the rounds agree.
    Vote {
        /// At each step.
        agreement: Vec<Agreement>,
        /// Pairs of equal thresholds that a seeded draw had to order.
        ties: usize,
    },
}

/// Importance of every block at every step: a file of its own, version 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImportanceMap {
    /// Version of this format, 1.
    pub version: u32,
    /// How it was measured.
    pub method: ImportanceMethod,
    /// Prompt, seeds, steps, guidance, model, as the caller names them.
    pub facts: serde_json::Value,
    /// Timestep and noise level of every step.
    pub steps: Vec<NoiseLevel>,
    /// The blocks' names.
    pub blocks: Vec<String>,
    /// Mean over the seeds of `G_ii` (derivative), the loss (skip) or the Shapley value (masks);
    /// mean rank over the rounds (vote).
    pub values: StepMatrix,
    /// Scores in (0, 1]: ranks from 1 among a step's blocks, mean over the seeds (or rounds),
    /// divided by the number of blocks (Eq. 6).
    pub scores: ImportanceScores,
    /// Blocks of each step, least important first.
    pub ranking: StepMatrix<usize>,
    /// 95 % intervals of the scores: Student's, over the noise seeds; of the vote, bootstrap over
    /// the rounds. None of a single seed.
    pub intervals: Option<StepMatrix<Interval>>,
    /// What it cost.
    pub cost: Cost,
    /// What the method tells beyond importance.
    pub details: Details,
    /// What all of this follows from.
    pub evidence: Evidence,
}

impl ImportanceMap {
    /// The map of a finished estimate; `seeds` were measured.
    ///
    /// # Errors
    /// [`ProbeError::State`] where a step is missing or values are broken.
    pub fn from_estimates(
        subject: Subject,
        estimates: Estimates,
        cost: Cost,
    ) -> Result<Self, ProbeError> {
        Self::new(subject, Evidence::Estimates(estimates), cost)
    }

    /// The map of a finished search's vote.
    ///
    /// # Errors
    /// [`ProbeError`] for a state of another number of steps or blocks.
    pub fn from_search(
        subject: Subject,
        state: &ProbeState,
        cost: Cost,
    ) -> Result<Self, ProbeError> {
        let config = Box::new(state.config.clone());
        let evidence = Evidence::Search { config, thresholds: state.thresholds() };
        Self::new(subject, evidence, cost)
    }

    /// Everything that follows from the evidence.
    pub(super) fn new(
        subject: Subject,
        evidence: Evidence,
        cost: Cost,
    ) -> Result<Self, ProbeError> {
        let (steps, blocks) = (subject.steps.len(), subject.blocks.len());
        let Derived { method, values, scores, ranking, intervals, details } = match &evidence {
            Evidence::Estimates(estimates) => of_estimates(estimates, steps, blocks)?,
            Evidence::Search { config, thresholds } => of_search(config, thresholds)?,
        };
        values.check_shape(steps, blocks)?;
        Ok(Self {
            version: VERSION,
            method,
            facts: subject.facts,
            steps: subject.steps,
            blocks: subject.blocks,
            values,
            scores,
            ranking,
            intervals,
            cost,
            details,
            evidence,
        })
    }

    /// Mean width of the intervals; `None` of a single seed.
    pub fn interval_width(&self) -> Option<f64> {
        let intervals = self.intervals.as_ref()?.values();
        let sum: f64 = intervals.iter().map(|interval| interval.high - interval.low).sum();
        Some(sum / intervals.len() as f64)
    }

    /// The steps at which the rounds of a vote agree no more than by chance; none of the other
    /// methods.
    pub fn steps_of_chance(&self) -> Vec<usize> {
        let Details::Vote { agreement, .. } = &self.details else { return Vec::new() };
        Agreement::steps_of_chance(agreement)
    }
}

/// What follows from the evidence.
struct Derived {
    method: ImportanceMethod,
    values: StepMatrix,
    scores: ImportanceScores,
    ranking: StepMatrix<usize>,
    intervals: Option<StepMatrix<Interval>>,
    details: Details,
}

fn of_estimates(estimates: &Estimates, steps: usize, blocks: usize) -> Result<Derived, ProbeError> {
    let Estimates { estimator, measured } = estimates;
    let seeds = measured.first().map_or(0, Vec::len);
    estimates.check_continues(steps, seeds, blocks)?;
    if measured.len() != steps || seeds == 0 {
        let found = measured.len();
        return Err(ProbeError::State(format!(
            "expected {steps} steps of at least one seed, found {found} of {seeds}"
        )));
    }
    let runs = estimates.runs()?;
    let (values, run_scores) = (ranks::mean(&runs), ranks::run_scores(&runs));
    let scores = ranks::mean(&run_scores);
    let means: Vec<Vec<f64>> = measured.iter().map(|seeds| mean_of_seeds(seeds)).collect();
    let square =
        |values: &Vec<f64>| StepMatrix::from_fn(blocks, blocks, |i, j| values[i * blocks + j]);
    let (method, details) = match estimator {
        Estimator::Derivative => (
            ImportanceMethod::Derivative,
            Details::Derivative { gram: means.iter().map(square).collect() },
        ),
        Estimator::Skip => (ImportanceMethod::Skip, Details::Skip {}),
        Estimator::Masks => (
            ImportanceMethod::Masks,
            Details::Masks {
                banzhaf: StepMatrix::from_rows(
                    means.iter().map(|game| games::banzhaf(game, blocks)).collect(),
                )?,
                interactions: means.iter().map(|game| games::interactions(game, blocks)).collect(),
                best: means.iter().map(|game| games::best_sets(game, blocks)).collect(),
            },
        ),
    };
    Ok(Derived {
        method,
        ranking: ranks::ranking(&scores, &values),
        intervals: ranks::student_intervals(&run_scores),
        values,
        scores: ImportanceScores::new(scores)?,
        details,
    })
}

fn mean_of_seeds(seeds: &[Vec<f64>]) -> Vec<f64> {
    let sum = |at: usize| seeds.iter().map(|seed| seed[at]).sum::<f64>();
    (0..seeds[0].len()).map(|at| sum(at) / seeds.len() as f64).collect()
}

fn of_search(config: &ProbeConfig, thresholds: &[StepMatrix]) -> Result<Derived, ProbeError> {
    let vote = vote(thresholds, config.seed)?;
    if vote.rounds != config.rounds {
        let (expected, found) = (config.rounds, vote.rounds);
        return Err(ProbeError::State(format!("expected {expected} rounds, found {found}")));
    }
    let rounds = vote.rounds as f64;
    Ok(Derived {
        method: ImportanceMethod::Vote,
        values: vote.scores.map(|score| *score as f64 / rounds),
        scores: vote.importance()?,
        intervals: Some(bootstrap_scores(&vote, RESAMPLES, config.seed)),
        details: Details::Vote {
            agreement: Agreement::of_vote(&vote, config.seed),
            ties: vote.ties,
        },
        ranking: vote.ranking,
    })
}
