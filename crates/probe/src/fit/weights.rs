//! Least-squares weights from the moments of pictures.

use reweight::{BlockWeights, StepMatrix};
use serde::{Deserialize, Serialize};

use super::moments::{PictureMoments, StepMoments};
use super::solve::{Eigen, solve_within};
use crate::ProbeError;
use crate::span::Span;

/// Largest ridge; every weight is 1 long before.
const MAX_RIDGE: f64 = 1e6;

/// How weights are fitted.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FitSettings {
    /// Steps that share weights.
    pub span: Span,
    /// Ridge λ as a share of the mean diagonal of `JᵀJ`, 0 or more.
    pub ridge: f64,
    /// Largest change of a weight from 1, above 0 and at most 1, as the first-order model holds near
    /// 1 only.
    pub limit: f64,
}

impl Default for FitSettings {
    /// Weights of every step's own, a ridge of 0.1, changes of at most 0.2.
    fn default() -> Self {
        Self { span: Span::Step, ridge: 0.1, limit: 0.2 }
    }
}

/// The weights of one group of steps, and where they come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupFit {
    /// Steps that share the weights.
    pub steps: Vec<usize>,
    /// The weights, 0 or more.
    pub weights: Vec<f64>,
    /// The blocks whose weight the limit holds back.
    pub held: Vec<usize>,
    /// Condition number of `JᵀJ`; infinite (`null` in JSON) where a direction has no extent.
    #[serde(with = "infinite")]
    pub condition: f64,
}

/// Fitted weights.
#[derive(Debug, Clone, PartialEq)]
pub struct FittedWeights {
    /// The groups of steps.
    pub groups: Vec<GroupFit>,
    /// The weights of every step.
    pub weights: BlockWeights,
}

impl FitSettings {
    /// Checks the ranges.
    ///
    /// # Errors
    /// [`ProbeError::Config`] naming what is out of its range.
    pub fn check(&self) -> Result<(), ProbeError> {
        let refuse = |text: String| Err(ProbeError::Config(text));
        if !(0.0..=MAX_RIDGE).contains(&self.ridge) {
            return refuse(format!(
                "expected a ridge of 0 or more, at most {MAX_RIDGE}, found {}",
                self.ridge
            ));
        }
        if !(self.limit > 0.0 && self.limit <= 1.0) {
            return refuse(format!("expected a limit above 0 and at most 1, found {}", self.limit));
        }
        Ok(())
    }

    /// `1 + (JᵀJ + λI)⁻¹Jᵀρ` for every group of steps, J and ρ over all `pictures`; where that goes
    /// beyond the limit, the best weights within it. A block that does not move the prediction keeps
    /// its weight of 1.
    ///
    /// # Errors
    /// [`ProbeError::Config`] as [`Self::check`], and where there is no picture, step or block.
    pub fn weights(&self, pictures: &[PictureMoments]) -> Result<FittedWeights, ProbeError> {
        self.check()?;
        let steps = pictures.first().map_or(0, |picture| picture.steps.len());
        let first = pictures.first().and_then(|picture| picture.steps.first());
        let blocks = first.map_or(0, |moments| moments.gradient.len());
        let seeds = first.map_or(0, |moments| moments.variances.len());
        if blocks == 0 || pictures.iter().any(|picture| !picture.fits(steps, blocks, seeds)) {
            return Err(ProbeError::Config(
                "expected finite moments of at least one picture, of equally many steps and blocks"
                    .into(),
            ));
        }
        let groups: Vec<GroupFit> = self
            .span
            .groups(steps)
            .into_iter()
            .map(|group| {
                let mut sums = StepMoments::zero(blocks);
                for picture in pictures {
                    group.iter().for_each(|step| sums.add(&picture.steps[*step]));
                }
                self.group(group, &sums)
            })
            .collect();
        let rows: Vec<Vec<f64>> = groups.iter().map(|group| group.weights.clone()).collect();
        let weights = StepMatrix::from_rows(self.span.spread(&rows, steps))?;
        Ok(FittedWeights { groups, weights: BlockWeights::new(weights)? })
    }

    fn group(&self, steps: Vec<usize>, sums: &StepMoments) -> GroupFit {
        let blocks = sums.gradient.len();
        let eigen = Eigen::of(&sums.gram, blocks);
        let diagonal =
            (0..blocks).map(|i| sums.gram[i * (blocks + 1)]).sum::<f64>() / blocks as f64;
        let (lambda, limit) = (self.ridge * diagonal, self.limit);
        let change = solve_within(&sums.gram, &eigen, &sums.gradient, lambda, limit);
        GroupFit {
            steps,
            weights: change.iter().map(|u| 1.0 + u).collect(),
            held: (0..blocks).filter(|block| change[*block].abs() == limit).collect(),
            condition: eigen.condition(),
        }
    }
}

/// Infinity as `null`.
mod infinite {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<S: Serializer>(value: &f64, to: S) -> Result<S::Ok, S::Error> {
        value.is_finite().then_some(*value).serialize(to)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
        Ok(Option::deserialize(from)?.unwrap_or(f64::INFINITY))
    }
}
