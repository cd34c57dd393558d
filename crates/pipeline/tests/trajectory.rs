//! The denoising loop by itself, and what it reports.

use std::path::Path;

use burn::tensor::{Device, FloatDType, Tensor};
use pipeline::{
    Control, Pipeline, PipelineError, Prediction, SampleRequest, Trajectory, initial_noise, tiny,
    write_synthetic,
};
use reweight::{BatchPolicy, BlockWeights, Policy};
use safetensors::Dtype;
use scheduler::SchedulerKind;

use crate::support;

fn model(at: &Path) -> Pipeline {
    let preset = tiny(hub::preset("sd-turbo").unwrap());
    write_synthetic(&preset, at, Dtype::F32, 5).unwrap();
    Pipeline::from_folder(at, FloatDType::F32, &Device::flex()).unwrap()
}

/// Takes all steps with a made-up prediction of the latents themselves, but `poison` at `at`.
fn run(request: &SampleRequest, at: usize, poison: f32) -> Result<usize, PipelineError> {
    let mut trajectory = Trajectory::new(request)?;
    let mut steps = 0;
    while let Some(step) = trajectory.advance::<PipelineError>(|info, input| {
        let factor = if info.step == at { poison } else { 0.5 };
        let guided = input * factor;
        Ok(Prediction { raw: guided.clone(), guided })
    })? {
        assert_eq!((step.info.step, step.info.steps), (steps, 3));
        steps += 1;
    }
    Ok(steps)
}

#[test]
fn advance_values_that_are_not_finite_name_step_and_value() {
    let at = tempfile::tempdir().unwrap();
    let pipeline = model(at.path());
    // Clamping to the clean sample's range would hide a NaN from whoever looks at latents alone.
    for clip_sample in [false, true] {
        let mut request = support::request(&pipeline, 0.0, 3);
        request.scheduler_config.clip_sample = Some(clip_sample);
        assert_eq!(run(&request, 9, 0.0).unwrap(), 3);
        for (step, poison) in [(0, f32::NAN), (2, f32::INFINITY)] {
            match run(&request, step, poison).unwrap_err() {
                PipelineError::NotFinite { step: found, what } => {
                    assert_eq!((found, what), (step, "the U-Net's prediction"));
                }
                other => panic!("{other}"),
            }
        }
    }
}

#[test]
fn advance_gives_input_and_latents_of_each_step() {
    let at = tempfile::tempdir().unwrap();
    let pipeline = model(at.path());
    let mut request = support::request(&pipeline, 0.0, 3);
    request.scheduler = SchedulerKind::Euler;
    let mut trajectory = Trajectory::new(&request).unwrap();
    let scheduler = request.scheduler_config.build(SchedulerKind::Euler, 3).unwrap();
    let sigmas = scheduler.sigmas().unwrap().to_vec();
    let mut latents = request.noise.clone() * scheduler.init_noise_sigma();
    let prediction = initial_noise(&[3], [4, 8, 8], &Device::flex());
    while let Some(step) = trajectory
        .advance::<PipelineError>(|_, _| {
            Ok(Prediction { raw: prediction.clone(), guided: prediction.clone() })
        })
        .unwrap()
    {
        let i = step.info.step;
        assert_eq!(step.info.sigma, Some(sigmas[i]));
        // Euler's step and input scaling, written out; a few roundings in f32 of values up to 60.
        let scaled = latents.clone() / (f64::from(sigmas[i]).powi(2) + 1.0).sqrt();
        assert!(largest(step.input - scaled) < 3e-5);
        latents = latents + prediction.clone() * f64::from(sigmas[i + 1] - sigmas[i]);
        assert!(largest(step.latents - latents.clone()) < 3e-5);
    }
    assert!(largest(trajectory.into_latents() - latents) < 3e-5);
}

fn largest(difference: Tensor<4>) -> f32 {
    difference.abs().max().into_scalar::<f32>()
}

#[test]
fn sample_weights_of_another_run_are_an_error() {
    let at = tempfile::tempdir().unwrap();
    let pipeline = model(at.path());
    let request = support::request(&pipeline, 0.0, 2);
    let error = |policies: BatchPolicy| {
        pipeline.sample(&request, &policies, &mut |_| Control::Continue).unwrap_err().to_string()
    };
    let weights = |steps, blocks| Policy::from(BlockWeights::vanilla(steps, blocks));
    assert_eq!(error(weights(3, 7).into()), "the schedule has 3 steps, expected 2");
    assert_eq!(error(weights(2, 5).into()), "the schedule has 5 blocks, expected 7");
    let two = error(Policy::for_batch([weights(2, 7), weights(2, 7)]));
    assert!(two.contains("each of 1 samples, found 2"), "{two}");
}

#[test]
fn sample_each_of_a_batch_follows_its_own_policy() {
    let at = tempfile::tempdir().unwrap();
    let pipeline = model(at.path());
    let mut request = support::request(&pipeline, 4.0, 2);
    let raised = Policy::from(BlockWeights::static_block(2, 7, 3, 1.3).unwrap());
    let sample = |request: &SampleRequest, policies: &BatchPolicy| {
        let latents = pipeline.sample(request, policies, &mut |_| Control::Continue).unwrap();
        latents.into_data().iter::<f32>().collect::<Vec<_>>()
    };
    let alone =
        [sample(&request, &BatchPolicy::vanilla()), sample(&request, &raised.clone().into())];
    assert_ne!(alone[0], alone[1]);
    request = SampleRequest::joined(vec![request.clone(), request]).unwrap();
    let together = sample(&request, &Policy::for_batch([Policy::default(), raised]));
    assert_eq!(together, alone.concat());
}

#[test]
fn decode_an_autoencoder_that_overflows_is_an_error() {
    let at = tempfile::tempdir().unwrap();
    let mut preset = tiny(hub::preset("sd-turbo").unwrap());
    let vae = preset.config.get_mut("vae").unwrap();
    vae["scaling_factor"] = serde_json::json!(1e-4);
    vae["force_upcast"] = serde_json::json!(false);
    write_synthetic(&preset, at.path(), Dtype::F32, 5).unwrap();
    // Latents that are finite, and beyond the type's range once they are divided by the factor.
    for (dtype, size, name) in
        [(FloatDType::F32, 1e36, "f32"), (FloatDType::F16, 1e3, "use f32 or bf16")]
    {
        let pipeline = Pipeline::from_folder(at.path(), dtype, &Device::flex()).unwrap();
        let latents = initial_noise(&[1], [4, 8, 8], pipeline.device()) * size;
        let error = pipeline.pictures(latents).unwrap_err().to_string();
        assert!(error.contains("decoded picture") && error.contains(name), "{error}");
    }
}
