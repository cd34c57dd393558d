//! The shipped models give the same pictures as diffusers from the same latents. The references are
//! in their folders, the script that makes them in `models/emoji-sd/diffusers-check`.

use std::path::Path;

use burn::tensor::{Device, FloatDType, Tensor, TensorData};
use pipeline::{Control, Guidance, Pipeline, SampleRequest};
use reweight::BatchPolicy;
use safetensors::SafeTensors;
use scheduler::SchedulerKind;

#[test]
fn sample_shipped_models_match_diffusers() {
    matches_diffusers("emoji-sd", 4, 3.0);
    matches_diffusers("emoji-turbo", 2, 0.0);
}

fn matches_diffusers(name: &str, steps: usize, scale: f64) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models").join(name);
    let device = Device::flex();
    let pipeline = Pipeline::from_folder(&folder, FloatDType::F32, &device).unwrap();
    let bytes = std::fs::read(folder.join("diffusers-check/golden.safetensors")).unwrap();
    let golden = SafeTensors::deserialize(&bytes).unwrap();
    let floats = |name: &str| -> Vec<f32> {
        let view = golden.tensor(name).unwrap();
        view.data().chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect()
    };
    let prompts = pipeline.encode_prompts(&["a cartoon of a dragon".to_string()]).unwrap();
    let negative = pipeline.encode_negative(None, &prompts).unwrap();
    let noise = TensorData::new(floats("initial"), [1, 4, 16, 16]);
    let request = SampleRequest {
        prompts,
        guidance: Some(Guidance { scale, negative }),
        noise: Tensor::from_data(noise, &device),
        fresh_noise: None,
        scheduler: SchedulerKind::Ddim,
        scheduler_config: pipeline.scheduler_config().clone(),
        steps,
        sizes: None,
    };
    let mut after: Vec<f32> = Vec::new();
    let latents = pipeline
        .sample(&request, &BatchPolicy::vanilla(), &mut |step| {
            after.extend(step.latents.clone().into_data().iter::<f32>());
            Control::Continue
        })
        .unwrap();
    let largest = |a: &[f32], b: &[f32]| {
        assert_eq!(a.len(), b.len());
        a.iter().zip(b).fold(0.0f32, |largest, (a, b)| largest.max((a - b).abs()))
    };
    let error = largest(&after, &floats("latents"));
    assert!(error < 2e-3, "{name}: latents: largest error {error}");
    let decoded: Tensor<4> = (pipeline.decode(latents).unwrap() / 2.0 + 0.5).clamp(0.0, 1.0);
    let picture: Vec<f32> = decoded.permute([0, 2, 3, 1]).into_data().iter::<f32>().collect();
    let error = largest(&picture, &floats("picture_hwc"));
    assert!(error < 2e-3, "{name}: picture: largest error {error}");
}
