//! The work as this project does it, on random weights.

use std::time::Instant;

use anyhow::Context;
use autoencoder::AutoencoderKLConfig;
use burn::tensor::{Device, Tensor};
use clip::CLIPTextConfig;
use pipeline::Control;
use probe::{CounterDraws, ProbeConfig, ProbeState, UNetEvaluator, search};
use reweight::BatchPolicy;
use unet_core::{AddedConditioning, UNet2DConditionConfig};
use workloads::{TrainingStep, guided_request, normal, probe_request, shipped_pipeline};

use crate::work::Work;

/// Seconds of each timed run of `work`.
pub fn measure(work: Work) -> anyhow::Result<Vec<f64>> {
    let device = Device::flex();
    let config = work.config()?.to_string();
    let place = format!("the configuration of `{}`", work.name());
    match work {
        Work::Text => {
            let model = CLIPTextConfig::from_json(&config, &place)?.init(&device);
            let ids = [(0..77).collect::<Vec<u32>>()];
            Ok(timed(work, || wait(model.forward(&ids).last_hidden_state)))
        }
        Work::Vae => {
            let model = AutoencoderKLConfig::from_json(&config, &place)?.init(&device);
            let latents = normal([1, 4, 64, 64], &device);
            Ok(timed(work, || wait(model.decode(latents.clone()))))
        }
        Work::Probe => probe(),
        Work::Picture1 | Work::Picture8 => pictures(work),
        Work::Training => Ok(training(work, &UNet2DConditionConfig::from_json(&config, &place)?)),
        _ => Ok(unet(work, &UNet2DConditionConfig::from_json(&config, &place)?)),
    }
}

/// Waits for a result.
pub fn wait<const D: usize>(result: Tensor<D>) {
    std::hint::black_box(result.into_data());
}

fn timed(work: Work, mut run: impl FnMut()) -> Vec<f64> {
    run();
    let mut seconds = Vec::new();
    for _ in 0..work.repeats() {
        let start = Instant::now();
        run();
        seconds.push(start.elapsed().as_secs_f64());
    }
    seconds
}

/// From prompts to pictures, with what is loaded.
fn pictures(work: Work) -> anyhow::Result<Vec<f64>> {
    let pipeline = shipped_pipeline()?;
    let mut failure = None;
    let seconds = timed(work, || {
        let made = guided_request(&pipeline, 20, work.batch()).and_then(|request| {
            let vanilla = BatchPolicy::vanilla();
            let latents = pipeline.sample(&request, &vanilla, &mut |_| Control::Continue)?;
            Ok(pipeline.pictures(latents)?)
        });
        match made {
            Ok(made) => drop(std::hint::black_box(made)),
            Err(error) => failure = Some(error),
        }
    });
    failure.map_or(Ok(seconds), Err)
}

/// Height and width of the latents, and tokens of the text.
fn sizes(work: Work) -> (usize, usize) {
    if matches!(work, Work::Sd | Work::Sdxl) { (64, 77) } else { (16, 24) }
}

fn unet(work: Work, config: &UNet2DConditionConfig) -> Vec<f64> {
    let device = Device::flex();
    let model = config.init(&device);
    let (side, tokens) = sizes(work);
    let sample = normal([work.batch(), 4, side, side], &device);
    let context = normal([work.batch(), tokens, config.cross_attention_dim], &device);
    let added = config.addition_embed.map(|embed| AddedConditioning {
        text_embeds: normal([work.batch(), embed.input_dim - 6 * embed.time_embed_dim], &device),
        time_ids: vec![[512.0, 512.0, 0.0, 0.0, 512.0, 512.0]; work.batch()],
    });
    timed(work, || {
        wait(model.forward(sample.clone(), &[500.0], context.clone(), added.as_ref(), None));
    })
}

fn training(work: Work, config: &UNet2DConditionConfig) -> Vec<f64> {
    let mut step = TrainingStep::new(config, work.batch(), sizes(work), &Device::flex());
    timed(work, || {
        step.run();
    })
}

/// The probe itself: 15 rounds, 20 epochs, 4 candidates, 10 guided steps.
fn probe() -> anyhow::Result<Vec<f64>> {
    let pipeline = shipped_pipeline()?;
    let request = probe_request(&pipeline, 10)?;
    let config = ProbeConfig::paper();
    let mut evaluator =
        UNetEvaluator::new(&pipeline, std::slice::from_ref(&request), Work::Probe.batch())?;
    let before = evaluator.unet_samples();
    let start = Instant::now();
    let mut draws = CounterDraws::new(42);
    let blocks = pipeline.unet().config().num_attention_blocks();
    let mut state = ProbeState::new(&config, request.steps, blocks, &mut draws)?;
    search(&mut state, &mut evaluator, &mut draws, &mut |_| {}, &mut |_| Ok(()))
        .context("the search")?;
    let seconds = start.elapsed().as_secs_f64();
    anyhow::ensure!(
        evaluator.unet_samples() - before == 24_000,
        "expected 24,000 U-Net samples, ran {}",
        evaluator.unet_samples() - before
    );
    Ok(vec![seconds])
}
