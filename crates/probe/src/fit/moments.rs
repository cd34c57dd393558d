//! What a least-squares fit needs to know of a picture.

use serde::{Deserialize, Serialize};

use super::targets::{
    Linearised, Noised, PictureNoise, TargetEvaluator, covariance, linearise, mean_product,
};
use crate::ProbeError;

/// Products of a picture's error `ρ = y − ε(1)` and its derivatives `d_i` at one step, means over
/// the values of the prediction and over the noise seeds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepMoments {
    /// `⟨d_i, d_j⟩`, row by row.
    pub gram: Vec<f64>,
    /// `⟨d_i, ρ⟩`: above 0 where a higher weight lowers the error.
    pub gradient: Vec<f64>,
    /// `⟨ρ, ρ⟩`.
    pub power: f64,
    /// Var(ρ) of every noise seed, over the values of the prediction as in Eq. 2.
    pub variances: Vec<f64>,
}

/// The moments of one picture at every step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PictureMoments {
    /// `[step]`.
    pub steps: Vec<StepMoments>,
}

impl PictureMoments {
    /// Measures a picture under noise of its own from each of `seeds`.
    ///
    /// # Errors
    /// [`ProbeError::NotFinite`] for a value that is not finite; what the evaluator reports.
    pub fn measure(
        evaluator: &mut dyn TargetEvaluator,
        picture: usize,
        seeds: &[u64],
    ) -> Result<Self, ProbeError> {
        let steps = (0..evaluator.steps()).map(|step| {
            let noised: Vec<Noised> = seeds
                .iter()
                .map(|seed| Noised { picture, noise: PictureNoise::Own(*seed), step })
                .collect();
            Ok(StepMoments::of(&linearise(evaluator, &noised)?))
        });
        Ok(Self { steps: steps.collect::<Result<_, ProbeError>>()? })
    }

    /// Whether it is of so many steps, blocks and seeds, all finite.
    pub(super) fn fits(&self, steps: usize, blocks: usize, seeds: usize) -> bool {
        let fits = |step: &StepMoments| {
            let lengths = [step.gram.len(), step.gradient.len(), step.variances.len()];
            let mut values = step.gram.iter().chain(&step.gradient).chain(&step.variances);
            lengths == [blocks * blocks, blocks, seeds]
                && step.power.is_finite()
                && values.all(|value| value.is_finite())
        };
        self.steps.len() == steps && self.steps.iter().all(fits)
    }
}

impl StepMoments {
    /// The mean moments of the same picture under several noises.
    fn of(linearised: &[Linearised]) -> Self {
        let share = 1.0 / linearised.len() as f64;
        let blocks = linearised.first().map_or(0, |first| first.derivatives.len());
        let mut moments = Self::zero(blocks);
        for Linearised { residual, derivatives } in linearised {
            let products = derivatives
                .iter()
                .flat_map(|a| derivatives.iter().map(move |b| mean_product(a, b)));
            moments.gram.iter_mut().zip(products).for_each(|(sum, x)| *sum += share * x);
            let products = derivatives.iter().map(|d| mean_product(d, residual));
            moments.gradient.iter_mut().zip(products).for_each(|(sum, x)| *sum += share * x);
            moments.power += share * mean_product(residual, residual);
            moments.variances.push(covariance(residual, residual));
        }
        moments
    }

    /// Moments of nothing.
    pub(super) fn zero(blocks: usize) -> Self {
        let (gram, gradient) = (vec![0.0; blocks * blocks], vec![0.0; blocks]);
        Self { gram, gradient, power: 0.0, variances: Vec::new() }
    }

    /// Adds another's sums; variances are no part of them.
    pub(super) fn add(&mut self, other: &Self) {
        self.gram.iter_mut().zip(&other.gram).for_each(|(sum, x)| *sum += x);
        self.gradient.iter_mut().zip(&other.gradient).for_each(|(sum, x)| *sum += x);
        self.power += other.power;
    }

    /// The mean squared error that the first-order model predicts for weights `1 + u`:
    /// `‖ρ − J u‖² = ⟨ρ, ρ⟩ − 2 uᵀ⟨d, ρ⟩ + uᵀGu`.
    pub fn predicted_power(&self, change: &[f64]) -> f64 {
        let blocks = self.gradient.len();
        let linear: f64 = change.iter().zip(&self.gradient).map(|(u, b)| u * b).sum();
        let quadratic: f64 = (0..blocks * blocks)
            .map(|at| change[at / blocks] * self.gram[at] * change[at % blocks])
            .sum();
        self.power - 2.0 * linear + quadratic
    }
}
