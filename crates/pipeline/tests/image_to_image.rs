//! Pictures made of pictures by the shipped model, against diffusers. The reference and the script
//! that makes it are in `image-check`.

use std::path::{Path, PathBuf};

use burn::tensor::{Device, FloatDType, Tensor};
use pictures::RgbImage;
use pipeline::{
    Control, GenerationSettings, ImageSource, NoiseKind, Pipeline, SampleRequest, SchedulerChoice,
    Start, read_latents,
};
use reweight::{BatchPolicy, BlockWeights, Policy, StepMatrix};
use scheduler::{SchedulerConfig, SchedulerKind, SigmaSpacing};
use unet_core::BlockMode;

const PROMPT: &str = "a 3d render of a red heart";
const SEED: u64 = 7;
/// Largest difference of latents, as a part of their largest value (1 to 3).
const TOLERANCE: f32 = 3e-5;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/emoji-sd")
}

fn load() -> Pipeline {
    Pipeline::from_folder(folder(), FloatDType::F32, &Device::flex()).unwrap()
}

fn heart() -> RgbImage {
    RgbImage::open(folder().join("validation/objects_red_heart_3d.png")).unwrap()
}

fn golden(name: &str) -> Tensor<4> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/image-check/golden.safetensors");
    read_latents(&path, name, [1, 4, 16, 16], &Device::flex()).unwrap()
}

fn assert_close(name: &str, found: &Tensor<4>) {
    let [difference, largest] = [found.clone() - golden(name), golden(name)]
        .map(|latents| latents.abs().max().into_scalar::<f32>());
    assert!(difference <= TOLERANCE * largest, "{name}: {difference} of {largest}");
}

/// Latents made of the picture, for each seed, as diffusers would draw its noise.
fn latents(
    pipeline: &Pipeline,
    settings: GenerationSettings,
    strength: f64,
    seeds: &[u64],
) -> Tensor<4> {
    changed_latents(pipeline, settings, strength, seeds, |_| {})
}

/// The same with another configuration of the scheduler.
fn changed_latents(
    pipeline: &Pipeline,
    settings: GenerationSettings,
    strength: f64,
    seeds: &[u64],
    change: impl Fn(&mut SchedulerConfig),
) -> Tensor<4> {
    let settings = GenerationSettings {
        prompt: PROMPT.into(),
        seeds: seeds.to_vec(),
        noise: NoiseKind::TorchCpu,
        ..settings
    };
    let mut generation = pipeline.resolve(settings).unwrap();
    change(&mut generation.scheduler_config);
    generation.image = Some(ImageSource { sha256: String::new(), strength });
    let samples = 0..seeds.len();
    let request = pipeline.request(&generation, samples.clone()).unwrap();
    let encoded = pipeline.encode_picture(&heart()).unwrap();
    let start = pipeline.start(&generation, &encoded, samples);
    let mut first = None;
    let latents = pipeline
        .sample_from(&request, start.as_ref(), &BatchPolicy::vanilla(), &mut |step| {
            first.get_or_insert(step.info.step);
            Control::Continue
        })
        .unwrap();
    let scheduler = generation.scheduler_config.build(generation.scheduler, generation.steps);
    let taken = (generation.steps as f64 * strength) as usize;
    let skipped = (generation.steps - taken) * scheduler.unwrap().calls_per_step();
    assert_eq!(first, Some(skipped), "{} {strength}", generation.scheduler);
    latents
}

fn settings(kind: SchedulerKind, steps: usize) -> GenerationSettings {
    let scheduler = SchedulerChoice::Kind(kind);
    GenerationSettings { scheduler, steps: Some(steps), ..GenerationSettings::default() }
}

#[test]
fn sample_from_a_picture_agrees_with_diffusers() {
    let pipeline = load();
    let with =
        |kind, steps, sigmas, eta| GenerationSettings { sigmas, eta, ..settings(kind, steps) };
    let (karras, exponential) = (Some(SigmaSpacing::Karras), Some(SigmaSpacing::Exponential));
    for (name, settings, strength) in [
        ("ddim", with(SchedulerKind::Ddim, 5, None, 0.0), 0.6),
        ("ddim-eta", with(SchedulerKind::Ddim, 4, None, 0.7), 0.75),
        ("euler-karras", with(SchedulerKind::Euler, 6, karras, 0.0), 0.5),
        ("euler-a", with(SchedulerKind::EulerAncestral, 4, None, 0.0), 0.8),
        ("heun", with(SchedulerKind::Heun, 4, None, 0.0), 0.5),
        ("dpm++2m-sde", with(SchedulerKind::DpmSolverMultistepSde, 5, exponential, 0.0), 1.0),
    ] {
        assert_close(name, &latents(&pipeline, settings, strength, &[SEED]));
    }
}

