//! The probe's arithmetic: update rules, fitness, perturbation, voting, strategies, weights.

use std::path::Path;

use probe::{PerStep, energy, fitness, perturb, vote};
use pruning::skip_strategies;
use reweight::{BlockWeights, StepMatrix, WeightRange};

use crate::facts::Facts;
use crate::report::Report;
use crate::update_rules::update_strategy;

/// A few operations in f64 on numbers near 1, whose roundings are 1.1e-16 each.
const TOLERANCE: f64 = 1e-12;
/// Weights that the reference rounded to f32: up to 1, they are off by 6e-8 at most; with the
/// rounding of the range's ends, three times that.
const F32_TOLERANCE: f64 = 2e-7;

/// Compares every part of `probe_core.json`.
pub(crate) fn run(path: &Path, report: &mut Report<'_>) -> anyhow::Result<()> {
    let facts = Facts::open(path)?;
    update_rules(&facts.get("update_rules")?, report)?;
    for (i, case) in facts.get("fitness")?.items()?.iter().enumerate() {
        fitnesses(case, i, report)?;
    }
    for (i, case) in facts.get("bias_step")?.get("cases")?.items()?.iter().enumerate() {
        let best: Vec<f64> = case.read("weights")?;
        let draws = case.get("u")?.vector(best.len())?;
        let weights = perturb(&best, &draws, case.read("max_bias")?, false);
        let expected: Vec<f64> = case.read("new_weights")?;
        report.compare(&format!("probe/bias step[{i}]"), &weights, &expected, TOLERANCE);
    }
    for (i, case) in facts.get("linear_schedules")?.items()?.iter().enumerate() {
        let expected: Vec<f64> = case.read("out")?;
        let (start, end) = (case.read("start")?, case.read("end")?);
        let values = PerStep::Linear { start, end }.values(case.read("n")?)?;
        report.compare(&format!("probe/linear[{i}]"), &values, &expected, TOLERANCE);
    }
    for (i, case) in facts.get("voting")?.get("cases")?.items()?.iter().enumerate() {
        voting(case, &format!("probe/voting[{i}]"), report)?;
    }
    let known = ["update_rules", "fitness", "bias_step", "linear_schedules", "voting"];
    for unknown in facts.unknown(&known)? {
        report.missed(&format!("probe/{unknown}"), "no comparison of this kind is implemented");
    }
    Ok(())
}

fn update_rules(facts: &Facts, report: &mut Report<'_>) -> anyhow::Result<()> {
    for (i, case) in facts.get("cases")?.items()?.iter().enumerate() {
        let settings = || Ok([facts.get("sample_accepted")?, facts.get("sample_rejected")?]);
        let strategy = update_strategy(&case.read::<String>("strategy")?, settings)?;
        let s = (case.read::<f64>("epoch_idx")? + 1.0) / case.read::<f64>("num_epoch")?;
        let eps: f64 = case.read("weight_eps")?;
        let accepted: Vec<bool> = case.read("accepted")?;
        let before: Vec<Vec<f64>> = case.read("threshold_before")?;
        let proposals: Vec<Vec<f64>> = case.read("candidate")?;
        let steps = before.iter().zip(&proposals).zip(&accepted);
        let after: Vec<f64> = steps
            .flat_map(|((before, proposals), accepted)| {
                let blocks = before.iter().zip(proposals);
                blocks.map(|(q, p)| strategy.update(*q, *p, *accepted, s, eps))
            })
            .collect();
        let expected = case.read::<Vec<Vec<f64>>>("threshold_after")?.concat();
        report.compare(&format!("probe/update[{i}]"), &after, &expected, TOLERANCE);
    }
    Ok(())
}

fn fitnesses(case: &Facts, i: usize, report: &mut Report<'_>) -> anyhow::Result<()> {
    let best: Vec<f64> = case.read("scheduler_weights")?;
    let weights = case.get("weights")?.vector(best.len())?;
    let thresholds = case.get("thresholds")?.vector(best.len())?;
    // The stored fitness counts the candidate's skips over the incumbent's energy.
    let candidate = fitness(&best, &weights, &thresholds);
    let incumbent = fitness(&best, &vec![1.0; best.len()], &thresholds);
    for (what, value, key) in [
        ("fitness", candidate, "fitness"),
        ("fitness of current", incumbent, "fitness_of_current"),
        ("energy", energy(&best), "energy"),
    ] {
        report.compare(&format!("probe/{what}[{i}]"), &[value], &[case.read(key)?], TOLERANCE);
    }
    Ok(())
}

fn voting(case: &Facts, label: &str, report: &mut Report<'_>) -> anyhow::Result<()> {
    let scores: StepMatrix<usize> = case.read("score")?;
    let rounds: Vec<StepMatrix> = case.read("thresholds_last_epoch")?;
    let result = vote(&rounds, 0)?;
    report.equal(&format!("{label}/score"), &result.scores, &scores);
    if let Some(ranking) = case.find("ranking") {
        report.equal(&format!("{label}/ranking"), &result.ranking, &ranking.parse()?);
        for (skipped, key) in [(1, "skip_1"), (2, "skip_2")] {
            let Some(expected) = case.find(key) else { continue };
            let strategies = skip_strategies(&result.ranking, skipped)?;
            let thresholds: Vec<_> = strategies.iter().map(|s| s.skips.thresholds()).collect();
            report.equal(&format!("{label}/{key}"), &thresholds, &expected.read("strategies")?);
            let duplicates: Vec<u8> = strategies.iter().map(|s| u8::from(s.duplicate)).collect();
            let label = format!("{label}/{key} duplicates");
            report.equal(&label, &duplicates, &expected.read("duplicate")?);
        }
    }
    let Some(weights) = case.find("weights") else { return Ok(()) };
    let importance = result.importance()?;
    for (i, facts) in weights.items()?.iter().enumerate() {
        let range = WeightRange::new(facts.read("low")?, facts.read("high")?)?;
        let weights = match facts.read("reverse")? {
            true => BlockWeights::inverted(&importance, range),
            false => BlockWeights::importance(&importance, range),
        };
        let rows = weights.weights().values();
        for (key, tolerance) in [("weights_f64", TOLERANCE), ("weights_f32", F32_TOLERANCE)] {
            if let Some(expected) = facts.find(key) {
                let expected = expected.parse::<Vec<Vec<f64>>>()?.concat();
                report.compare(&format!("{label}/weights[{i}]/{key}"), rows, &expected, tolerance);
            }
        }
    }
    Ok(())
}
