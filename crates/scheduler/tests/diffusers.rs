//! Every scheduler class against diffusers' own, step by step. The references and the scripts that
//! make them are in `diffusers-check`.

use std::collections::BTreeMap;

use burn::tensor::{Device, Tensor, TensorData};
use scheduler::{PredictionType, Scheduler, SchedulerConfig, SchedulerKind};
use serde::Deserialize;

#[derive(Deserialize)]
struct Case {
    class: String,
    config: serde_json::Value,
    steps: usize,
    eta: f64,
    timesteps: Vec<f64>,
    init_noise_sigma: f64,
    start: Vec<f32>,
    outputs: Vec<f32>,
    noise: Vec<Vec<f32>>,
    inputs: Vec<f32>,
    results: Vec<f32>,
}

/// A run that begins with noised latents in the place of its first steps.
#[derive(Deserialize)]
struct Begun {
    class: String,
    config: serde_json::Value,
    steps: usize,
    begin: usize,
    clean: Vec<f32>,
    added: Vec<f32>,
    noisy: Vec<f32>,
    outputs: Vec<f32>,
    noise: Vec<Vec<f32>>,
    results: Vec<f32>,
}

/// Cases of each class in `golden.json`.
const COUNT: [(&str, usize); 5] = [
    ("DDIMScheduler", 8),
    ("DPMSolverMultistepScheduler", 29),
    ("EulerAncestralDiscreteScheduler", 19),
    ("EulerDiscreteScheduler", 4),
    ("PNDMScheduler", 19),
];

/// Cases of each class in `samplers.json`.
const MORE: [(&str, usize); 5] = [
    ("DDIMInverseScheduler", 18),
    ("DPMSolverMultistepScheduler", 41),
    ("EulerDiscreteScheduler", 12),
    ("HeunDiscreteScheduler", 29),
    ("LCMScheduler", 16),
];

const SHAPE: [usize; 4] = [1, 1, 2, 3];

fn largest(values: &[f32]) -> f32 {
    values.iter().fold(1.0f32, |largest, value| largest.max(value.abs()))
}

/// `rounding` is what an f32 sum loses where the samples begin in the thousands.
fn assert_close(what: &str, found: &[f32], expected: &[f32], rounding: f32) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let bound = 2e-5 * largest(expected) + rounding;
    for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert!((found - expected).abs() <= bound, "{what} {i}: {found}, not {expected}");
    }
}

fn cases(text: &str) -> Vec<Case> {
    serde_json::from_str(text).unwrap()
}

fn tensor(values: &[f32]) -> Tensor<4> {
    Tensor::from_data(TensorData::new(values.to_vec(), SHAPE), &Device::flex())
}

fn host(tensor: Tensor<4>) -> Vec<f32> {
    tensor.into_data().iter::<f32>().collect()
}

/// The scheduler of a class, by that class's own configuration or another's.
fn build(
    class: &str,
    config: &serde_json::Value,
    (steps, eta): (usize, f64),
    what: &str,
) -> Box<dyn Scheduler> {
    let mut read = SchedulerConfig::from_json(&config.to_string(), what).unwrap();
    read.eta = eta;
    let kind = match class {
        // No sampler, so not to be had by name.
        "DDIMInverseScheduler" => SchedulerKind::DdimInverse,
        own if config["_class_name"] == own => read.kind().unwrap(),
        other => other.parse().unwrap(),
    };
    read.build(kind, steps).unwrap()
}

fn check(case: &Case) {
    let what = format!("{} {} {} steps", case.class, case.config, case.steps);
    let mut scheduler = build(&case.class, &case.config, (case.steps, case.eta), &what);
    let timesteps: Vec<f32> = scheduler.timesteps().iter().map(|t| *t as f32).collect();
    let expected: Vec<f32> = case.timesteps.iter().map(|t| *t as f32).collect();
    assert_close(&format!("{what}: timesteps"), &timesteps, &expected, 0.0);
    let sigma = scheduler.init_noise_sigma();
    assert!((sigma / case.init_noise_sigma - 1.0).abs() < 1e-5, "{what}: {sigma}");
    let mut sample = tensor(&case.start);
    let (mut inputs, mut results) = (Vec::new(), Vec::new());
    for (index, output) in case.outputs.chunks_exact(6).enumerate() {
        inputs.extend(host(scheduler.scale_model_input(sample.clone(), index)));
        let mut noise = |step: usize| tensor(&case.noise[step]);
        sample = scheduler.step(tensor(output), index, sample, &mut noise);
        results.extend(host(sample.clone()));
    }
    let rounding = 2e-7 * largest(&case.start);
    assert_close(&format!("{what}: inputs"), &inputs, &case.inputs, rounding);
    assert_close(&format!("{what}: results"), &results, &case.results, rounding);
}

