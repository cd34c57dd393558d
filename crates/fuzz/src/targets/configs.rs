//! Configurations in JSON and TOML.

use std::path::Path;

use autoencoder::AutoencoderKLConfig;
use clip::{CLIPTextConfig, OpenClipConfig};
use metrics::ClipPreprocess;
use pipeline::PipelineConfigs;
use reproduce::Experiment;
use scheduler::{SchedulerConfig, SchedulerKind};
use trainer::{Recipe, ScorerRecipe};
use unet_core::UNet2DConditionConfig;

use super::{accepted, alone, files, path};
use crate::target::{Form, Target, Verdict};

/// Readers of configurations.
pub fn targets() -> Vec<Target> {
    vec![
        alone("unet-config", "config.json", Form::Json, unets, |path| {
            accepted(UNet2DConditionConfig::from_file(path))
        }),
        alone("vae-config", "config.json", Form::Json, autoencoders, autoencoder),
        alone("scheduler-config", "scheduler_config.json", Form::Json, schedulers, scheduler),
        alone("text-config", "config.json", Form::Json, texts, |path| {
            accepted(CLIPTextConfig::from_file(path))
        }),
        alone("open-clip-config", "open_clip_config.json", Form::Json, open_clips, |path| {
            match (OpenClipConfig::from_file(path), ClipPreprocess::from_file(path)) {
                (Err(_), Err(_)) => Verdict::Refused,
                _ => Verdict::Accepted,
            }
        }),
        Target {
            beside: pipeline,
            ..alone("model-index", "model_index.json", Form::Json, indices, |path| {
                accepted(PipelineConfigs::from_folder(path.parent().unwrap_or(path)))
            })
        },
        alone("recipe", "recipe.toml", Form::Toml, recipes, |path| {
            match (Recipe::from_file(path), ScorerRecipe::from_file(path)) {
                (Err(_), Err(_)) => Verdict::Refused,
                _ => Verdict::Accepted,
            }
        }),
        alone("experiment", "experiment.toml", Form::Toml, experiments, |path| {
            accepted(Experiment::from_file(path))
        }),
        alone("manifest", "manifest.toml", Form::Toml, manifests, |path| {
            let text = std::fs::read_to_string(path).unwrap_or_default();
            accepted(toml::from_str::<hub::Manifest>(&text))
        }),
    ]
}

fn unets() -> anyhow::Result<Vec<Vec<u8>>> {
    files(&[
        "models/emoji-sd/unet/config.json",
        "crates/unet-core/tests/fixtures/tiny-sd/unet/config.json",
        "crates/unet-core/tests/fixtures/tiny-sdxl/unet/config.json",
    ])
}

fn autoencoders() -> anyhow::Result<Vec<Vec<u8>>> {
    files(&["models/emoji-sd/vae/config.json", "crates/autoencoder/tests/fixtures/vae/config.json"])
}

fn schedulers() -> anyhow::Result<Vec<Vec<u8>>> {
    let mut seeds = files(&["models/emoji-sd/scheduler/scheduler_config.json"])?;
    let kinds = [
        ("DPMSolverMultistepScheduler", r#""solver_order": 2, "use_karras_sigmas": true"#),
        ("EulerDiscreteScheduler", r#""timestep_spacing": "linspace", "steps_offset": 1"#),
        ("PNDMScheduler", r#""skip_prk_steps": false, "set_alpha_to_one": false"#),
        ("LCMScheduler", r#""original_inference_steps": 50, "timestep_scaling": 10.0"#),
        ("HeunDiscreteScheduler", r#""beta_schedule": "squaredcos_cap_v2""#),
        ("DDIMScheduler", r#""thresholding": true, "rescale_betas_zero_snr": true"#),
    ];
    seeds.extend(kinds.map(|(class, keys)| {
        let text = format!(
            r#"{{"_class_name": "{class}", "num_train_timesteps": 1000, "beta_start": 0.00085,
                "beta_end": 0.012, {keys}}}"#
        );
        text.into_bytes()
    }));
    Ok(seeds)
}

fn texts() -> anyhow::Result<Vec<Vec<u8>>> {
    files(&["models/emoji-sd/text_encoder/config.json"])
}

fn open_clips() -> anyhow::Result<Vec<Vec<u8>>> {
    files(&[
        "models/emoji-clip/open_clip_config.json",
        "crates/metrics/tests/data/clip_config.json",
    ])
}

fn indices() -> anyhow::Result<Vec<Vec<u8>>> {
    files(&["models/emoji-sd/model_index.json"])
}

fn recipes() -> anyhow::Result<Vec<Vec<u8>>> {
    files(&["models/emoji-sd/recipe.toml", "models/emoji-clip/recipe.toml"])
}

fn experiments() -> anyhow::Result<Vec<Vec<u8>>> {
    files(&["experiments/emoji-sd.toml", "experiments/paper/sd-turbo.toml"])
}

fn manifests() -> anyhow::Result<Vec<Vec<u8>>> {
    files(&["models/sd-turbo.toml", "models/sdxl-base.toml", "models/sd-2.1.toml"])
}

/// The other configurations of the shipped model.
fn pipeline(folder: &Path) -> anyhow::Result<()> {
    for part in ["unet", "vae", "text_encoder", "scheduler", "tokenizer"] {
        std::os::unix::fs::symlink(path("models/emoji-sd").join(part), folder.join(part))?;
    }
    Ok(())
}

/// What is accepted is the same when written and read again.
fn autoencoder(path: &Path) -> Verdict {
    let Ok(config) = AutoencoderKLConfig::from_file(path) else { return Verdict::Refused };
    let again = AutoencoderKLConfig::from_json(&config.to_json().to_string(), "again");
    Verdict::holds(again.as_ref().is_ok_and(|again| *again == config), || {
        format!("written and read again: {again:?}, expected {config:?}")
    })
}

/// What is accepted gives finite timesteps within the training's, whatever the class.
fn scheduler(path: &Path) -> Verdict {
    let Ok(config) = SchedulerConfig::from_file(path) else { return Verdict::Refused };
    let kinds = [
        SchedulerKind::Ddim,
        SchedulerKind::Euler,
        SchedulerKind::EulerAncestral,
        SchedulerKind::Pndm,
        SchedulerKind::Heun,
        SchedulerKind::DpmSolverMultistep,
        SchedulerKind::DpmSolverMultistepSde,
        SchedulerKind::Lcm,
        SchedulerKind::DdimInverse,
    ];
    for kind in kinds {
        for steps in [1, 2, 7, config.num_train_timesteps.min(1000)] {
            let Ok(scheduler) = config.build(kind, steps) else { continue };
            let within = |timestep: &f64| {
                timestep.is_finite()
                    && (-1.0..=config.num_train_timesteps as f64).contains(timestep)
            };
            let timesteps = scheduler.timesteps();
            if timesteps.len() > 2 * steps + 9 || !timesteps.iter().all(within) {
                return Verdict::Broken(format!("{kind:?} of {steps} steps: {timesteps:?}"));
            }
        }
    }
    Verdict::Accepted
}
