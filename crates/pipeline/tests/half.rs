//! Whole pipelines in half precision against f32, on the CPU.

mod support;

use burn::tensor::{Device, FloatDType};
use pipeline::{Pipeline, tiny, write_synthetic};
use safetensors::Dtype;

fn latents(folder: &std::path::Path, dtype: FloatDType) -> Vec<f32> {
    let pipeline = Pipeline::from_folder(folder, dtype, &Device::flex()).unwrap();
    let latents = support::latents(&pipeline);
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
        // About twice (f16) and four times (bf16) the largest distance that was measured, 1.1 % and
        // 5.2 %: they guard against a regression and say nothing of trained weights.
        for (dtype, bound) in [(FloatDType::F16, 2.5e-2), (FloatDType::BF16, 2e-1)] {
            let found = distance(&latents(&folder, dtype), &full);
            assert!(found < bound, "{} {dtype:?}: {found}", preset.name);
        }
    }
}
