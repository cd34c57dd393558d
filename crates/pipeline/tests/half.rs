//! Whole pipelines in half precision against f32, on the CPU.

use burn::tensor::{Device, FloatDType};
use pipeline::{Control, Guidance, Pipeline, SampleRequest, initial_noise, tiny, write_synthetic};
use safetensors::Dtype;
use scheduler::SchedulerKind;

/// The latents after two guided steps.
fn latents(folder: &std::path::Path, dtype: FloatDType) -> Vec<f32> {
    let pipeline = Pipeline::from_folder(folder, dtype, &Device::flex()).unwrap();
    let prompts = pipeline.encode_prompts(&["a red car".into()]).unwrap();
    let negative = pipeline.encode_negative(None, &prompts).unwrap();
    let request = SampleRequest {
        prompts,
        guidance: Some(Guidance { scale: 4.0, negative }),
        noise: initial_noise(&[7], [4, 8, 8], pipeline.device()),
        fresh_noise: None,
        scheduler: SchedulerKind::Ddim,
        steps: 2,
        sizes: None,
    };
    let latents = pipeline.sample(&request, None, &mut |_, _| Control::Continue).unwrap();
    let decoded = pipeline.decode(latents.clone());
    assert!(decoded.into_data().iter::<f32>().all(f32::is_finite));
    latents.into_data().iter::<f32>().collect()
}

fn distance(a: &[f32], b: &[f32]) -> f64 {
    let square = |x: f32| f64::from(x).powi(2);
    let difference: f64 = a.iter().zip(b).map(|(a, b)| square(a - b)).sum();
    (difference / b.iter().map(|b| square(*b)).sum::<f64>()).sqrt()
}

#[test]
fn sample_in_half_precision_stays_within_a_stated_distance_of_f32() {
    for preset in ["sd-turbo", "sd-2.1", "sdxl-base"] {
        let at = tempfile::tempdir().unwrap();
        let folder = at.path().join("model");
        let preset = tiny(hub::preset(preset).unwrap());
        // Weights that both half types hold exactly would hide nothing: they are stored in f32.
        write_synthetic(&preset, &folder, Dtype::F32, 5).unwrap();
        let full = latents(&folder, FloatDType::F32);
        for (dtype, bound) in [(FloatDType::F16, 2.5e-2), (FloatDType::BF16, 2e-1)] {
            let found = distance(&latents(&folder, dtype), &full);
            assert!(found < bound, "{} {dtype:?}: {found}", preset.name);
        }
    }
}
