//! The search: perturb, evaluate, accept, update; all rounds in lockstep.

use reweight::StepMatrix;

use crate::config::StepLimits;
use crate::draws::DrawAddress;
use crate::{ProbeConfig, ProbeError, ProbeState, UniformDraws};

/// A weight set to evaluate, with the thresholds it is skipped by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candidate<'a> {
    /// Weight of every block.
    pub weights: &'a [f64],
    /// Skip threshold of every block.
    pub thresholds: &'a [f64],
}

/// Answers how far a student's noise predictions are from the teacher's.
pub trait Evaluator {
    /// Batches of samples in an epoch.
    fn batches(&self) -> usize;

    /// Number of inference steps.
    fn steps(&self) -> usize;

    /// Number of blocks.
    fn blocks(&self) -> usize;

    /// The mean squared difference for each candidate, on one batch at one step, finite. Must not
    /// depend on which candidates are asked for together.
    ///
    /// # Errors
    /// Whatever keeps it from answering.
    fn losses(
        &mut self,
        batch: usize,
        step: usize,
        candidates: &[Candidate<'_>],
    ) -> Result<Vec<f64>, ProbeError>;
}

/// How far a search is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Steps of all batches and epochs done.
    pub done: usize,
    /// Steps in all.
    pub total: usize,
}

/// `E(w) = Σ w_i²`.
pub fn energy(weights: &[f64]) -> f64 {
    weights.iter().map(|weight| weight * weight).sum()
}

/// `E₀ / E(w)` plus the share of blocks with `skip_weight_i < q_i`, where `E₀ = m` (Eq. 5).
///
/// A candidate's skips are counted by its own weights; the incumbent's by weights of 1, as the
/// published code does, so that it has none.
pub fn fitness(weights: &[f64], skip_weights: &[f64], thresholds: &[f64]) -> f64 {
    let m = weights.len() as f64;
    let skipped = skip_weights.iter().zip(thresholds).filter(|(w, q)| w < q).count();
    m / energy(weights) + skipped as f64 / m
}

/// A perturbed weight set: `clip(b + u, 0, 1)`, `u` uniform between the bounds
/// `−δ` and 0 (or `+δ` without `energy_drop`), `δ = min(bias, √(E(b)/m))`.
pub fn perturb(best: &[f64], draws: &[f64], bias: f64, energy_drop: bool) -> Vec<f64> {
    let delta = bias.min((energy(best) / best.len() as f64).sqrt());
    let (low, high) = (-delta, if energy_drop { 0.0 } else { delta });
    best.iter().zip(draws).map(|(b, u)| (b + (low + (high - low) * u)).clamp(0.0, 1.0)).collect()
}

/// Runs the search from `state` to its last epoch, all rounds in lockstep.
///
/// `after_epoch` sees the state after every epoch, to save it; an error from it ends the run.
///
/// # Errors
/// [`ProbeError::Config`] and [`ProbeError::State`] for a state that cannot be gone on with,
/// [`ProbeError::NotFinite`] for a loss that is not finite, and what the evaluator or `after_epoch`
/// report.
pub fn search(
    state: &mut ProbeState,
    evaluator: &mut dyn Evaluator,
    draws: &mut dyn UniformDraws,
    progress: &mut dyn FnMut(Progress),
    after_epoch: &mut dyn FnMut(&ProbeState) -> Result<(), ProbeError>,
) -> Result<(), ProbeError> {
    let (steps, batches) = (evaluator.steps(), evaluator.batches());
    let config = state.config.clone();
    let StepLimits { tolerance, bias } = config.at_steps(steps)?;
    state.check_continues(&config, steps, evaluator.blocks())?;
    let per_epoch = batches * steps;
    while !state.is_finished() {
        let epoch = state.epoch;
        // Skips follow the thresholds of the epoch's beginning, while updates run on.
        let fixed = state.thresholds();
        state.rounds.iter_mut().for_each(|round| round.accepted_at.push(vec![0; steps]));
        for batch in 0..batches {
            for step in 0..steps {
                let at = StepAddress { epoch, batch, step };
                one_step(
                    state,
                    &config,
                    &fixed,
                    at,
                    (tolerance[step], bias[step]),
                    evaluator,
                    draws,
                )?;
                let done = epoch * per_epoch + batch * steps + step + 1;
                progress(Progress { done, total: config.epochs * per_epoch });
            }
        }
        for round in &mut state.rounds {
            round.history.push(round.thresholds.clone());
        }
        state.epoch += 1;
        after_epoch(state)?;
    }
    Ok(())
}