fn counted(cases: &[Case]) -> Vec<(&str, usize)> {
    let mut count = BTreeMap::new();
    for case in cases {
        check(case);
        *count.entry(case.class.as_str()).or_insert(0) += 1;
    }
    count.into_iter().collect()
}

#[test]
fn step_every_class_agrees_with_diffusers() {
    assert_eq!(counted(&cases(include_str!("diffusers-check/golden.json"))), COUNT);
}

#[test]
fn step_spaced_sigmas_stochastic_solvers_and_inversion_agree_with_diffusers() {
    assert_eq!(counted(&cases(include_str!("diffusers-check/samplers.json"))), MORE);
}

#[test]
fn noised_latents_go_on_from_the_middle_as_in_diffusers() {
    let text = include_str!("diffusers-check/begun.json");
    let cases: Vec<Begun> = serde_json::from_str(text).unwrap();
    assert_eq!(cases.len(), 33);
    for case in &cases {
        let what = format!("{} {} from {}", case.class, case.config, case.begin);
        let mut scheduler = build(&case.class, &case.config, (case.steps, 0.0), &what);
        let first = case.begin * scheduler.calls_per_step();
        let noisy = scheduler.noised(tensor(&case.clean), tensor(&case.added), first).unwrap();
        assert_close(&format!("{what}: noisy"), &host(noisy.clone()), &case.noisy, 0.0);
        let (mut sample, mut results) = (noisy, Vec::new());
        for (at, output) in case.outputs.chunks_exact(6).enumerate() {
            let mut noise = |step: usize| tensor(&case.noise[step - first]);
            sample = scheduler.step(tensor(output), first + at, sample, &mut noise);
            results.extend(host(sample.clone()));
        }
        assert_close(&format!("{what}: results"), &results, &case.results, 0.0);
    }
    // It goes the other way.
    let inverse = SchedulerConfig::default().build(SchedulerKind::DdimInverse, 8).unwrap();
    assert!(inverse.noised(tensor(&[0.0; 6]), tensor(&[0.0; 6]), 3).is_none());
}

#[test]
fn step_runge_kutta_steps_agree_with_diffusers() {
    let cases = cases(include_str!("diffusers-check/prk.json"));
    assert_eq!(cases.len(), 14);
    for case in &cases {
        assert_eq!(case.timesteps.len(), case.steps + 9);
        check(case);
    }
}

#[test]
fn build_counts_inference_steps_as_diffusers_does() {
    let full = SchedulerConfig::default();
    let skipping = SchedulerConfig { skip_prk_steps: true, ..full.clone() };
    for kind in SchedulerKind::ALL.into_iter().filter(|kind| *kind != SchedulerKind::Lcm) {
        let pndm = kind == SchedulerKind::Pndm;
        for steps in [4, 5, 20, 999] {
            if kind == SchedulerKind::Heun {
                assert_eq!(full.calls(kind, steps).unwrap(), 2 * steps - 1);
                continue;
            }
            assert_eq!(skipping.calls(kind, steps).unwrap(), steps + usize::from(pndm));
            assert_eq!(full.calls(kind, steps).unwrap(), steps + if pndm { 9 } else { 0 });
        }
        assert_eq!(skipping.calls(kind, 1).unwrap(), 1);
        for steps in [0, 1001] {
            let error = full.build(kind, steps).err().unwrap().to_string();
            assert!(error.contains(kind.class_name()), "{error}");
        }
        // diffusers fails on fewer than four steps.
        assert_eq!(full.build(kind, 3).is_err(), pndm);
    }
    // As many as it was distilled from.
    assert_eq!(full.calls(SchedulerKind::Lcm, 50).unwrap(), 50);
    let error = full.calls(SchedulerKind::Lcm, 51).unwrap_err().to_string();
    assert!(error.contains("1 to 50 inference steps, found 51"), "{error}");
}

#[test]
fn build_refuses_what_a_class_does_not_do() {
    let samples = SchedulerConfig {
        prediction_type: PredictionType::Sample,
        solver_order: 3,
        ..SchedulerConfig::default()
    };
    for (kind, key) in [
        (SchedulerKind::EulerAncestral, "prediction_type"),
        (SchedulerKind::Pndm, "prediction_type"),
        (SchedulerKind::DpmSolverMultistep, "solver_order"),
        (SchedulerKind::DpmSolverMultistepSde, "solver_order"),
        (SchedulerKind::DdimInverse, "prediction_type"),
    ] {
        let error = samples.build(kind, 4).err().unwrap().to_string();
        assert!(error.contains(kind.class_name()) && error.contains(key), "{error}");
    }
    assert!(samples.build(SchedulerKind::Ddim, 4).is_ok());
}
