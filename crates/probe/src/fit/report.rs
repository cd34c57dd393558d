//! What a fit found: the file `fit.json`.

use std::ops::Range;

use reweight::StepMatrix;
use serde::{Deserialize, Serialize};

use super::components::{BlockComponents, StepComponents};
use super::run::{FitPlan, FitState};
use super::weights::{FittedWeights, GroupFit};
use crate::student::Mean;
use crate::{NoiseLevel, ProbeError, Subject};

/// The version of [`FitReport`] that is written.
const VERSION: u32 = 1;

/// What weights do to a set of pictures; in decibels of the signal-to-noise ratio (Eq. 2), above 0
/// where it rises, and intervals over the pictures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FitOutcome {
    /// Pictures.
    pub pictures: usize,
    /// The change at every step, as the U-Net under the weights has it.
    pub measured: Vec<Mean>,
    /// The change at every step that the first-order model predicts, of the mean squared error.
    pub predicted: Vec<Mean>,
    /// The measured change, mean over the steps.
    pub measured_mean: Mean,
    /// The predicted change, mean over the steps.
    pub predicted_mean: Mean,
    /// `⟨d_i, ρ⟩` of every block at every step: above 0 where a higher weight lowers the error.
    pub gradient: StepMatrix<Mean>,
}

/// How Proposition 1 fares against measured slopes of the error's variance, over blocks and steps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proposition {
    /// Its terms.
    pub steps: Vec<StepComponents>,
    /// Blocks and steps.
    pub compared: usize,
    /// Those in which Eq. 4 has the sign of the measured slope.
    pub agree: usize,
    /// Those whose measured slope's interval leaves out 0.
    pub signed: usize,
    /// Those of them in which Eq. 4 has its sign.
    pub signed_agree: usize,
    /// The error that Eq. 4 has at weights 1, as a share of the measured one, at every step.
    pub share_of_error: Vec<f64>,
}

/// The result of a fit, whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FitReport {
    /// Version of this format, 1.
    pub version: u32,
    /// Pictures, steps and model, as the caller names them.
    pub facts: serde_json::Value,
    /// Timestep and noise level of every step.
    pub steps: Vec<NoiseLevel>,
    /// The blocks' names.
    pub blocks: Vec<String>,
    /// What was fitted on what.
    pub plan: FitPlan,
    /// The fitted weights of every group of steps.
    pub groups: Vec<GroupFit>,
    /// In sample: on the pictures that the weights were fitted on.
    pub fitted: FitOutcome,
    /// Out of sample, where pictures were left out to test on.
    pub tested: Option<FitOutcome>,
    /// Proposition 1, where it was tested.
    pub proposition: Option<Proposition>,
}

impl FitReport {
    /// The report on a finished fit, and its weights.
    ///
    /// # Errors
    /// [`ProbeError::State`] where something is missing or broken.
    pub fn new(subject: Subject, state: &FitState) -> Result<(Self, FittedWeights), ProbeError> {
        let Subject { facts, steps, blocks } = subject;
        let plan = state.plan.clone();
        state.check_continues(&plan, steps.len(), blocks.len())?;
        let pictures = plan.fitted + plan.tested;
        if state.reweighted.len() != pictures {
            let found = state.reweighted.len();
            return Err(ProbeError::State(format!(
                "expected {pictures} pictures under the weights, found {found}"
            )));
        }
        let weights = state.weights()?;
        let outcome = |range: Range<usize>| outcome(state, &weights, range);
        let report = Self {
            version: VERSION,
            facts,
            steps,
            blocks,
            groups: weights.groups.clone(),
            fitted: outcome(0..plan.fitted),
            tested: (plan.tested > 0).then(|| outcome(plan.fitted..pictures)),
            proposition: (plan.crossed > 0).then(|| Proposition::new(&state.components)),
            plan,
        };
        Ok((report, weights))
    }

    /// The text of a `fit.json`.
    ///
    /// # Errors
    /// [`ProbeError::Serialise`] where a value has no JSON form.
    pub fn to_json(&self) -> Result<String, ProbeError> {
        Ok(serde_json::to_string_pretty(self)?)
    }
}

fn outcome(state: &FitState, weights: &FittedWeights, range: Range<usize>) -> FitOutcome {
    let matrix = weights.weights.weights();
    let (steps, blocks) = (matrix.steps(), matrix.blocks());
    let moments = &state.moments[range.clone()];
    let ratio = |before: f64, after: f64| 10.0 * (before / after).log10();
    // [picture][step].
    let measured: Vec<Vec<f64>> = moments
        .iter()
        .zip(&state.reweighted[range])
        .map(|(moments, reweighted)| {
            let of_step = |step: usize| {
                let pairs = moments.steps[step].variances.iter().zip(&reweighted[step]);
                let seeds = pairs.len() as f64;
                pairs.map(|(before, after)| ratio(*before, *after)).sum::<f64>() / seeds
            };
            (0..steps).map(of_step).collect()
        })
        .collect();
    let change = |step: usize| matrix[step].iter().map(|w| w - 1.0).collect::<Vec<_>>();
    let changes: Vec<Vec<f64>> = (0..steps).map(change).collect();
    let predicted: Vec<Vec<f64>> = moments
        .iter()
        .map(|picture| {
            let pairs = picture.steps.iter().zip(&changes);
            pairs.map(|(at, change)| ratio(at.power, at.predicted_power(change))).collect()
        })
        .collect();
    let by_step = |values: &[Vec<f64>]| -> Vec<Mean> {
        let at = |step: usize| values.iter().map(|row| row[step]).collect::<Vec<_>>();
        (0..steps).map(|step| Mean::of(&at(step))).collect()
    };
    let over_steps = |values: &[Vec<f64>]| {
        let mean = |row: &Vec<f64>| row.iter().sum::<f64>() / steps as f64;
        Mean::of(&values.iter().map(mean).collect::<Vec<_>>())
    };
    let gradient = |step: usize, block: usize| {
        let values = moments.iter().map(|picture| picture.steps[step].gradient[block]);
        Mean::of(&values.collect::<Vec<_>>())
    };
    FitOutcome {
        pictures: moments.len(),
        measured: by_step(&measured),
        predicted: by_step(&predicted),
        measured_mean: over_steps(&measured),
        predicted_mean: over_steps(&predicted),
        gradient: StepMatrix::from_fn(steps, blocks, gradient),
    }
}

impl Proposition {
    /// Compares every block's sign at every step.
    fn new(steps: &[StepComponents]) -> Self {
        let blocks = || steps.iter().flat_map(|step| &step.blocks);
        let signed = || blocks().filter(|block| block.slope.is_signed());
        Self {
            steps: steps.to_vec(),
            compared: blocks().count(),
            agree: blocks().filter(|block| block.agrees()).count(),
            signed: signed().count(),
            signed_agree: signed().filter(|block: &&BlockComponents| block.agrees()).count(),
            share_of_error: steps.iter().map(StepComponents::predicted_share).collect(),
        }
    }
}
