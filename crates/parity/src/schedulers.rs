//! Schedulers alone, driven by stored predictions.

use std::path::Path;

use anyhow::Context;
use burn::tensor::{Device, Tensor};
use scheduler::{NoiseSchedule, SchedulerConfig, SchedulerKind};

use crate::facts::Facts;
use crate::golden::Golden;
use crate::report::{Report, magnitude, values};

/// Tolerance of samples and σ relative to the largest: up to ten steps in f32, whose roundings
/// of 6e-8 a step can enlarge tenfold.
const RELATIVE: f64 = 1e-5;
/// Timesteps below 1000 that follow from interpolated σ, which f32 holds to 1e-4 of a step.
const TIMESTEP_TOLERANCE: f64 = 1e-3;
/// ᾱ is a product of up to a thousand factors in f32, each rounded by at most 6e-8; the roundings
/// mostly cancel.
const ALPHA_TOLERANCE: f64 = 1e-6;
/// What a case may say. `only` stands where no predictions are stored, as the tensors show too.
const KNOWN: [&str; 7] =
    ["key", "scheduler", "base_config", "overrides", "steps", "init_noise_sigma", "only"];

pub(crate) fn run(folder: &Path, device: &Device, report: &mut Report<'_>) -> anyhow::Result<()> {
    let golden = Golden::open(&folder.join("golden.safetensors"))?;
    let facts = Facts::open(&folder.join("golden.json"))?;
    for case in facts.get("scheduler_cases")?.items()? {
        let key: String = case.read("key")?;
        for unknown in case.unknown(&KNOWN)? {
            report.missed(&key, &format!("`{unknown}` is not implemented"));
        }
        one((&golden, device), &facts.get("configs")?, &case, &key, report)
            .with_context(|| format!("scheduler case `{key}`"))?;
    }
    for unused in golden.unused() {
        report.missed(&unused, "no comparison asks for it");
    }
    Ok(())
}

fn config(configs: &Facts, case: &Facts) -> anyhow::Result<SchedulerConfig> {
    let mut config: serde_json::Map<_, _> = configs.read(&case.read::<String>("base_config")?)?;
    for (name, value) in case.get("overrides")?.fields()? {
        config.insert(name, value.json().clone());
    }
    let text = serde_json::Value::from(config).to_string();
    Ok(SchedulerConfig::from_json(&text, "golden.json: configs")?)
}

fn one(
    (golden, device): (&Golden, &Device),
    configs: &Facts,
    case: &Facts,
    key: &str,
    report: &mut Report<'_>,
) -> anyhow::Result<()> {
    let config = config(configs, case)?;
    let kind: SchedulerKind = case.read::<String>("scheduler")?.parse()?;
    let mut scheduler = config.build(kind, case.read("steps")?)?;
    let name = |part: &str| format!("{key}/{part}");
    let expected = golden.values(&name("timesteps"))?;
    report.compare(&name("timesteps"), scheduler.timesteps(), expected, TIMESTEP_TOLERANCE);
    let sigma: f64 = case.read("init_noise_sigma")?;
    let label = name("init_noise_sigma");
    report.compare(&label, &[scheduler.init_noise_sigma()], &[sigma], RELATIVE * sigma);
    if golden.has(&name("sigmas")) {
        let sigmas = scheduler.sigmas().unwrap_or_default();
        let sigmas: Vec<f64> = sigmas.iter().map(|sigma| f64::from(*sigma)).collect();
        let expected = golden.values(&name("sigmas"))?;
        report.compare(&name("sigmas"), &sigmas, expected, RELATIVE * magnitude(expected));
    }
    // One table for the cases that differ in their number of steps alone.
    let table = format!("{}/alphas_cumprod", key.rsplit_once("_n").map_or(key, |(base, _)| base));
    if golden.has(&table) {
        let schedule = NoiseSchedule::new(&config);
        let alphas: Vec<f64> = schedule.alphas_cumprod().iter().map(|a| f64::from(*a)).collect();
        report.compare(&name("alphas_cumprod"), &alphas, golden.values(&table)?, ALPHA_TOLERANCE);
    }
    if !golden.has(&name("x0")) {
        return Ok(());
    }
    let mut sample: Tensor<4> = golden.tensor(&name("x0"), [None; 4], device)?;
    let [batch, channels, height, width] = sample.dims().map(Some);
    let steps = scheduler.timesteps().len();
    let shape = [Some(steps), batch, channels, height, width];
    let outputs: Tensor<5> = golden.tensor(&name("model_outputs"), shape, device)?;
    let shape = sample.dims();
    let mut no_noise = |_| Tensor::zeros(shape, device);
    let (mut samples, mut inputs) = (Vec::new(), Vec::new());
    for step in 0..steps {
        inputs.extend(values(scheduler.scale_model_input(sample.clone(), step)));
        let output = outputs.clone().narrow(0, step, 1).squeeze_dim::<4>(0);
        sample = scheduler.step(output, step, sample, &mut no_noise);
        samples.extend(values(sample.clone()));
    }
    for (part, compared) in [("outs", samples), ("scaled_inputs", inputs)] {
        // Inputs are on record where the scheduler scales them.
        if part == "outs" || golden.has(&name(part)) {
            let expected = golden.values(&name(part))?;
            report.computed(&name(part), &compared, expected, RELATIVE * magnitude(expected));
        }
    }
    Ok(())
}