#[test]
fn sample_from_a_picture_by_pndm_agrees_with_diffusers() {
    let pipeline = load();
    for (name, steps, strength, skip) in
        [("pndm", 7, 0.6, true), ("pndm-runge-kutta", 5, 0.8, false)]
    {
        let settings = settings(SchedulerKind::Pndm, steps);
        let found = changed_latents(&pipeline, settings, strength, &[SEED], |config| {
            config.skip_prk_steps = skip;
        });
        assert_close(name, &found);
    }
}

#[test]
fn sample_from_a_picture_does_not_depend_on_the_batch() {
    let pipeline = load();
    let ancestral = || settings(SchedulerKind::EulerAncestral, 3);
    let together = latents(&pipeline, ancestral(), 0.7, &[3, SEED]);
    let alone = latents(&pipeline, ancestral(), 0.7, &[SEED]);
    assert_eq!(together.narrow(0, 1, 1).into_data(), alone.into_data());
}

#[test]
fn sample_from_a_picture_is_refused_where_it_cannot_be_served() {
    let pipeline = load();
    let mut generation = pipeline
        .resolve(GenerationSettings { seeds: vec![SEED], ..settings(SchedulerKind::Ddim, 4) })
        .unwrap();
    generation.image = Some(ImageSource { sha256: String::new(), strength: 0.5 });
    let encoded = pipeline.encode_picture(&heart()).unwrap();
    let start = pipeline.start(&generation, &encoded, 0..1).unwrap();
    let request = pipeline.request(&generation, 0..1).unwrap();
    let run = |request: &SampleRequest, start: &Start, policy: &BatchPolicy| {
        let run = pipeline.sample_from(request, Some(start), policy, &mut |_| Control::Continue);
        run.map_err(|error| error.to_string())
    };
    let vanilla = BatchPolicy::vanilla();
    let inverse = SampleRequest { scheduler: SchedulerKind::DdimInverse, ..request.clone() };
    assert!(run(&inverse, &start, &vanilla).unwrap_err().contains("cannot leave out steps"));
    let weak = Start { strength: 0.2, ..start.clone() };
    assert!(run(&request, &weak, &vanilla).unwrap_err().contains("one of 4 steps"));
    let small = Start { latents: start.latents.clone().narrow(2, 0, 8), ..start.clone() };
    assert!(run(&request, &small, &vanilla).unwrap_err().contains("[1, 4, 8, 16]"));
    // Steps 2 and 3 are taken; what step 1 added is not there to be added again.
    let blocks = pipeline.unet().config().num_attention_blocks();
    let reusing = |step: usize| -> BatchPolicy {
        let modes = StepMatrix::from_fn(4, blocks, |at, block| match (at == step, block) {
            (true, 3) => BlockMode::Reuse,
            _ => BlockMode::Run,
        });
        Policy::from(BlockWeights::vanilla(4, blocks).with_modes(modes).unwrap()).into()
    };
    assert!(run(&request, &start, &reusing(2)).unwrap_err().contains("residual"));
    assert!(run(&request, &start, &reusing(3)).is_ok());
    let odd = RgbImage { width: 62, height: 64, rgb: vec![0; 3 * 62 * 64] };
    let error = pipeline.encode_picture(&odd).unwrap_err().to_string();
    assert!(error.contains("multiples of 4, found 64×62"), "{error}");
}

#[test]
fn invert_agrees_with_diffusers_there_and_back() {
    let pipeline = load();
    let latents = pipeline.encode_picture(&heart()).unwrap().mean();
    assert_close("encoded", &latents);
    let request = |prompt: &str, guidance_scale: f64| {
        let settings = GenerationSettings {
            prompt: prompt.into(),
            seeds: vec![0],
            guidance_scale: Some(guidance_scale),
            ..settings(SchedulerKind::Ddim, 8)
        };
        pipeline.request(&pipeline.resolve(settings).unwrap(), 0..1).unwrap()
    };
    let mut timesteps = Vec::new();
    let noise = pipeline
        .invert(&request(PROMPT, 1.0), latents, &mut |step| timesteps.push(step.info.timestep))
        .unwrap();
    assert_eq!(timesteps, [124.0, 249.0, 374.0, 499.0, 624.0, 749.0, 874.0, 999.0]);
    assert_close("inverted", &noise);
    let request = SampleRequest { noise, ..request("pixel art of a red heart", 3.0) };
    let vanilla = BatchPolicy::vanilla();
    let edited = pipeline.sample(&request, &vanilla, &mut |_| Control::Continue).unwrap();
    assert_close("edited", &edited);
}
