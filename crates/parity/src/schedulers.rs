use std::path::Path;

use anyhow::Context;
use burn::tensor::{Device, Tensor};
use scheduler::{NoiseSchedule, SchedulerConfig, SchedulerKind};
use serde_json::Value;

use crate::golden::{Golden, json};
use crate::report::{Report, values};
use crate::trajectories::largest;

/// Relative tolerance of a scheduler step.
const RELATIVE: f64 = 1e-5;

pub(crate) fn run(folder: &Path, report: &mut Report<'_>) -> anyhow::Result<()> {
    let golden = Golden::open(&folder.join("golden.safetensors"))?;
    let facts = json(&folder.join("golden.json"))?;
    for case in facts["scheduler_cases"].as_array().context("`scheduler_cases`")? {
        let key = case["key"].as_str().context("`key`")?;
        one(&golden, &facts["configs"], case, key, report)
            .with_context(|| format!("scheduler case `{key}`"))?;
    }
    for unused in golden.unused() {
        report.missed(&unused, "no comparison asks for it");
    }
    Ok(())
}

fn one(
    golden: &Golden,
    configs: &Value,
    case: &Value,
    key: &str,
    report: &mut Report<'_>,
) -> anyhow::Result<()> {
    let base = case["base_config"].as_str().context("`base_config`")?;
    let mut config = configs[base].clone();
    for (name, value) in case["overrides"].as_object().context("`overrides`")? {
        config[name] = value.clone();
    }
    let config = SchedulerConfig::from_json(&config.to_string())?;
    let name = case["scheduler"].as_str().context("`scheduler`")?;
    let Some(kind) = kind(name) else {
        report.missed(key, &format!("the scheduler `{name}` is not implemented"));
        return Ok(());
    };
    let mut config = config;
    config.eta = case["eta"].as_f64().unwrap_or(0.0);
    let steps = case["steps"].as_u64().context("`steps`")? as usize;
    let mut scheduler = config.build(kind, steps)?;
    let expected = golden.values(&format!("{key}/timesteps"))?;
    report.compare(&format!("{key}/timesteps"), scheduler.timesteps(), expected, 1e-3);
    let sigma = case["init_noise_sigma"].as_f64().context("`init_noise_sigma`")?;
    let label = format!("{key}/init_noise_sigma");
    report.compare(&label, &[scheduler.init_noise_sigma()], &[sigma], RELATIVE * sigma);
    if golden.has(&format!("{key}/sigmas")) {
        let found = scheduler.sigmas().unwrap_or_default();
        let found: Vec<f64> = found.iter().map(|sigma| f64::from(*sigma)).collect();
        let expected = golden.values(&format!("{key}/sigmas"))?;
        report.compare(&format!("{key}/sigmas"), &found, expected, RELATIVE * largest(expected));
    }
    let table = format!("{}/alphas_cumprod", key.rsplit_once("_n").map_or(key, |(base, _)| base));
    if golden.has(&table) {
        let found: Vec<f64> =
            NoiseSchedule::new(&config).alphas_cumprod().iter().map(|a| f64::from(*a)).collect();
        report.compare(&format!("{key}/alphas_cumprod"), &found, golden.values(&table)?, 1e-6);
    }
    if !golden.has(&format!("{key}/x0")) {
        return Ok(());
    }
    let device = Device::flex();
    let mut sample: Tensor<4> = golden.tensor(&format!("{key}/x0"), &device)?;
    let outputs: Tensor<5> = golden.tensor(&format!("{key}/model_outputs"), &device)?;
    let fresh: Option<Tensor<5>> = ["noise", "noises", "variance_noise"]
        .iter()
        .map(|name| format!("{key}/{name}"))
        .find(|name| golden.has(name))
        .map(|name| golden.tensor(&name, &device))
        .transpose()?;
    let shape = sample.dims();
    let mut noise = |step: usize| match &fresh {
        Some(all) => all.clone().narrow(0, step, 1).squeeze_dim::<4>(0),
        None => Tensor::zeros(shape, &device),
    };
    let (mut found, mut inputs) = (Vec::new(), Vec::new());
    for step in 0..outputs.dims()[0] {
        inputs.extend(values(scheduler.scale_model_input(sample.clone(), step)));
        let output = outputs.clone().narrow(0, step, 1).squeeze_dim::<4>(0);
        sample = scheduler.step(output, step, sample, &mut noise);
        found.extend(values(sample.clone()));
    }
    let expected = golden.values(&format!("{key}/outs"))?;
    report.compare(&format!("{key}/outs"), &found, expected, RELATIVE * largest(expected));
    if golden.has(&format!("{key}/scaled_inputs")) {
        let expected = golden.values(&format!("{key}/scaled_inputs"))?;
        let label = format!("{key}/scaled_inputs");
        report.compare(&label, &inputs, expected, RELATIVE * largest(expected));
    }
    Ok(())
}

/// The class a reference means by `name`: our short name, diffusers' class name, or a common
/// abbreviation.
pub(crate) fn kind(name: &str) -> Option<SchedulerKind> {
    match name {
        "euler_ancestral" | "euler_a" => Some(SchedulerKind::EulerAncestral),
        "plms" => Some(SchedulerKind::Pndm),
        "dpm" | "dpmpp" | "dpmpp_2m" | "dpmsolver++" | "dpm_multistep" | "dpmsolver" => {
            Some(SchedulerKind::DpmSolverMultistep)
        }
        other => other.parse().ok(),
    }
}
