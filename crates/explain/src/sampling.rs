//! How the page's commands and snippets sample as its pictures were.

use pipeline::{Generation, NoiseKind};
use scheduler::{SchedulerKind, SigmaSpacing};
use serde::Serialize;
use serde_json::Value;
use terminal::shell_word;

/// The options of `generate` in which a generation differs from the usual, as a shell reads them; prompts,
/// steps, guidance and seeds apart.
pub(crate) fn options(generation: &Generation) -> String {
    let Generation { noise, sampler_noise, scheduler, sigmas, size, .. } = generation;
    let ([height, width], eta) = (size, generation.scheduler_config.eta);
    let file = generation.initial_noise.as_ref().map(|path| path.display().to_string());
    let given = [
        ("--scheduler", (*scheduler != SchedulerKind::Ddim).then(|| scheduler.to_string())),
        ("--sigmas", sigmas.as_ref().and_then(name)),
        ("--eta", (eta != 0.0).then(|| eta.to_string())),
        (
            "--noise",
            Some(noise.kind).filter(|kind| *kind != NoiseKind::Counter).as_ref().and_then(name),
        ),
        ("--sampler-noise", Some(sampler_noise).filter(|kind| **kind != noise.kind).and_then(name)),
        ("--initial-noise", file),
        ("--height", (!generation.default_size).then(|| height.to_string())),
        ("--width", (!generation.default_size).then(|| width.to_string())),
    ];
    let words = given.into_iter().filter_map(|(name, value)| Some((name, shell_word(&value?))));
    words.map(|(name, value)| format!("{name} {value}")).collect::<Vec<_>>().join(" ")
}

/// The name of a choice, as options and files spell it.
fn name<T: Serialize>(choice: &T) -> Option<String> {
    serde_json::to_value(choice).ok()?.as_str().map(String::from)
}

/// Lines of Python that give `pipe` the scheduler.
pub(crate) fn scheduler(generation: &Generation) -> String {
    let (kind, sigmas) = (generation.scheduler, generation.sigmas);
    let (class, special) = match kind.class_name().split_once('(') {
        Some((class, _)) => (class, ", algorithm_type=\"sde-dpmsolver++\""),
        None => (kind.class_name(), ""),
    };
    // Each turns off what the model's own configuration may turn on.
    let spacing = match sigmas {
        Some(SigmaSpacing::Timesteps) => ", use_karras_sigmas=False, use_exponential_sigmas=False",
        Some(SigmaSpacing::Karras) => ", use_karras_sigmas=True, use_exponential_sigmas=False",
        Some(SigmaSpacing::Exponential) => ", use_karras_sigmas=False, use_exponential_sigmas=True",
        None => "",
    };
    format!(
        "from diffusers import {class}\npipe.scheduler = \
         {class}.from_config(pipe.scheduler.config{special}{spacing})"
    )
}

/// Further arguments of the call of `pipe`, each with a comma before.
pub(crate) fn arguments(generation: &Generation) -> String {
    let mut arguments = String::new();
    if let Some(negative) = &generation.negative_prompt {
        arguments += &format!(", negative_prompt={}", Value::from(&**negative));
    }
    if generation.scheduler_config.eta != 0.0 {
        arguments += &format!(", eta={}", generation.scheduler_config.eta);
    }
    if !generation.default_size {
        let [height, width] = generation.size;
        arguments += &format!(", height={height}, width={width}");
    }
    arguments
}
