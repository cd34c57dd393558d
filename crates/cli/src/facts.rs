//! What tells results from others, to go on from states that are of the same.

use std::path::PathBuf;

use pipeline::{Generation, NoiseKind};
use scheduler::SchedulerKind;

/// What tells a generation from another, apart from the model.
pub fn facts(generation: &Generation) -> anyhow::Result<serde_json::Value> {
    let mut facts = serde_json::json!({
        "prompt": generation.prompt,
        "seeds": generation.noise.seeds,
        "steps": generation.steps,
        "guidance": generation.guidance_scale,
    });
    // Left out where they are as they always were, so that older states go on.
    let Generation { negative_prompt, noise, sampler_noise, scheduler, sigmas, size, .. } =
        generation;
    let eta = generation.scheduler_config.eta;
    let hash = |path: &PathBuf| hub::hash_file(path).map(|hash| hash.sha256);
    let initial_noise = generation.initial_noise.as_ref().map(hash).transpose()?;
    let others = [
        ("negative", negative_prompt.is_some(), serde_json::json!(negative_prompt)),
        ("noise", noise.kind != NoiseKind::Counter, serde_json::json!(noise.kind)),
        ("scheduler", *scheduler != SchedulerKind::Ddim, scheduler.class_name().into()),
        ("sigmas", sigmas.is_some(), serde_json::json!(sigmas)),
        ("eta", eta != 0.0, eta.into()),
        ("sampler_noise", *sampler_noise != noise.kind, serde_json::json!(sampler_noise)),
        ("initial_noise", initial_noise.is_some(), serde_json::json!(initial_noise)),
        ("size", !generation.default_size, serde_json::json!(size)),
    ];
    for (key, differs, value) in others {
        if differs {
            facts[key] = value;
        }
    }
    Ok(facts)
}
