use anyhow::Context;
use burn::tensor::Tensor;
use pipeline::{
    Control, Guidance, NoiseKind, NoiseSource, Pipeline, SampleRequest, SizeConditioning,
    pictures_from_tensor,
};
use reweight::{BlockWeights, FreeU, Policy, StepMatrix};
use scheduler::{SchedulerConfig, SchedulerKind};
use serde_json::Value;

use crate::pipelines::Case;
use crate::report::{Report, values};

/// Tolerance of a trajectory, relative to the largest value of the tensor.
const RELATIVE: f64 = 2e-3;

pub(crate) fn run(case: &Case<'_>, report: &mut Report<'_>) -> anyhow::Result<()> {
    let runs = case.facts["trajectories"].as_object().context("`trajectories` in golden.json")?;
    for (name, facts) in runs {
        one(case, name, facts, report).with_context(|| format!("trajectory `{name}`"))?;
    }
    final_image(case, runs.keys(), report)
}

/// The picture decoded from one trajectory's end. The file does not say from which, so it is
/// looked for among all.
fn final_image<'n>(
    case: &Case<'_>,
    names: impl Iterator<Item = &'n String>,
    report: &mut Report<'_>,
) -> anyhow::Result<()> {
    let (bytes, means) = ("traj/final_image/uint8_hwc", "traj/final_image/float_mean_per_channel");
    if !case.golden.has(bytes) {
        return Ok(());
    }
    let (expected, expected_means) = (case.golden.values(bytes)?, case.golden.values(means)?);
    let mut best: Option<(f64, &str, Vec<f64>, Vec<f64>)> = None;
    for name in names {
        let latents: Tensor<5> =
            case.golden.tensor(&format!("traj/{name}/latents"), &case.device)?;
        let steps = latents.dims()[0];
        let last = latents.narrow(0, steps - 1, 1).squeeze_dim::<4>(0);
        let decoded = case.pipeline.decode(last)?;
        let [_, channels, height, width] = decoded.dims();
        let mean = decoded.clone().reshape([channels as i32, -1]);
        let found: Vec<f64> = pictures_from_tensor(decoded)
            .into_iter()
            .flat_map(|picture| picture.rgb.into_iter().map(f64::from))
            .collect();
        if found.len() != expected.len() || mean.dims()[1] != height * width {
            continue;
        }
        let error = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        if best.as_ref().is_none_or(|(least, ..)| error < *least) {
            best = Some((error, name, found, values(mean.mean_dim(1))));
        }
    }
    let Some((_, name, found, mean)) = best else {
        report.missed(&format!("{}/{bytes}", case.name), "no trajectory has its size");
        return Ok(());
    };
    report.compare(&format!("{}/{bytes} (of {name})", case.name), &found, expected, 1.0);
    report.compare(&format!("{}/{means}", case.name), &mean, expected_means, 1e-3);
    Ok(())
}

/// The scheduler `x`, or `kind<-x`: the configuration of `x` read as `kind`.
pub(crate) fn scheduler(
    case: &Case<'_>,
    text: &str,
) -> anyhow::Result<(SchedulerConfig, SchedulerKind)> {
    let (kind, file) = match text.split_once("<-") {
        Some((kind, file)) => (Some(kind), file),
        None => (None, text),
    };
    let path = case.folder.join("scheduler_variants").join(format!("{file}.json"));
    let config = SchedulerConfig::from_file(path)?;
    let kind = match kind {
        None => config.kind()?,
        Some(name) => crate::schedulers::kind(name)
            .with_context(|| format!("the scheduler `{name}` is not implemented"))?,
    };
    Ok((config, kind))
}

fn strings(value: &Value) -> Option<Vec<String>> {
    serde_json::from_value(value.clone()).ok()
}

