//! Schedules and results that are read again.

use std::path::Path;

use metrics::FeatureStatistics;
use probe::{ProbeReport, ReadScores};
use pruning::SkipSets;
use reweight::{NoiseLevel, Resampling, Schedule};

use super::{accepted, alone, files};
use crate::target::{Form, Target, Verdict};

/// Readers of schedules and results.
pub fn targets() -> Vec<Target> {
    vec![
        alone("schedule-toml", "s.toml", Form::Toml, schedules, schedule),
        alone("schedule-json", "s.json", Form::Json, json_schedules, schedule),
        alone("schedule-yaml", "s.yaml", Form::Text, yaml_schedules, schedule),
        alone("importance", "importance.json", Form::Json, scores, |path| {
            accepted(ReadScores::read(path))
        }),
        alone("probe-report", "probe.json", Form::Json, reports, report),
        alone("skip-sets", "sets.json", Form::Json, sets, |path| {
            let text = std::fs::read_to_string(path).unwrap_or_default();
            accepted(serde_json::from_str::<SkipSets>(&text))
        }),
        alone("statistics", "a.npz", Form::Zip, archives, statistics),
    ]
}

fn schedules() -> anyhow::Result<Vec<Vec<u8>>> {
    let mut seeds = files(&["crates/fuzz/corpus/schedule.toml"])?;
    let freeu = "[freeu]\nb1 = 1.1\nb2 = 1.2\ns1 = 0.9\ns2 = 0.2\n";
    seeds.push(freeu.into());
    Ok(seeds)
}

fn json_schedules() -> anyhow::Result<Vec<Vec<u8>>> {
    files(&["crates/fuzz/corpus/schedule.json"])
}

fn yaml_schedules() -> anyhow::Result<Vec<Vec<u8>>> {
    files(&["crates/fuzz/corpus/weights.yaml", "crates/fuzz/corpus/history.yaml"])
}

fn scores() -> anyhow::Result<Vec<Vec<u8>>> {
    files(&["crates/fuzz/corpus/importance.json", "crates/fuzz/corpus/probe.json"])
}

fn reports() -> anyhow::Result<Vec<Vec<u8>>> {
    files(&["crates/fuzz/corpus/probe.json"])
}

fn sets() -> anyhow::Result<Vec<Vec<u8>>> {
    Ok(vec![br#"{"blocks": 7, "steps": [[0, 1], [6, 2]]}"#.to_vec()])
}

fn archives() -> anyhow::Result<Vec<Vec<u8>>> {
    files(
        &["pytorch_fid", "f4_fortran", "version_2_and_3", "counted"]
            .map(|name| format!("crates/metrics/tests/data/{name}.npz"))
            .each_ref()
            .map(String::as_str),
    )
}

/// What is accepted is the same when written and read again, and can be resampled.
fn schedule(path: &Path) -> Verdict {
    let Ok(schedule) = Schedule::from_file(path) else { return Verdict::Refused };
    let levels = [9.0, 1.0, 0.0].map(|sigma| NoiseLevel { timestep: 10.0 * sigma, sigma });
    for how in [Resampling::Nearest, Resampling::Interpolate] {
        if let Ok(Err(error)) = schedule.resampled(&levels, how).map(|resampled| resampled.check())
        {
            return Verdict::Broken(format!("resampled: {error}"));
        }
    }
    // Numbers above 2⁶³ − 1 have no form in TOML.
    let Ok(text) = schedule.to_toml() else { return Verdict::Accepted };
    let again = path.with_file_name("again.toml");
    if let Err(error) = std::fs::write(&again, text) {
        return Verdict::Broken(error.to_string());
    }
    match Schedule::from_file(&again) {
        Ok(read) => Verdict::holds(read == schedule, || format!("{read:?} for {schedule:?}")),
        Err(error) => Verdict::Broken(format!("written and read again: {error}")),
    }
}

/// What is accepted is the same when written and read again.
fn report(path: &Path) -> Verdict {
    let Ok(report) = ProbeReport::read(path) else { return Verdict::Refused };
    let again = path.with_file_name("again.json");
    let written = report.to_json().map(|text| std::fs::write(&again, text));
    let read = ProbeReport::read(&again).map(|read| read.to_json().ok());
    let same = read.as_ref().is_ok_and(|read| *read == report.to_json().ok());
    Verdict::holds(matches!(written, Ok(Ok(()))) && same, || {
        format!("written and read again: {read:?}")
    })
}

/// What is accepted has a covariance of its mean's size, and is the same when written and read.
fn statistics(path: &Path) -> Verdict {
    let Ok(read) = FeatureStatistics::load(path) else { return Verdict::Refused };
    let dims = read.dims();
    if read.covariance.len() != dims * dims {
        return Verdict::Broken(format!("{dims} dimensions, {} values", read.covariance.len()));
    }
    let again = path.with_file_name("again.npz");
    if let Err(error) = read.save(&again) {
        return Verdict::Broken(error.to_string());
    }
    let bits = |statistics: &FeatureStatistics| -> Vec<u64> {
        let values = statistics.mean.iter().chain(&statistics.covariance);
        values.map(|value| value.to_bits()).collect()
    };
    match FeatureStatistics::load(&again) {
        Ok(twice) => {
            Verdict::holds(bits(&twice) == bits(&read) && twice.count == read.count, || {
                format!("written and read again: {twice:?} for {read:?}")
            })
        }
        Err(error) => Verdict::Broken(error.to_string()),
    }
}
