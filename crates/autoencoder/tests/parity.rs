//! A few of the reference outputs of diffusers; `cargo xtask parity` runs a full set.

use std::path::Path;

use autoencoder::AutoencoderKL;
use burn::tensor::{Device, FloatDType, Tensor, TensorData};
use safetensors::SafeTensors;

#[test]
fn encode_and_decode_odd_sizes_match_diffusers() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let device = Device::flex();
    let vae = AutoencoderKL::from_folder(folder.join("vae"), FloatDType::F32, &device).unwrap();
    let bytes = std::fs::read(folder.join("golden.safetensors")).unwrap();
    let golden = SafeTensors::deserialize(&bytes).unwrap();
    let tensor = |name: &str| -> Tensor<4> {
        let view = golden.tensor(name).unwrap();
        let values: Vec<f32> = view
            .data()
            .chunks_exact(4)
            .map(|b| f32::from_le_bytes(b.try_into().unwrap()))
            .collect();
        Tensor::from_data(TensorData::new(values, view.shape().to_vec()), &device)
    };
    let close = |a: Tensor<4>, b: Tensor<4>| (a - b).abs().max().into_scalar::<f32>() < 1e-4;
    let posterior = vae.encode(tensor("vae/enc_odd/image"));
    assert!(close(posterior.mean, tensor("vae/enc_odd/mean")));
    assert!(close(posterior.logvar, tensor("vae/enc_odd/logvar")));
    assert!(close(vae.decode(tensor("vae/dec_odd/latent")), tensor("vae/dec_odd/out")));
}
