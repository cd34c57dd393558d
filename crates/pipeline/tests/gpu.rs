//! Runs on a GPU, or on a processor that stands in for one, against the CPU.

use burn::tensor::{Device, FloatDType};
use pipeline::{
    Control, DeviceChoice, Pipeline, SampleRequest, initial_noise, tiny, write_synthetic,
};
use reweight::{BlockWeights, FreeU, Policy, StepMatrix};
use safetensors::Dtype;
use unet_core::BlockMode::{Reuse, Run, Skip};

use crate::support;

const STEPS: usize = 3;

/// One sample is vanilla; the others are re-weighted, with blocks skipped and used again, with
/// FreeU, and with both.
fn policies(blocks: usize) -> Vec<Policy> {
    let weights = BlockWeights::static_block(STEPS, blocks, 1, 1.2).unwrap();
    let mut modes = StepMatrix::filled(STEPS, blocks, Run);
    (modes[0][0], modes[1][2], modes[2][1]) = (Skip, Reuse, Reuse);
    let modes = weights.with_modes(modes).unwrap();
    let freeu = Some(FreeU::constant(1.1, 1.2, 0.9, 0.2));
    vec![
        Policy::default(),
        modes.clone().into(),
        Policy { freeu, ..Policy::default() },
        Policy { freeu, ..modes.into() },
    ]
}

/// Latents and pictures of four samples in one batch, each with a policy of its own.
fn run(folder: &std::path::Path, device: &Device) -> [Vec<f32>; 2] {
    let pipeline = Pipeline::from_folder(folder, FloatDType::F32, device).unwrap();
    let requests = (0..4)
        .map(|seed| SampleRequest {
            noise: initial_noise(&[seed], [4, 8, 8], pipeline.device()),
            ..support::request(&pipeline, 4.0, STEPS)
        })
        .collect();
    let joined = SampleRequest::joined(requests).unwrap();
    let blocks = pipeline.unet().config().num_attention_blocks();
    let policies = Policy::for_batch(policies(blocks));
    let latents = pipeline.sample(&joined, &policies, &mut |_| Control::Continue).unwrap();
    let decoded = pipeline.decode(latents.clone()).unwrap();
    [latents, decoded].map(|tensor| tensor.into_data().iter::<f32>().collect())
}

#[test]
fn latents_and_pictures_of_a_gpu_are_those_of_the_cpu_within_a_thousandth() {
    let mut found = 0;
    let torch = [DeviceChoice::Torch(Some(0)), DeviceChoice::Torch(None)];
    for choice in [DeviceChoice::Cuda(0), DeviceChoice::Wgpu(0)].into_iter().chain(torch) {
        let device = match choice.open() {
            Ok(device) => device,
            Err(reason) => {
                eprintln!("not run on {choice}: {reason}");
                continue;
            }
        };
        found += 1;
        assert_eq!(DeviceChoice::of(&device), Some(choice));
        for preset in ["sd-turbo", "sdxl-base"] {
            let at = tempfile::tempdir().unwrap();
            let preset = tiny(hub::preset(preset).unwrap());
            write_synthetic(&preset, at.path(), Dtype::F32, 5).unwrap();
            let (ours, cpu) = (run(at.path(), &device), run(at.path(), &Device::flex()));
            for (ours, cpu) in ours.iter().zip(&cpu) {
                let largest = cpu.iter().fold(0.0f32, |largest, value| largest.max(value.abs()));
                let pairs = ours.iter().zip(cpu);
                let error = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max) / largest;
                eprintln!("{} on {choice}: {error:.1e} of the largest value", preset.name);
                assert!(error < 1e-3, "{} on {choice}: {error}", preset.name);
            }
        }
    }
    assert!(found > 0, "no GPU was found");
}
