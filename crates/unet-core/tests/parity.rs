//! A few of the reference outputs of diffusers, kept small; `cargo xtask parity` runs a full set.

use std::path::Path;

use burn::tensor::{Device, FloatDType, Tensor, TensorData};
use safetensors::SafeTensors;
use unet_core::UNet2DConditionModel;

fn floats(file: &SafeTensors<'_>, name: &str) -> (Vec<f32>, Vec<usize>) {
    let view = file.tensor(name).unwrap();
    let values =
        view.data().chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect();
    (values, view.shape().to_vec())
}

fn tensor<const D: usize>(file: &SafeTensors<'_>, name: &str, device: &Device) -> Tensor<D> {
    let (values, shape) = floats(file, name);
    Tensor::from_data(TensorData::new(values, shape), device)
}

#[test]
fn forward_reference_inputs_match_diffusers() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tiny-sd");
    let device = Device::flex();
    let unet =
        UNet2DConditionModel::from_folder(folder.join("unet"), FloatDType::F32, &device).unwrap();
    let bytes = std::fs::read(std::env::var("G").unwrap()).unwrap();
    let golden = SafeTensors::deserialize(&bytes).unwrap();
    let cases: Vec<String> = golden
        .names()
        .iter()
        .filter_map(|name| name.strip_prefix("unet/")?.strip_suffix("/out"))
        .map(String::from)
        .collect();
    assert!(!cases.is_empty());
    for case in cases {
        let key = |part: &str| format!("unet/{case}/{part}");
        let (timesteps, _) = floats(&golden, &key("timestep"));
        let timesteps: Vec<f64> = timesteps.into_iter().map(f64::from).collect();
        let out = unet.forward(
            tensor(&golden, &key("sample"), &device),
            &timesteps,
            tensor(&golden, &key("encoder_hidden_states"), &device),
            None,
            None,
        );
        let expected: Tensor<4> = tensor(&golden, &key("out"), &device);
        let error = (out - expected).abs().max().into_scalar::<f32>();
        println!("{case} {error}");
        assert!(error < 1.5e-4, "{case}: largest error {error}");
    }
}
