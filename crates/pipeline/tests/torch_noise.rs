//! Noise as PyTorch makes it on the CPU. The reference and the script that makes it are in
//! `torch-noise-check`; what a GPU makes is tested beside the generator.

use burn::tensor::Device;
use pipeline::{NoiseKind, NoiseSource, Precision};
use serde::Deserialize;

#[derive(Deserialize)]
struct Case {
    seed: u64,
    shape: [usize; 3],
    dtype: String,
    at: Vec<usize>,
    values: Vec<Vec<f32>>,
}

/// Compares with a reference; bounds are of f32, f16 and bf16.
fn check(text: &str, kind: NoiseKind, bounds: [f32; 3]) {
    let cases: Vec<Case> = serde_json::from_str(text).unwrap();
    assert_eq!(cases.len(), 45);
    for case in cases {
        let (dtype, bound) = match case.dtype.as_str() {
            "float16" => (Precision::F16, bounds[1]),
            "bfloat16" => (Precision::BF16, bounds[2]),
            _ => (Precision::F32, bounds[0]),
        };
        let source = NoiseSource { kind, dtype, seeds: vec![case.seed] };
        for (draw, expected) in case.values.iter().enumerate() {
            let noise = source.draw(draw, case.shape, &Device::flex());
            let found: Vec<f32> = noise.into_data().iter::<f32>().collect();
            for (at, expected) in case.at.iter().zip(expected) {
                let Case { seed, shape, dtype, .. } = &case;
                assert!(
                    (found[*at] - expected).abs() <= bound,
                    "seed {seed}, {shape:?}, {dtype}, draw {draw}: value {at} is {}, not {expected}",
                    found[*at]
                );
            }
        }
    }
}

#[test]
fn draw_torch_cpu_gives_the_values_of_torch_2_15() {
    let text = include_str!("torch-noise-check/values.json");
    check(text, NoiseKind::TorchCpu, [0.0, 0.0, 0.0]);
}

#[test]
fn draw_torch_cpu_legacy_gives_the_values_of_torch_2_3() {
    let text = include_str!("torch-noise-check/values-legacy.json");
    // Half types are computed value by value with the C library's logarithm and cosine; the bounds
    // are one unit in the last place of a value from 2 to 4 (f16: 2⁻⁹, bf16: 2⁻⁶), where another
    // library falls on the other side of a rounding, and twice that in the product of two such.
    check(text, NoiseKind::TorchCpuLegacy, [0.0, 4e-3, 3.2e-2]);
}
