use std::path::Path;

use anyhow::Context;
use probe::{
    AcceptedWeights, PerStep, RejectedWeights, UpdateStrategy, energy, fitness, perturb,
    skip_strategies, vote,
};
use reweight::{BlockWeights, WeightRange};
use serde_json::Value;

use crate::golden::json;
use crate::report::Report;

/// Arithmetic in f64.
const TOLERANCE: f64 = 1e-12;

pub(crate) fn vector(value: &Value) -> anyhow::Result<Vec<f64>> {
    serde_json::from_value(value.clone()).context("a list of numbers")
}

pub(crate) fn matrix(value: &Value) -> anyhow::Result<Vec<Vec<f64>>> {
    serde_json::from_value(value.clone()).context("a matrix of numbers")
}

pub(crate) fn number(value: &Value, key: &str) -> anyhow::Result<f64> {
    value[key].as_f64().with_context(|| format!("`{key}`"))
}

fn cases<'a>(facts: &'a Value, part: &str) -> anyhow::Result<&'a Vec<Value>> {
    let part = &facts[part];
    part.as_array().or_else(|| part["cases"].as_array()).context("a list of cases")
}

pub(crate) fn run(path: &Path, report: &mut Report<'_>) -> anyhow::Result<()> {
    let facts = json(path)?;
    update_rules(&facts, report)?;
    for (i, case) in cases(&facts, "fitness")?.iter().enumerate() {
        let (weights, best) = (vector(&case["weights"])?, vector(&case["scheduler_weights"])?);
        let thresholds = vector(&case["thresholds"])?;
        // The stored fitness counts the candidate's skips over the incumbent's energy.
        let own_skips = fitness(&best, &weights, &thresholds);
        let none = fitness(&best, &vec![1.0; best.len()], &thresholds);
        report.compare(
            &format!("probe/fitness[{i}]"),
            &[own_skips],
            &[number(case, "fitness")?],
            TOLERANCE,
        );
        let current = number(case, "fitness_of_current")?;
        report.compare(&format!("probe/fitness of current[{i}]"), &[none], &[current], TOLERANCE);
        let expected = number(case, "energy")?;
        report.compare(&format!("probe/energy[{i}]"), &[energy(&best)], &[expected], TOLERANCE);
    }
    for (i, case) in cases(&facts, "bias_step")?.iter().enumerate() {
        let (best, draws) = (vector(&case["weights"])?, vector(&case["u"])?);
        let found = perturb(&best, &draws, number(case, "max_bias")?, false);
        report.compare(
            &format!("probe/bias step[{i}]"),
            &found,
            &vector(&case["new_weights"])?,
            TOLERANCE,
        );
    }
    for (i, case) in cases(&facts, "linear_schedules")?.iter().enumerate() {
        let (start, end) = (number(case, "start")?, number(case, "end")?);
        let found = PerStep::Linear { start, end }.values(number(case, "n")? as usize)?;
        report.compare(&format!("probe/linear[{i}]"), &found, &vector(&case["out"])?, TOLERANCE);
    }
    for (i, case) in cases(&facts, "voting")?.iter().enumerate() {
        voting(case, &format!("probe/voting[{i}]"), report)?;
    }
    for key in facts.as_object().context("an object")?.keys() {
        let known = ["update_rules", "fitness", "bias_step", "linear_schedules", "voting"];
        if !known.contains(&key.as_str()) {
            report.missed(&format!("probe/{key}"), "no comparison of this kind is implemented");
        }
    }
    Ok(())
}

/// The "probability" strategy with the recorded settings.
pub(crate) fn probability(accepted: &Value, rejected: &Value) -> anyhow::Result<UpdateStrategy> {
    let pair = |from: &Value, key: &str| -> anyhow::Result<[f64; 2]> {
        Ok([number(from, &format!("{key}_st"))?, number(from, &format!("{key}_ed"))?])
    };
    Ok(UpdateStrategy::Probability {
        accepted: AcceptedWeights {
            high: number(accepted, "threshold_high")?,
            moderate: pair(accepted, "threshold_moderate")?,
            low: pair(accepted, "threshold_low")?,
        },
        rejected: RejectedWeights {
            high: pair(rejected, "threshold_high")?,
            moderate: pair(rejected, "threshold_moderate")?,
            low: number(rejected, "threshold_low")?,
        },
    })
}

