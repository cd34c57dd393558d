//! Re-weighting and FreeU against a few reference outputs; `cargo xtask parity` runs a full set.

use std::path::Path;

use burn::tensor::{Device, FloatDType, Tensor, TensorData};
use reweight::{BlockWeights, FreeU, StepMatrix};
use safetensors::{Dtype, SafeTensors};
use unet_core::{Intervention, UNet2DConditionModel};

struct Reference {
    bytes: Vec<u8>,
    unet: UNet2DConditionModel,
    device: Device,
}

impl Reference {
    fn load() -> Self {
        let own = Path::new(env!("CARGO_MANIFEST_DIR"));
        let folder = own.join("../unet-core/tests/fixtures/tiny-sd");
        let device = Device::flex();
        let unet = UNet2DConditionModel::from_folder(folder.join("unet"), FloatDType::F32, &device);
        let bytes = std::fs::read(folder.join("golden.safetensors")).unwrap();
        Self { bytes, unet: unet.unwrap(), device }
    }

    fn values(&self, name: &str) -> (Vec<f64>, Vec<usize>) {
        let file = SafeTensors::deserialize(&self.bytes).unwrap();
        let view = file.tensor(name).unwrap();
        let values = match view.dtype() {
            Dtype::F64 => view
                .data()
                .chunks_exact(8)
                .map(|b| f64::from_le_bytes(b.try_into().unwrap()))
                .collect(),
            _ => view
                .data()
                .chunks_exact(4)
                .map(|b| f64::from(f32::from_le_bytes(b.try_into().unwrap())))
                .collect(),
        };
        (values, view.shape().to_vec())
    }

    fn tensor<const D: usize>(&self, name: &str) -> Tensor<D> {
        let (values, shape) = self.values(name);
        let values: Vec<f32> = values.into_iter().map(|value| value as f32).collect();
        Tensor::from_data(TensorData::new(values, shape), &self.device)
    }

    fn error(&self, inputs: &str, out: &str, intervention: &dyn Intervention) -> f32 {
        let (timesteps, _) = self.values(&format!("{inputs}/timestep"));
        let found = self.unet.forward(
            self.tensor(&format!("{inputs}/sample")),
            &timesteps,
            self.tensor(&format!("{inputs}/encoder_hidden_states")),
            None,
            Some(intervention),
        );
        (found - self.tensor::<4>(out)).abs().max().into_scalar::<f32>()
    }
}

#[test]
fn weights_and_skips_match_the_published_forward_pass() {
    let reference = Reference::load();
    for case in ["rand_0", "skip_pair_1_5", "boundary_alternate", "zero_weight_not_skip"] {
        let (weights, _) = reference.values(&format!("rw/{case}/weights"));
        let (thresholds, _) = reference.values(&format!("rw/{case}/thresholds"));
        let one_step = |row| StepMatrix::from_rows(vec![row]).unwrap();
        let weights = BlockWeights::new(one_step(weights)).unwrap();
        let weights = weights.with_thresholds(one_step(thresholds)).unwrap();
        let step = weights.at_step(0).unwrap();
        let error = reference.error("rw", &format!("rw/{case}/out"), &step);
        assert!(error < 1.5e-4, "{case}: largest error {error}");
    }
}

#[test]
fn freeu_odd_sizes_match_diffusers() {
    let reference = Reference::load();
    let identity = FreeU::constant(1.0, 1.0, 1.0, 1.0);
    for (name, freeu) in [("sd21", FreeU::SD21), ("sdxl", FreeU::SDXL), ("ident", identity)] {
        let error = reference.error("freeu/odd2", &format!("freeu/odd2/out_{name}"), &freeu);
        assert!(error < 1.5e-4, "{name}: largest error {error}");
    }
}