#[derive(Clone, Copy)]
struct StepAddress {
    epoch: usize,
    batch: usize,
    step: usize,
}

/// Perturbs, evaluates, accepts and updates every round at one step of one batch.
fn one_step(
    state: &mut ProbeState,
    config: &ProbeConfig,
    fixed: &[StepMatrix],
    StepAddress { epoch, batch, step }: StepAddress,
    (tolerance, bias): (f64, f64),
    evaluator: &mut dyn Evaluator,
    draws: &mut dyn UniformDraws,
) -> Result<(), ProbeError> {
    let blocks = evaluator.blocks();
    let mut weights: Vec<Vec<f64>> = Vec::with_capacity(config.rounds * config.candidates);
    for (round, runs) in state.rounds.iter().enumerate() {
        for candidate in 0..config.candidates {
            let at = DrawAddress { round, epoch, batch, step, candidate };
            let draws = draws.perturbation(at, blocks);
            weights.push(perturb(&runs.best[step], &draws, bias, config.energy_drop));
        }
    }
    let candidates: Vec<Candidate<'_>> = weights
        .iter()
        .enumerate()
        .map(|(i, weights)| Candidate { weights, thresholds: &fixed[i / config.candidates][step] })
        .collect();
    let losses = evaluator.losses(batch, step, &candidates)?;
    check_losses(&losses, candidates.len(), step)?;
    let s = (epoch + 1) as f64 / config.epochs as f64;
    for (round, runs) in state.rounds.iter_mut().enumerate() {
        let thresholds = &fixed[round][step];
        let ones = vec![1.0; blocks];
        let mut to_beat = fitness(&runs.best[step], &ones, thresholds);
        let mut accepted = None;
        for i in round * config.candidates..(round + 1) * config.candidates {
            let fitness = fitness(&weights[i], &weights[i], thresholds);
            if losses[i] <= tolerance && fitness > to_beat {
                to_beat = fitness;
                accepted = Some(i);
            }
        }
        runs.accepted[1] += 1;
        if let Some(i) = accepted {
            runs.best[step].copy_from_slice(&weights[i]);
            runs.accepted[0] += 1;
            if let Some(accepted) = runs.accepted_at.last_mut() {
                accepted[step] += 1;
            }
        }
        let proposal = &runs.best[step];
        for (q, p) in runs.thresholds[step].iter_mut().zip(proposal) {
            *q = config.update.update(*q, *p, accepted.is_some(), s, config.weight_eps);
        }
    }
    Ok(())
}

/// A loss that is no number compares as rejected: a broken model would reject everything in
/// silence.
pub(crate) fn check_losses(
    losses: &[f64],
    candidates: usize,
    step: usize,
) -> Result<(), ProbeError> {
    if losses.len() != candidates {
        let found = losses.len();
        return Err(ProbeError::Evaluator(format!(
            "step {step}: expected the losses of {candidates} candidates, found {found}"
        )));
    }
    match losses.iter().find(|loss| !loss.is_finite()) {
        Some(loss) => {
            let what = format!("a candidate's loss, {loss},");
            Err(ProbeError::NotFinite { step, what, place: String::new() })
        }
        None => Ok(()),
    }
}
