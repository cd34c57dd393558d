//! Runs in which blocks add again what they added before.

use burn::tensor::{Device, FloatDType};
use pipeline::{Control, Pipeline, SampleRequest, initial_noise, tiny, write_synthetic};
use reweight::{BatchPolicy, BlockWeights, Policy, StepMatrix};
use safetensors::Dtype;
use unet_core::BlockMode::{self, Reuse, Run, Skip};

use crate::support;

const STEPS: usize = 4;
const BLOCKS: usize = 7;

fn model(at: &std::path::Path) -> Pipeline {
    let preset = tiny(hub::preset("sd-turbo").unwrap());
    write_synthetic(&preset, at, Dtype::F32, 5).unwrap();
    Pipeline::from_folder(at, FloatDType::F32, &Device::flex()).unwrap()
}

/// Every block does the same at a step.
fn modes(of_step: [BlockMode; STEPS]) -> BlockWeights {
    let modes = StepMatrix::from_fn(STEPS, BLOCKS, |step, _| of_step[step]);
    BlockWeights::vanilla(STEPS, BLOCKS).with_modes(modes).unwrap()
}

fn latents(pipeline: &Pipeline, request: &SampleRequest, policies: &BatchPolicy) -> Vec<f32> {
    let latents = pipeline.sample(request, policies, &mut |_| Control::Continue).unwrap();
    latents.into_data().iter::<f32>().collect()
}

#[test]
fn reuse_is_neither_a_run_nor_a_skip() {
    let at = tempfile::tempdir().unwrap();
    let pipeline = model(at.path());
    let request = support::request(&pipeline, 4.0, STEPS);
    let of = |of_step| latents(&pipeline, &request, &Policy::from(modes(of_step)).into());
    let all = [of([Run; 4]), of([Run, Reuse, Run, Reuse]), of([Run, Skip, Run, Skip])];
    assert_ne!(all[0], all[1]);
    assert_ne!(all[1], all[2]);
    assert_eq!(all[0], latents(&pipeline, &request, &BatchPolicy::vanilla()));
}

#[test]
fn each_of_a_batch_reuses_its_own_and_both_halves_of_guidance_theirs() {
    let at = tempfile::tempdir().unwrap();
    let pipeline = model(at.path());
    let mut some = StepMatrix::filled(STEPS, BLOCKS, Run);
    (some[1][2], some[2][2], some[3][2], some[3][6]) = (Reuse, Skip, Reuse, Reuse);
    let some = BlockWeights::static_block(STEPS, BLOCKS, 2, 1.2).unwrap().with_modes(some).unwrap();
    let policies = [
        modes([Run, Reuse, Run, Reuse]).into(),
        Policy::default(),
        modes([Run, Run, Reuse, Skip]).into(),
        some.into(),
    ];
    let requests: Vec<SampleRequest> = (0..policies.len() as u64)
        .map(|seed| SampleRequest {
            noise: initial_noise(&[seed], [4, 8, 8], pipeline.device()),
            ..support::request(&pipeline, 4.0, STEPS)
        })
        .collect();
    let alone: Vec<f32> = requests
        .iter()
        .zip(&policies)
        .flat_map(|(request, policy)| latents(&pipeline, request, &policy.into()))
        .collect();
    let joined = SampleRequest::joined(requests.clone()).unwrap();
    assert_eq!(latents(&pipeline, &joined, &Policy::for_batch(policies.clone())), alone);
    // A second run keeps nothing of the first.
    let first = latents(&pipeline, &requests[0], &(&policies[0]).into());
    assert_eq!(first, alone[..first.len()]);
}
