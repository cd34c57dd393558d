//! Whether the device computes what the CPU does in f32.

use std::path::Path;

use anyhow::Context;
use burn::tensor::{Device, FloatDType, Tensor};
use pipeline::{Control, Pipeline, tiny, write_synthetic};
use probe::{CounterDraws, ProbeConfig, ProbeState, UNetEvaluator, search};
use reweight::{BatchPolicy, FreeU, FreeUForm, FreeUGating, StepWeights, StepWindow};
use unet_core::{AddedConditioning, Intervention};
use workloads::{normal, probe_request, shipped_folder};

use crate::row::Row;
use crate::shipped::pipeline;

/// Largest error by the largest value, through up to some hundred layers. Tensor cores round the
/// factors of f32 to 11 bits, those of f16, but keep its range and its sums; bf16 has 8 bits.
pub fn bound(dtype: FloatDType) -> f64 {
    match dtype {
        FloatDType::F16 => 2e-2,
        FloatDType::BF16 => 1e-1,
        _ => 5e-3,
    }
}

/// Largest difference of two results by the latter's largest value; NaN where one has a NaN.
pub fn error<const D: usize>(ours: Tensor<D>, cpu: &Tensor<D>) -> f64 {
    let values = |tensor: Tensor<D>| -> Vec<f32> { tensor.into_data().iter().collect() };
    let (ours, cpu) = (values(ours), values(cpu.clone()));
    let most = cpu.iter().fold(0.0_f32, |most, value| most.max(value.abs()));
    let pairs = ours.iter().zip(&cpu);
    // `f32::max` would pass over a NaN.
    let error = pairs.map(|(a, b)| (a - b).abs()).fold(0.0_f32, |most, error| {
        if error.is_nan() || most.is_nan() { f32::NAN } else { most.max(error) }
    });
    f64::from(error) / f64::from(most)
}

/// Small models of both families and the shipped one: U-Net, its interventions, autoencoder, text.
pub fn agree(device: &Device, dtype: FloatDType) -> anyhow::Result<()> {
    let folder = tempfile::tempdir().context("a folder for small models")?;
    // Inputs are drawn there, the same ones in every run.
    Device::flex().seed(0);
    for name in ["sd-2.1", "sdxl-base"] {
        let path = folder.path().join(name);
        write_synthetic(&tiny(hub::preset(name)?), &path, safetensors::Dtype::F32, 1)?;
        compare(name, &path, device, dtype)?;
    }
    compare("shipped", &shipped_folder(), device, dtype)
}

fn compare(name: &str, folder: &Path, device: &Device, dtype: FloatDType) -> anyhow::Result<()> {
    let cpu = Device::flex();
    let reference = Pipeline::from_folder(folder, FloatDType::F32, &cpu)?;
    let ours = Pipeline::from_folder(folder, dtype, device)?;
    let print = |what: &str, error: f64| {
        Row::Error { name: format!("{name}, {what}"), error, bound: bound(dtype) }.print()
    };
    let prompts = ["a small red house".to_string(), "snow".to_string()];
    let texts = [&reference, &ours].map(|pipeline| pipeline.encode_prompts(&prompts));
    let [known, texts] = texts;
    let (known, texts) = (known?, texts?);
    print("text", error(texts.embeds.clone(), &known.embeds))?;
    let config = reference.unet().config();
    let [height, width] = reference.latent_size(reference.default_size())?;
    let [height, width] = [height.min(16), width.min(16)];
    let sample = normal::<4>([2, config.in_channels, height, width], &cpu);
    let weights =
        vec![vec![0.9; config.num_attention_blocks()], vec![1.1; config.num_attention_blocks()]];
    let mut thresholds = vec![vec![0.0; config.num_attention_blocks()]; 2];
    thresholds[1][0] = 2.0;
    let weighted = StepWeights::new(weights, thresholds);
    let freeu = FreeU {
        b1: 1.1,
        b2: 1.2,
        s1: 0.9,
        s2: 0.2,
        gating: FreeUGating::Resolution,
        form: FreeUForm::Constant,
        window: StepWindow::ALL,
    };
    let cases: [(&str, Option<&dyn Intervention>); 3] =
        [("U-Net", None), ("weights and a skip", Some(&weighted)), ("FreeU", Some(&freeu))];
    for (what, intervention) in cases {
        let run = |pipeline: &Pipeline, texts: &pipeline::Conditioning| {
            let device = pipeline.device();
            let added = texts.added(&pipeline::SizeConditioning::of_picture([64, 64]));
            let sample =
                Tensor::<4>::from_data(sample.to_data(), device).cast(pipeline.unet().dtype());
            let added: Option<AddedConditioning> = added;
            let context = texts.embeds.clone();
            pipeline.unet().forward(sample, &[500.0], context, added.as_ref(), intervention)
        };
        print(what, error(run(&ours, &texts).cast(FloatDType::F32), &run(&reference, &known)))?;
    }
    let latents = normal::<4>([1, reference.vae().config().latent_channels, height, width], &cpu);
    let decoded = |pipeline: &Pipeline| {
        pipeline.decode(Tensor::from_data(latents.to_data(), pipeline.device()))
    };
    print("autoencoder", error(decoded(&ours)?, &decoded(&reference)?))
}

/// One guided picture of the shipped model.
pub fn picture(device: &Device) -> anyhow::Result<()> {
    let draw = |device: &Device| -> anyhow::Result<Vec<u8>> {
        let pipeline = pipeline(device, FloatDType::F32)?;
        let request = probe_request(&pipeline, 20)?;
        let policies = BatchPolicy::vanilla();
        let run = pipeline.sample(&request, &policies, &mut |_| Control::Continue)?;
        let pictures = pipeline.pictures(run)?;
        Ok(pictures.into_iter().flat_map(|picture| picture.rgb).collect())
    };
    let (ours, cpu) = (draw(device)?, draw(&Device::flex())?);
    let most = ours.iter().zip(&cpu).map(|(a, b)| a.abs_diff(*b)).max().unwrap_or(u8::MAX);
    let name = "largest difference of 255".to_string();
    Row::Error { name, error: f64::from(most), bound: 1.0 }.print()
}

/// A small probe: candidates accepted on one device and not on the other.
pub fn decisions(device: &Device) -> anyhow::Result<()> {
    let config = ProbeConfig { rounds: 4, epochs: 4, ..ProbeConfig::paper() };
    let accepted = |device: &Device| -> anyhow::Result<Vec<usize>> {
        let pipeline = pipeline(device, FloatDType::F32)?;
        let request = probe_request(&pipeline, 10)?;
        let mut evaluator = UNetEvaluator::new(&pipeline, std::slice::from_ref(&request), 32)?;
        let mut draws = CounterDraws::new(42);
        let blocks = pipeline.unet().config().num_attention_blocks();
        let mut state = ProbeState::new(&config, request.steps, blocks, &mut draws)?;
        search(&mut state, &mut evaluator, &mut draws, &mut |_| {}, &mut |_| Ok(()))
            .context("the search")?;
        Ok(state.rounds.iter().flat_map(|round| round.accepted_at.concat()).collect())
    };
    let (ours, cpu) = (accepted(device)?, accepted(&Device::flex())?);
    let other = ours.iter().zip(&cpu).filter(|(a, b)| a != b).count();
    let name = format!("of {} counts of accepted candidates, others", cpu.len());
    Row::Error { name, error: other as f64, bound: 0.0 }.print()
}
