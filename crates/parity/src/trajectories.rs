//! Whole denoising runs, latents after every step.

use anyhow::{Context, bail};
use burn::tensor::Tensor;
use pipeline::{Control, SampleRequest, SizeConditioning};
use reweight::{BatchPolicy, BlockWeights, Policy, StepMatrix};
use scheduler::Scheduler;

use crate::case::Case;
use crate::facts::Facts;
use crate::report::{Report, magnitude, values};
use crate::sampler::Run;
use crate::{unet, vae};

/// Tolerance of latents, relative to the largest of their run: five times the reference's noise of
/// 4e-4, which ten steps of guided velocity prediction have.
const RELATIVE: f64 = 2e-3;
/// Timesteps are whole, or fractions that f32 holds to 6e-5 below 1000.
const TIMESTEP_TOLERANCE: f64 = 1e-4;
/// Relative tolerance of σ, which the reference computes in f32: a hundred roundings.
const SIGMA_RELATIVE: f64 = 1e-5;
/// The run whose end `traj/final_image` was decoded from: the folder's own DDIM scheduler, five
/// steps with guidance. The reference file does not say so; of all runs' ends, only this one's
/// decodes to that picture.
const DECODED: [&str; 2] = ["ddim_sd21/n5_g7.5", "ddim_from_euler_sdxl_base/n5_g7.5"];
/// The FreeU factors of the run `freeu/…`, in the SDXL-shaped folder too.
const FREEU: &str = "sd21";
/// What a run's facts may say; anything else would change the run.
const KNOWN: [&str; 10] = [
    "scheduler",
    "steps",
    "guidance",
    "noise",
    "prompts",
    "negative_prompt",
    "init_noise_sigma",
    "original_size",
    "crops_coords_top_left",
    "target_size",
];

pub(crate) fn run(case: &Case<'_>, report: &mut Report<'_>) -> anyhow::Result<()> {
    for (name, facts) in case.facts.get("trajectories")?.fields()? {
        for unknown in facts.unknown(&KNOWN)? {
            let label = case.label(&format!("traj/{name}"));
            report.missed(&label, &format!("`{unknown}` is not implemented"));
        }
        one(case, &name, &facts, report).with_context(|| format!("trajectory `{name}`"))?;
    }
    final_image(case, report)
}

fn one(case: &Case<'_>, name: &str, facts: &Facts, report: &mut Report<'_>) -> anyhow::Result<()> {
    let key = |part: &str| format!("traj/{name}/{part}");
    let (request, scheduler) = request(case, facts)?;
    let expected = case.golden.values(&key("timesteps"))?;
    let label = case.label(&key("timesteps"));
    report.compare(&label, scheduler.timesteps(), expected, TIMESTEP_TOLERANCE);
    if case.golden.has(&key("sigmas")) {
        let sigmas = scheduler.sigmas().unwrap_or_default().iter();
        let sigmas: Vec<f64> = sigmas.map(|sigma| f64::from(*sigma)).collect();
        let expected = case.golden.values(&key("sigmas"))?;
        let tolerance = SIGMA_RELATIVE * magnitude(expected);
        report.compare(&case.label(&key("sigmas")), &sigmas, expected, tolerance);
    }
    let mut latents: Vec<f64> = Vec::new();
    case.pipeline.sample(&request, &BatchPolicy::from(policy(case, name)?), &mut |step| {
        latents.extend(values(step.latents.clone()));
        Control::Continue
    })?;
    let expected = case.golden.values(&key("latents"))?;
    let tolerance = RELATIVE * magnitude(expected);
    report.computed(&case.label(&key("latents")), &latents, expected, tolerance);
    Ok(())
}

fn request(case: &Case<'_>, facts: &Facts) -> anyhow::Result<(SampleRequest, Box<dyn Scheduler>)> {
    let prompts: Vec<String> = facts.read("prompts")?;
    let negative: Option<Vec<String>> =
        facts.find("negative_prompt").map(|negative| negative.parse()).transpose()?;
    let negative = match negative.as_deref() {
        None => None,
        Some([first, rest @ ..]) if rest.iter().all(|prompt| prompt == first) => Some(first),
        Some(_) => bail!("expected one negative prompt for every sample"),
    };
    let noise = format!("traj/{}", facts.read::<String>("noise")?);
    let shape = [Some(prompts.len()), Some(case.pipeline.unet().config().in_channels), None, None];
    let sizes = facts.find("original_size").map(|_| -> anyhow::Result<_> {
        Ok(SizeConditioning {
            original_size: facts.read("original_size")?,
            crops_coords_top_left: facts.read("crops_coords_top_left")?,
            target_size: facts.read("target_size")?,
        })
    });
    Run {
        scheduler: &facts.read::<String>("scheduler")?,
        steps: facts.read("steps")?,
        guidance: facts.read("guidance")?,
        prompts: &prompts,
        negative_prompt: negative.map(String::as_str),
        noise: case.golden.tensor(&noise, shape, &case.device)?,
        sizes: sizes.transpose()?,
    }
    .request(case)
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
        policy.freeu = Some(unet::freeu_factors(case, FREEU)?);
    }
    Ok(policy)
}

/// The picture decoded from one run's end.
fn final_image(case: &Case<'_>, report: &mut Report<'_>) -> anyhow::Result<()> {
    let (bytes, means) = ("traj/final_image/uint8_hwc", "traj/final_image/float_mean_per_channel");
    if !case.golden.has(bytes) {
        return Ok(());
    }
    let key = |run: &str| format!("traj/{run}/latents");
    let Some(run) = DECODED.into_iter().find(|run| case.golden.has(&key(run))) else {
        report.missed(&case.label(bytes), "the run that it was decoded from is not here");
        return Ok(());
    };
    let shape = [None, Some(1), Some(case.pipeline.vae().config().latent_channels), None, None];
    let latents: Tensor<5> = case.golden.tensor(&key(run), shape, &case.device)?;
    let steps = latents.dims()[0];
    let last = latents.narrow(0, steps - 1, 1).squeeze_dim::<4>(0);
    let decoded = case.pipeline.decode(last)?;
    let channels = decoded.dims()[1] as i32;
    let mean = values(decoded.clone().reshape([channels, -1]).mean_dim(1));
    let label = format!("{} (of {run})", case.label(bytes));
    let expected = case.golden.values(bytes)?;
    report.computed(&label, &vae::bytes(decoded), expected, vae::BYTE_TOLERANCE);
    report.computed(&case.label(means), &mean, case.golden.values(means)?, vae::TOLERANCE);
    Ok(())
}
