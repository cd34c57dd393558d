//! A few of the reference outputs of diffusers, kept small; `cargo xtask parity` runs a full set.

use std::path::PathBuf;

use burn::tensor::{Device, FloatDType, Tensor, TensorData};
use safetensors::SafeTensors;
use unet_core::{AddedConditioning, UNet2DConditionConfig, UNet2DConditionModel};

fn folder(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

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

fn check(name: &str, tolerance: f32) {
    let folder = folder(name);
    let device = Device::flex();
    let unet =
        UNet2DConditionModel::from_folder(folder.join("unet"), FloatDType::F32, &device).unwrap();
    let bytes = std::fs::read(folder.join("golden.safetensors")).unwrap();
    let golden = SafeTensors::deserialize(&bytes).unwrap();
    let names = golden.names();
    let cases: Vec<&str> =
        names.iter().filter_map(|name| name.strip_prefix("unet/")?.strip_suffix("/out")).collect();
    assert!(!cases.is_empty());
    for case in cases {
        let key = |part: &str| format!("unet/{case}/{part}");
        let (timesteps, _) = floats(&golden, &key("timestep"));
        let timesteps: Vec<f64> = timesteps.into_iter().map(f64::from).collect();
        let added = names.contains(&key("text_embeds").as_str()).then(|| AddedConditioning {
            text_embeds: tensor(&golden, &key("text_embeds"), &device),
            time_ids: floats(&golden, &key("time_ids"))
                .0
                .chunks(6)
                .map(|row| std::array::from_fn(|i| f64::from(row[i])))
                .collect(),
        });
        let out = unet.forward(
            tensor(&golden, &key("sample"), &device),
            &timesteps,
            tensor(&golden, &key("encoder_hidden_states"), &device),
            added.as_ref(),
            None,
        );
        let expected: Tensor<4> = tensor(&golden, &key("out"), &device);
        let error = (out - expected).abs().max().into_scalar::<f32>();
        assert!(error < tolerance, "{name}, {case}: largest error {error}");
    }
}

#[test]
fn forward_sd_reference_inputs_match_diffusers() {
    check("tiny-sd", 1.5e-4);
}

#[test]
fn forward_sdxl_reference_inputs_match_diffusers() {
    check("tiny-sdxl", 4e-5);
}

#[test]
fn blocks_of_both_families_are_numbered_in_execution_order() {
    let config = |name: &str| {
        UNet2DConditionConfig::from_file(folder(name).join("unet/config.json")).unwrap()
    };
    let paths = |name: &str| -> Vec<String> {
        config(name).blocks().into_iter().map(|block| block.path).collect()
    };
    assert_eq!(
        paths("tiny-sd"),
        [
            "down_blocks.0",
            "down_blocks.1",
            "down_blocks.2",
            "mid_block",
            "up_blocks.1",
            "up_blocks.2",
            "up_blocks.3"
        ]
    );
    assert_eq!(
        paths("tiny-sdxl"),
        ["down_blocks.1", "down_blocks.2", "mid_block", "up_blocks.0", "up_blocks.1"]
    );
    let sd = config("tiny-sd").blocks();
    let transformers: Vec<usize> = sd.iter().map(|block| block.transformers).collect();
    assert_eq!(transformers, [2, 2, 2, 1, 3, 3, 3]);
    assert_eq!(sd[4].comfyui, ["output_3", "output_4", "output_5"]);
    assert_eq!(sd[1].comfyui, ["input_4", "input_5"]);
}
