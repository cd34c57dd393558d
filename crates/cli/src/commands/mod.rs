//! The commands.

mod applied;
pub mod compare;
mod document;
pub mod download;
pub mod edit;
pub mod effects;
pub mod explain;
pub mod export;
pub mod fit;
pub mod generate;
pub mod importance;
pub mod inspect;
mod lora_table;
pub mod probe;
mod prompts;
mod saved;
pub mod schedule;
pub mod score;
mod scorer;
mod search;
mod skip;
mod source;
mod table;
pub mod tune;

use anyhow::Context;
use burn::tensor::Tensor;
use indicatif::{ProgressBar, ProgressStyle};
use pipeline::{Control, Pipeline, SampleRequest, Start};
use reweight::Policy;

/// Samples latents under a policy, from noise or from where `start` says, with progress on standard
/// error.
fn sample(
    pipeline: &Pipeline,
    request: &SampleRequest,
    start: Option<&Start>,
    policy: &Policy,
    what: &str,
) -> anyhow::Result<Tensor<4>> {
    let bar = progress_bar(request.calls()? as u64, what);
    let latents = pipeline
        .sample_from(request, start, &policy.into(), &mut |step| {
            bar.set_position(step.info.step as u64 + 1);
            Control::Continue
        })
        .with_context(|| what.to_string())?;
    bar.finish_and_clear();
    Ok(latents)
}

fn progress_bar(length: u64, what: &str) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} {eta} left")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(length).with_style(style).with_message(what.to_string())
}
