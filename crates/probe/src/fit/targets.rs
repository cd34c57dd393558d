//! What a model is trained to predict of noised pictures, and by how much it misses that.

use crate::{DERIVATIVE_STEP, ProbeError};

/// The noise a picture is put under, other noise at every step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PictureNoise {
    /// Noise of the picture's own, for a seed.
    Own(u64),
    /// Noise that all pictures share, for a seed.
    Shared(u64),
}

/// A picture under noise, as it is at an inference step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Noised {
    /// Picture.
    pub picture: usize,
    /// Its noise.
    pub noise: PictureNoise,
    /// Inference step, from 0.
    pub step: usize,
}

/// Answers by how much a re-weighted U-Net misses what it was trained to predict.
pub trait TargetEvaluator {
    /// Number of pictures.
    fn pictures(&self) -> usize;

    /// Number of inference steps.
    fn steps(&self) -> usize;

    /// Number of blocks.
    fn blocks(&self) -> usize;

    /// `y − ε(w)` for each noised picture and weights `w`, `[blocks]`: all values of the training
    /// target `y` (noise, velocity or picture, whichever the model predicts) less those of the
    /// prediction. Must not depend on what is asked for together.
    ///
    /// # Errors
    /// Whatever keeps it from answering.
    fn errors(&mut self, asked: &[(Noised, &[f64])]) -> Result<Vec<Vec<f64>>, ProbeError>;

    /// The mean square of every block's output, `[blocks]`, at weights 1; over the outputs of all
    /// Transformers where a block has several.
    ///
    /// # Errors
    /// Whatever keeps it from answering.
    fn output_powers(&mut self, asked: &[Noised]) -> Result<Vec<Vec<f64>>, ProbeError>;
}

/// A prediction's error, and how the prediction moves with the weights.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Linearised {
    /// `ρ = y − ε(1)`.
    pub residual: Vec<f64>,
    /// `d_i = (ε(1 − δe_i) − ε(1)) / −δ` of every block, δ = [`DERIVATIVE_STEP`].
    pub derivatives: Vec<Vec<f64>>,
}

/// The first-order model of the prediction of each noised picture.
pub(super) fn linearise(
    evaluator: &mut dyn TargetEvaluator,
    noised: &[Noised],
) -> Result<Vec<Linearised>, ProbeError> {
    let blocks = evaluator.blocks();
    let lowered = |block: Option<usize>| -> Vec<f64> {
        let weight = |at| if Some(at) == block { 1.0 - DERIVATIVE_STEP } else { 1.0 };
        (0..blocks).map(weight).collect()
    };
    let rows: Vec<Vec<f64>> =
        std::iter::once(None).chain((0..blocks).map(Some)).map(lowered).collect();
    let asked: Vec<(Noised, &[f64])> =
        noised.iter().flat_map(|at| rows.iter().map(|row| (*at, row.as_slice()))).collect();
    let mut errors = answers(evaluator, &asked)?.into_iter();
    let mut linearised = Vec::with_capacity(noised.len());
    while let Some(residual) = errors.next() {
        let derivative = |error: Vec<f64>| -> Vec<f64> {
            error.iter().zip(&residual).map(|(a, b)| (a - b) / DERIVATIVE_STEP).collect()
        };
        let derivatives = errors.by_ref().take(blocks).map(derivative).collect();
        linearised.push(Linearised { residual, derivatives });
    }
    Ok(linearised)
}

/// The evaluator's errors, as many as were asked for, equally long and finite.
pub(super) fn answers(
    evaluator: &mut dyn TargetEvaluator,
    asked: &[(Noised, &[f64])],
) -> Result<Vec<Vec<f64>>, ProbeError> {
    let errors = evaluator.errors(asked)?;
    let length = errors.first().map_or(0, Vec::len);
    if errors.len() != asked.len() || length == 0 || errors.iter().any(|e| e.len() != length) {
        return Err(ProbeError::Evaluator(format!(
            "expected {} errors of equally many values, found {} of {length} and others",
            asked.len(),
            errors.len()
        )));
    }
    let broken = errors.iter().position(|error| error.iter().any(|value| !value.is_finite()));
    match broken {
        Some(at) => Err(ProbeError::NotFinite {
            step: asked[at].0.step,
            what: format!("the prediction for picture {}", asked[at].0.picture),
            place: String::new(),
        }),
        None => Ok(errors),
    }
}

/// `⟨a, b⟩ / N`.
pub(super) fn mean_product(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>() / a.len() as f64
}

/// The covariance of two vectors' values, as Eq. 2 takes the variance.
pub(super) fn covariance(a: &[f64], b: &[f64]) -> f64 {
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let (mean_a, mean_b) = (mean(a), mean(b));
    let sum: f64 = a.iter().zip(b).map(|(a, b)| (a - mean_a) * (b - mean_b)).sum();
    sum / a.len() as f64
}
