//! What a unit costs: samples of the U-Net, and bytes of its result.

use pruning::MAX_AGE;

use super::skipping::{TIMED_RUNS, timed_samples};
use super::study::Study;
use super::unit::{Fit, Influence, Measured, Probe, Reuse, Search, Student, Times, Unit};

/// Samples the U-Net runs on for a unit; a training step counts as four (the teacher, and the
/// student forwards and backwards).
pub(crate) fn samples(study: &Study, unit: &Unit) -> u64 {
    let experiment = &study.experiment;
    let doubled = study.doubled();
    match unit {
        Unit::Probe(Probe { steps, .. }) => {
            let size = study.size;
            if size.fast {
                return fast(study, *steps);
            }
            let evaluations = product(&[size.rounds, size.epochs, size.candidates, *steps]);
            (doubled as u64).saturating_mul(evaluations.saturating_add(*steps as u64))
        }
        Unit::Search(Search { steps, .. }) => fast(study, *steps),
        Unit::Estimates(Measured { steps, estimator, .. }) => {
            product(&[doubled, *steps, estimator.predictions(study.blocks())])
        }
        // Vanilla at all steps, and a trajectory from each step on for each block.
        Unit::Effects(Influence { steps, .. }) => {
            let partial = product(&[study.blocks(), *steps, *steps + 1]) / 2;
            (doubled as u64).saturating_mul(partial.saturating_add(*steps as u64))
        }
        // Vanilla and the derivatives, then the fitted weights.
        Unit::Fit(Fit { steps }) => product(&[study.held_out.len(), *steps, study.blocks() + 2]),
        // Vanilla, and each block with what it added at every step before that is not too old.
        Unit::Reuse(Reuse { steps, .. }) => {
            let ages: usize = (0..*steps).map(|step| step.min(MAX_AGE)).sum();
            product(&[doubled, steps.saturating_add(study.blocks().saturating_mul(ages))])
        }
        Unit::Snr(sample) => sample.steps as u64,
        Unit::Picture(sample) => product(&[doubled, sample.steps]),
        Unit::Score(_) | Unit::Identity(_) | Unit::Fidelity(_) => 0,
        Unit::Times(Times { example }) => {
            let runs = timed_samples(study, *example);
            let once: usize = runs.iter().map(|run| run.steps).sum();
            // One run more of the first.
            let steps = once.saturating_mul(TIMED_RUNS).saturating_add(experiment.steps);
            product(&[doubled, steps])
        }
        Unit::Student(student) => {
            let steps = experiment.pruning.as_ref().map_or(0, |pruning| pruning.steps);
            let samples = product(&[doubled, steps, study.size.pruning_samples]);
            let training = match student {
                Student::Teacher => 0,
                Student::Pruned(_) => product(&[4, study.size.pruning_epochs]),
            };
            samples.saturating_mul(training.saturating_add(2))
        }
    }
}

/// A search on tables: teacher and derivatives; skip sets are few, and not known before.
fn fast(study: &Study, steps: usize) -> u64 {
    product(&[study.doubled(), steps, study.blocks() + 1])
}

/// Bytes a unit's results take, roughly: pictures are counted as 2 bytes a pixel.
pub(crate) fn bytes(study: &Study, unit: &Unit) -> u64 {
    let picture = product(&[2, study.picture_size, study.picture_size]);
    match unit {
        Unit::Probe(Probe { steps, .. }) => {
            product(&[10, *steps, study.blocks(), study.size.rounds]).saturating_add(1000)
        }
        Unit::Search(Search { steps, .. }) => {
            product(&[3, *steps, study.blocks(), study.size.converged_rounds]).saturating_add(1000)
        }
        Unit::Estimates(Measured { steps, estimator, .. }) => {
            product(&[20, *steps, estimator.predictions(study.blocks()).pow(2)])
        }
        Unit::Effects(Influence { steps, .. }) => product(&[80, *steps, study.blocks()]),
        Unit::Fit(Fit { steps }) => {
            let values = study.blocks() * (study.blocks() + 1);
            product(&[20, study.held_out.len(), *steps, values + 2])
        }
        Unit::Reuse(Reuse { steps, .. }) => product(&[20, *steps, MAX_AGE, study.blocks()]),
        Unit::Snr(sample) => product(&[20, sample.steps]),
        Unit::Picture(_) => picture.saturating_add(150),
        Unit::Score(_) => 16_000,
        Unit::Identity(_) | Unit::Fidelity(_) => 200,
        Unit::Times(_) => 2000,
        Unit::Student(_) => picture.saturating_mul(product(&[2, study.size.pruning_samples])),
    }
}

/// Files a unit's results are.
pub(crate) fn files(study: &Study, unit: &Unit) -> u64 {
    match unit {
        Unit::Picture(_) => 2,
        Unit::Student(_) => product(&[2, study.size.pruning_samples]).saturating_add(1),
        _ => 1,
    }
}

fn product(factors: &[usize]) -> u64 {
    factors.iter().fold(1, |product: u64, factor| product.saturating_mul(*factor as u64))
}
