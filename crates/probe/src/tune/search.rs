//! The search: coordinate by coordinate, both ways, with shrinking steps.
//!
//! Under the same noise a score is a function of the weights without any randomness, so that there is
//! nothing to average over many weights at once as SPSA does; a pair of evaluations tells which way
//! one block is to be turned in one window, and every change that helps is kept at once. What is
//! random is the choice of the samples: a change is kept only where the mean of its paired
//! differences exceeds their standard error.

use serde::{Deserialize, Serialize};

use super::ledger::{Ledger, SampleSet};
use crate::draws::{CounterDraws, DrawAddress, UniformDraws};
use crate::student::{Mean, standard_error};
use crate::{ProbeError, Span};

/// Shrinkings of the step, at most.
const SHRINKINGS: i32 = 10;

/// How weights are searched.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TuneSettings {
    /// Steps that share weights.
    pub span: Span,
    /// Evaluations of weights on the training samples, at most; 3 or more.
    pub budget: usize,
    /// First change of a weight that is tried, above 0 and at most 1; halved after a round in which
    /// no change was kept.
    pub step: f64,
    /// Largest change of a weight from 1, at least `step` and at most 1.
    pub limit: f64,
    /// Seed of the order in which weights are tried.
    pub seed: u64,
}

impl Default for TuneSettings {
    /// Windows, 64 evaluations, steps from 0.1, changes of at most 0.3.
    fn default() -> Self {
        Self { span: Span::Window, budget: 64, step: 0.1, limit: 0.3, seed: 42 }
    }
}

impl TuneSettings {
    /// Checks the ranges.
    ///
    /// # Errors
    /// [`ProbeError::Config`] naming what is out of its range.
    pub fn check(&self) -> Result<(), ProbeError> {
        let refuse = |text: String| Err(ProbeError::Config(text));
        let Self { budget, step, limit, .. } = *self;
        if budget < 3 {
            return refuse(format!("expected a budget of at least 3 evaluations, found {budget}"));
        }
        if !(step > 0.0 && step <= limit && limit <= 1.0) {
            return refuse(format!(
                "expected a first step above 0 and a limit from there to 1, found {step} and {limit}"
            ));
        }
        Ok(())
    }
}

/// One weight, tried both ways.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trial {
    /// Group of steps.
    pub group: usize,
    /// Block.
    pub block: usize,
    /// Change of the weight from 1 before the trial.
    pub from: f64,
    /// How far it was turned.
    pub step: f64,
    /// Change of the score with the weight, `(s(+h) − s(−h)) / 2h`, over the training samples: above
    /// 0 where the block is to be turned up. At the limit, from there inwards.
    pub slope: Mean,
    /// Change of the weight from 1 after it.
    pub to: f64,
}

/// What a search found.
pub(super) struct Found {
    pub(super) changes: Vec<Vec<f64>>,
    /// Scores of the training samples at weights 1, and at those that were found.
    pub(super) scores: [Vec<f64>; 2],
    pub(super) trials: Vec<Trial>,
}

/// Searches until the budget is spent or the step is small.
pub(super) fn search(ledger: &mut Ledger<'_>) -> Result<Found, ProbeError> {
    let settings = ledger.state.settings;
    settings.check()?;
    let [steps, blocks] = ledger.shape();
    let groups = settings.span.groups(steps).len();
    let mut changes = vec![vec![0.0; blocks]; groups];
    let vanilla = ledger.scores(SampleSet::Train, &changes)?;
    let mut best = vanilla.clone();
    let (mut spent, mut trials) = (1, Vec::new());
    let (mut round, mut shrinkings) = (0, 0);
    while shrinkings <= SHRINKINGS {
        let step = settings.step * 0.5f64.powi(shrinkings);
        let mut kept = false;
        for at in order(settings.seed, round, groups * blocks) {
            if spent + 2 > settings.budget {
                return Ok(Found { changes, scores: [vanilla, best], trials });
            }
            let (group, block) = (at / blocks, at % blocks);
            let from = changes[group][block];
            let limit = |change: f64| change.clamp(-settings.limit, settings.limit);
            let turned = [limit(from + step), limit(from - step)];
            let mut sides = [best.clone(), best.clone()];
            for (change, scores) in turned.iter().zip(&mut sides).filter(|(to, _)| **to != from) {
                let mut changes = changes.clone();
                changes[group][block] = *change;
                *scores = ledger.scores(SampleSet::Train, &changes)?;
                spent += 1;
            }
            let width = turned[0] - turned[1];
            let slopes: Vec<f64> =
                sides[0].iter().zip(&sides[1]).map(|(up, down)| (up - down) / width).collect();
            let gains = sides.each_ref().map(|side| gain(side, &best));
            let side = usize::from(gains[1] > gains[0]);
            if gains[side] > 0.0 {
                changes[group][block] = turned[side];
                best.clone_from(&sides[side]);
                kept = true;
            }
            let (slope, to) = (Mean::of(&slopes), changes[group][block]);
            trials.push(Trial { group, block, from, step, slope, to });
        }
        round += 1;
        shrinkings += i32::from(!kept);
    }
    Ok(Found { changes, scores: [vanilla, best], trials })
}

/// The mean of the paired differences, less their standard error.
fn gain(scores: &[f64], best: &[f64]) -> f64 {
    let differences: Vec<f64> = scores.iter().zip(best).map(|(a, b)| a - b).collect();
    let mean = differences.iter().sum::<f64>() / differences.len() as f64;
    mean - standard_error(&differences)
}

/// The weights in the random order of a round.
fn order(seed: u64, round: usize, count: usize) -> Vec<usize> {
    let at = DrawAddress { round, epoch: 0, batch: 0, step: 0, candidate: 0 };
    let draws = CounterDraws::new(seed).perturbation(at, count);
    let mut order: Vec<usize> = (0..count).collect();
    order.sort_by(|a, b| draws[*a].total_cmp(&draws[*b]));
    order
}