/// What is done to the U-Net in the run `name`.
fn policy(case: &Case<'_>, name: &str) -> anyhow::Result<Policy> {
    let key = |part: &str| format!("traj/{name}/{part}");
    let mut policy = Policy::default();
    if case.golden.has(&key("weights")) {
        let matrix = |part: &str| -> anyhow::Result<StepMatrix> {
            Ok(StepMatrix::from_rows(case.golden.rows(&key(part))?)?)
        };
        let weights = BlockWeights::new(matrix("weights")?)?;
        policy.blocks = Some(weights.with_thresholds(matrix("thresholds")?)?);
    }
    if name.starts_with("freeu/") {
        let facts = &case.facts["freeu"]["sd21"];
        let factor = |key: &str| facts[key].as_f64().context("FreeU factors in golden.json");
        policy.freeu =
            Some(FreeU::constant(factor("b1")?, factor("b2")?, factor("s1")?, factor("s2")?));
    }
    Ok(policy)
}

fn one(case: &Case<'_>, name: &str, facts: &Value, report: &mut Report<'_>) -> anyhow::Result<()> {
    let key = |part: &str| format!("traj/{name}/{part}");
    let text = facts["scheduler"].as_str().context("`scheduler`")?;
    let (config, kind) = scheduler(case, text)?;
    let steps = facts["steps"].as_u64().context("`steps`")? as usize;
    let scale = facts["guidance"].as_f64().context("`guidance`")?;
    let pipeline: &Pipeline = &case.pipeline;
    let prompts = pipeline.encode_prompts(&strings(&facts["prompts"]).context("`prompts`")?)?;
    let negative = facts["negative_prompt"][0].as_str();
    let negative = pipeline.encode_negative(negative, &prompts)?;
    let noise = format!("traj/{}", facts["noise"].as_str().context("`noise`")?);
    let built = config.build(kind, steps)?;
    let request = SampleRequest {
        prompts,
        guidance: Some(Guidance { scale, negative }),
        noise: case.golden.tensor(&noise, &case.device)?,
        fresh_noise: fresh_noise(facts),
        scheduler: kind,
        scheduler_config: config,
        // PNDM runs the U-Net once more than it has steps.
        steps: built.timesteps().len(),
        sizes: sizes(facts),
    };
    let timesteps = case.golden.values(&key("timesteps"))?;
    report.compare(
        &format!("{}/{}", case.name, key("timesteps")),
        built.timesteps(),
        timesteps,
        1e-4,
    );
    if case.golden.has(&key("sigmas")) {
        let found: Vec<f64> =
            built.sigmas().unwrap_or_default().iter().map(|sigma| f64::from(*sigma)).collect();
        let expected = case.golden.values(&key("sigmas"))?;
        let label = format!("{}/{}", case.name, key("sigmas"));
        report.compare(&label, &found, expected, 1e-5 * largest(expected));
    }
    let policy = policy(case, name)?;
    let mut latents: Vec<f64> = Vec::new();
    pipeline.sample(&request, &policy.into(), &mut |step| {
        latents.extend(values(step.latents.clone()));
        Control::Continue
    })?;
    let expected = case.golden.values(&key("latents"))?;
    let label = format!("{}/{}", case.name, key("latents"));
    report.compare(&label, &latents, expected, RELATIVE * largest(expected));
    Ok(())
}

pub(crate) fn largest(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |largest, value| largest.max(value.abs()))
}

fn sizes(facts: &Value) -> Option<SizeConditioning> {
    let pair =
        |key: &str| -> Option<[usize; 2]> { serde_json::from_value(facts[key].clone()).ok() };
    Some(SizeConditioning {
        original_size: pair("original_size")?,
        crops_coords_top_left: pair("crops_coords_top_left")?,
        target_size: pair("target_size")?,
    })
}

/// Seeds of a CPU generator, where the reference drew fresh noise from one.
fn fresh_noise(facts: &Value) -> Option<NoiseSource> {
    let seeds: Vec<u64> = serde_json::from_value(facts["noise_seeds"].clone()).ok()?;
    Some(NoiseSource { kind: NoiseKind::TorchCpu, ..NoiseSource::new(&seeds) })
}