fn update_rules(facts: &Value, report: &mut Report<'_>) -> anyhow::Result<()> {
    let rules = &facts["update_rules"];
    let (accepted, rejected) = (&rules["sample_accepted"], &rules["sample_rejected"]);
    let probability = probability(accepted, rejected)?;
    for (i, case) in cases(facts, "update_rules")?.iter().enumerate() {
        let strategy = match case["strategy"].as_str() {
            Some("hard") => UpdateStrategy::Hard,
            Some("soft") => UpdateStrategy::Soft,
            Some("probability") => probability,
            other => {
                report.missed(&format!("probe/update[{i}]"), &format!("strategy {other:?}"));
                continue;
            }
        };
        let s = (number(case, "epoch_idx")? + 1.0) / number(case, "num_epoch")?;
        let eps = number(case, "weight_eps")?;
        let flags: Vec<bool> = serde_json::from_value(case["accepted"].clone())?;
        let (before, proposals) = (matrix(&case["threshold_before"])?, matrix(&case["candidate"])?);
        let found: Vec<f64> = before
            .iter()
            .zip(&proposals)
            .zip(&flags)
            .flat_map(|((before, proposals), accepted)| {
                before
                    .iter()
                    .zip(proposals)
                    .map(|(q, p)| strategy.update(*q, *p, *accepted, s, eps))
            })
            .collect();
        let expected = matrix(&case["threshold_after"])?.concat();
        report.compare(&format!("probe/update[{i}]"), &found, &expected, TOLERANCE);
    }
    Ok(())
}

fn voting(case: &Value, label: &str, report: &mut Report<'_>) -> anyhow::Result<()> {
    let thresholds: Vec<Vec<Vec<f64>>> =
        serde_json::from_value(case["thresholds_last_epoch"].clone())?;
    let result = vote(&thresholds, 0);
    let expected: Vec<Vec<usize>> = serde_json::from_value(case["score"].clone())?;
    report.equal(&format!("{label}/score"), &result.scores, &expected);
    if !case["ranking"].is_null() {
        let expected: Vec<Vec<usize>> = serde_json::from_value(case["ranking"].clone())?;
        report.equal(&format!("{label}/ranking"), &result.ranking, &expected);
        for (skipped, key) in [(1, "skip_1"), (2, "skip_2")] {
            if case[key].is_null() {
                continue;
            }
            let expected: Vec<Vec<Vec<f64>>> =
                serde_json::from_value(case[key]["strategies"].clone())?;
            let duplicates: Vec<u8> = serde_json::from_value(case[key]["duplicate"].clone())?;
            let found = skip_strategies(&result.ranking, skipped)?;
            let strategies: Vec<_> = found.iter().map(|s| s.thresholds.clone()).collect();
            report.equal(&format!("{label}/{key}"), &strategies, &expected);
            let found: Vec<u8> = found.iter().map(|s| u8::from(s.duplicate)).collect();
            report.equal(&format!("{label}/{key} duplicates"), &found, &duplicates);
        }
    }
    let importance = result.importance()?;
    for (i, weights) in case["weights"].as_array().into_iter().flatten().enumerate() {
        let range = WeightRange::new(number(weights, "low")?, number(weights, "high")?)?;
        let found = match weights["reverse"].as_bool() {
            Some(true) => BlockWeights::inverted(&importance, range),
            _ => BlockWeights::importance(&importance, range),
        };
        let rows = found.weights().values();
        for (key, tolerance) in [("weights_f64", TOLERANCE), ("weights_f32", 2e-7)] {
            if !weights[key].is_null() {
                let expected = matrix(&weights[key])?.concat();
                report.compare(&format!("{label}/weights[{i}]/{key}"), rows, &expected, tolerance);
            }
        }
    }
    Ok(())
}
