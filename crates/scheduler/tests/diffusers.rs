//! Every scheduler class against diffusers' own, step by step. The reference and the script that
//! makes it are in `diffusers-check`.

use burn::tensor::{Device, Tensor, TensorData};
use scheduler::{SchedulerConfig, SchedulerKind};
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

#[test]
fn step_every_class_agrees_with_diffusers() {
    let text = include_str!("diffusers-check/golden.json");
    let cases: Vec<Case> = serde_json::from_str(text).unwrap();
    let device = Device::flex();
    let tensor = |values: &[f32]| -> Tensor<4> {
        Tensor::from_data(TensorData::new(values.to_vec(), SHAPE), &device)
    };
    let host = |tensor: Tensor<4>| -> Vec<f32> { tensor.into_data().iter::<f32>().collect() };
    assert!(cases.len() >= 70);
    for case in cases {
        let what = format!("{} {} {} steps", case.class, case.config, case.steps);
        let mut config = SchedulerConfig::from_json(&case.config.to_string()).unwrap();
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
}

#[test]
fn build_for_calls_gives_as_many_timesteps() {
    let config = SchedulerConfig::default();
    for kind in SchedulerKind::ALL {
        for calls in [1, 3, 4, 20] {
            assert_eq!(config.build_for_calls(kind, calls).unwrap().timesteps().len(), calls);
        }
        assert_eq!(config.build_for_calls(kind, 2).is_ok(), kind != SchedulerKind::Pndm);
        assert!(config.build(kind, 0).is_err());
        assert!(config.build(kind, 1001).is_err());
    }
}

#[test]
fn from_json_reads_pythons_infinity_and_names_what_is_not_implemented() {
    let text = r#"{"_class_name": "DPMSolverMultistepScheduler", "lambda_min_clipped": -Infinity,
                   "algorithm_type": "dpmsolver++", "solver_order": 2, "euler_at_final": false,
                   "lower_order_final": true, "final_sigmas_type": "zero"}"#;
    let config = SchedulerConfig::from_json(text).unwrap();
    assert_eq!(config.kind().unwrap(), SchedulerKind::DpmSolverMultistep);
    let other = text.replace("dpmsolver++", "sde-dpmsolver++");
    let error = SchedulerConfig::from_json(&other).unwrap_err().to_string();
    assert!(error.contains("algorithm_type"), "{error}");
    let error = "heun".parse::<SchedulerKind>().unwrap_err().to_string();
    assert!(error.contains("dpm++2m") && error.contains("`heun`"), "{error}");
}
