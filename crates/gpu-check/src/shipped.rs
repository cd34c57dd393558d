//! The device itself, and the shipped model's work on it.

use std::ops::Range;
use std::process::Command;

use anyhow::Context;
use burn::tensor::{Device, FloatDType};
use pipeline::Pipeline;
use probe::{CounterDraws, ProbeConfig, ProbeState, UNetEvaluator, search};
use trainer::{OptimizerRecipe, Steps};
use unet_core::{UNet2DConditionConfig, UNet2DConditionModel};
use workloads::{SHIPPED_UNET, normal, probe_request, shipped_folder};

use crate::row::{Row, timed};

/// The device's name, driver and memory.
pub fn identity(device: &Device) -> anyhow::Result<()> {
    let fact = |name: &str, text: String| Row::Fact { name: name.into(), text }.print();
    fact("device", format!("{device:?}"))?;
    for (name, dtype) in [("f16", FloatDType::F16), ("bf16", FloatDType::BF16)] {
        fact(name, if device.supports_dtype(dtype) { "yes" } else { "no" }.into())?;
    }
    let fields = "name,driver_version,memory.total,memory.used";
    let query = Command::new("nvidia-smi")
        .args([&format!("--query-gpu={fields}"), "--format=csv,noheader"])
        .output();
    if let Ok(output) = query.as_ref() {
        fact("nvidia-smi", String::from_utf8_lossy(&output.stdout).trim().to_string())?;
    }
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    fact("processors", cores.to_string())
}

/// The shipped model on the device.
pub fn pipeline(device: &Device, dtype: FloatDType) -> anyhow::Result<Pipeline> {
    Ok(Pipeline::from_folder(&shipped_folder(), dtype, device)?)
}

/// One epoch of the paper's probe, 15 rounds of 4 candidates over 10 guided steps.
pub fn probe(device: &Device) -> anyhow::Result<()> {
    let pipeline = pipeline(device, FloatDType::F32)?;
    let request = probe_request(&pipeline, 10)?;
    let config = ProbeConfig { epochs: 1, ..ProbeConfig::paper() };
    let blocks = pipeline.unet().config().num_attention_blocks();
    for batch in [32, 128] {
        let mut evaluator = UNetEvaluator::new(&pipeline, std::slice::from_ref(&request), batch)?;
        let row = timed(format!("epoch in calls of {batch}"), device, || {
            let mut draws = CounterDraws::new(42);
            let mut state = ProbeState::new(&config, request.steps, blocks, &mut draws)?;
            search(&mut state, &mut evaluator, &mut draws, &mut |_| {}, &mut |_| Ok(()))
                .context("the search")
        })?;
        row.print()?;
    }
    Ok(())
}

/// A training step as the trainer takes it.
pub fn training(device: &Device) -> anyhow::Result<()> {
    let config = UNet2DConditionConfig::from_json(SHIPPED_UNET, "the shipped U-Net")?;
    let training = device.clone().autodiff();
    for batch in [32, 256] {
        let recipe = OptimizerRecipe {
            steps: 100,
            batch,
            learning_rate: 1e-4,
            warmup: 0,
            betas: [0.9, 0.999],
            weight_decay: 0.01,
            gradient_clip: 1.0,
            ema: 0.999,
            checkpoint_every: 100,
        };
        let sample = normal::<4>([batch, 4, 16, 16], &training);
        let context = normal::<3>([batch, 24, config.cross_attention_dim], &training);
        let noise = normal::<4>([batch, 4, 16, 16], &training);
        let loss = |model: &UNet2DConditionModel, samples: Range<usize>| {
            let part = |range: Range<usize>| sample.clone().slice(range);
            let context = context.clone().slice(samples.clone());
            let output = model.forward(part(samples.clone()), &[500.0], context, None, None);
            let share = samples.len() as f32 / batch as f32;
            (output - noise.clone().slice(samples)).square().mean() * share
        };
        let mut steps = Steps::new(config.init(&training));
        let row = timed(format!("batch {batch}"), device, || {
            let (value, norm) = steps.step(&recipe, loss);
            anyhow::ensure!(value.is_finite() && norm.is_finite(), "loss {value}, norm {norm}");
            Ok(())
        })?;
        row.print()?;
    }
    Ok(())
}
