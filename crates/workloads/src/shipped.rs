//! Work of the shipped model.

use std::path::{Path, PathBuf};

use burn::tensor::{Device, FloatDType};
use pipeline::{Guidance, Pipeline, SampleRequest, initial_noise};
use scheduler::SchedulerKind;

/// The configuration of the shipped model's U-Net.
pub const SHIPPED_UNET: &str = include_str!("../../../models/emoji-sd/unet/config.json");

/// The shipped model's folder: that of the project this was compiled in, or the same below the
/// current folder where the program was carried elsewhere.
pub fn shipped_folder() -> PathBuf {
    let inside = Path::new("models/emoji-sd");
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(inside);
    if here.is_dir() { here } else { inside.into() }
}

/// The shipped model in f32 on the CPU.
///
/// # Errors
/// Where its folder cannot be read.
pub fn shipped_pipeline() -> anyhow::Result<Pipeline> {
    Ok(Pipeline::from_folder(shipped_folder(), FloatDType::F32, &Device::flex())?)
}

/// One prompt for the shipped model, with guidance, as the paper's probe runs it.
///
/// # Errors
/// Where the prompt cannot be encoded.
pub fn probe_request(pipeline: &Pipeline, steps: usize) -> anyhow::Result<SampleRequest> {
    guided_request(pipeline, steps, 1)
}

/// The same for `samples` pictures.
///
/// # Errors
/// As [`probe_request`].
pub fn guided_request(
    pipeline: &Pipeline,
    steps: usize,
    samples: usize,
) -> anyhow::Result<SampleRequest> {
    let prompts = pipeline.encode_prompts(&vec!["a cartoon of a dragon".into(); samples])?;
    let seeds: Vec<u64> = (42..).take(samples).collect();
    let negative = pipeline.encode_negative(None, &prompts)?;
    Ok(SampleRequest {
        prompts,
        guidance: Some(Guidance { scale: 3.0, negative }),
        noise: initial_noise(&seeds, [4, 16, 16], pipeline.device()),
        fresh_noise: None,
        scheduler: SchedulerKind::Ddim,
        scheduler_config: pipeline.scheduler_config().clone(),
        steps,
        sizes: None,
    })
}
