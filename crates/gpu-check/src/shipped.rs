//! The device itself, and the shipped model's work on it.

use std::process::Command;

use anyhow::Context;
use burn::tensor::{Device, FloatDType};
use pipeline::Pipeline;
use probe::{CounterDraws, ProbeConfig, ProbeState, UNetEvaluator, search};
use unet_core::UNet2DConditionConfig;
use workloads::{SHIPPED_UNET, TrainingStep, probe_request, shipped_folder};

use crate::row::{Row, timed};

/// The device's name, driver and memory.
pub fn identity(device: &Device) -> anyhow::Result<()> {
    let fact = |name: &str, text: String| Row::Fact { name: name.into(), text }.print();
    fact("device", format!("{device:?}"))?;
    for (name, dtype) in [("f16", FloatDType::F16), ("bf16", FloatDType::BF16)] {
        fact(name, if device.supports_dtype(dtype) { "yes" } else { "no" }.into())?;
    }
    fact("fusion", if cfg!(feature = "fusion") { "on" } else { "off" }.into())?;
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
    Ok(Pipeline::from_folder(shipped_folder(), dtype, device)?)
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

/// Training steps of the shipped U-Net.
pub fn training(device: &Device) -> anyhow::Result<()> {
    let config = UNet2DConditionConfig::from_json(SHIPPED_UNET, "the shipped U-Net")?;
    for batch in [32, 256] {
        let mut step = TrainingStep::new(&config, batch, (16, 24), device);
        let row = timed(format!("batch {batch}"), device, || {
            let (value, norm) = step.run();
            anyhow::ensure!(value.is_finite() && norm.is_finite(), "loss {value}, norm {norm}");
            Ok(())
        })?;
        row.print()?;
    }
    Ok(())
}
