//! Every scheduler class against diffusers' own, step by step. The references and the scripts that
//! make them are in `diffusers-check`.

use std::collections::BTreeMap;

use burn::tensor::{Device, Tensor, TensorData};
use scheduler::{PredictionType, SchedulerConfig, SchedulerKind};
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

/// Cases of each class in `golden.json`.
const COUNT: [(&str, usize); 5] = [
    ("DDIMScheduler", 8),
    ("DPMSolverMultistepScheduler", 29),
    ("EulerAncestralDiscreteScheduler", 19),
    ("EulerDiscreteScheduler", 4),
    ("PNDMScheduler", 19),
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

fn check(case: &Case) {
    let device = Device::flex();
    let tensor = |values: &[f32]| -> Tensor<4> {
        Tensor::from_data(TensorData::new(values.to_vec(), SHAPE), &device)
    };
    let host = |tensor: Tensor<4>| -> Vec<f32> { tensor.into_data().iter::<f32>().collect() };
    let what = format!("{} {} {} steps", case.class, case.config, case.steps);
    let mut config = SchedulerConfig::from_json(&case.config.to_string(), &what).unwrap();
    config.eta = case.eta;
    let kind: SchedulerKind = case.class.parse().unwrap();
    let mut scheduler = config.build(kind, case.steps).unwrap();
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

#[test]
fn step_every_class_agrees_with_diffusers() {
    let cases = cases(include_str!("diffusers-check/golden.json"));
    let mut count = BTreeMap::new();
    for case in &cases {
        check(case);
        *count.entry(case.class.as_str()).or_insert(0) += 1;
    }
    let count: Vec<(&str, usize)> = count.into_iter().collect();
    assert_eq!(count, COUNT);
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
    for kind in SchedulerKind::ALL {
        let pndm = kind == SchedulerKind::Pndm;
        for steps in [4, 5, 20, 999] {
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
    ] {
        let error = samples.build(kind, 4).err().unwrap().to_string();
        assert!(error.contains(kind.class_name()) && error.contains(key), "{error}");
    }
    assert!(samples.build(SchedulerKind::Ddim, 4).is_ok());
}
