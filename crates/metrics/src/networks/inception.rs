//! Inception-v3 as pytorch-fid has it, for FID and KID.

use std::path::Path;

use burn::module::Module;
use burn::nn::PaddingConfig2d;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::tensor::{Device, FloatDType, Tensor};
use files::FileError;
use pictures::{Planes, RgbImage, resize_bilinear};
use weights::{StoredTensor, Tensors, WeightsError, WeightsFile, load_tensors};

use super::Checkpoint;
use super::features::FeatureNetwork;
use super::inception_blocks::{
    InceptionA, InceptionB, InceptionC, InceptionD, InceptionE, activate, conv, reduce,
};
use crate::MetricsError;

/// Where features are taken; the number is their length (pytorch-fid's `--dims`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum InceptionTap {
    /// After the first maximum.
    D64,
    /// After the second maximum.
    D192,
    /// Before the auxiliary classifier.
    D768,
    /// After the last block: what "FID" means without further words.
    D2048,
}

impl InceptionTap {
    /// The tap with features of length `dims`, `None` for a length there is none of.
    pub fn from_dims(dims: usize) -> Option<Self> {
        [Self::D64, Self::D192, Self::D768, Self::D2048].into_iter().find(|tap| tap.dims() == dims)
    }

    /// Length of a vector.
    pub fn dims(self) -> usize {
        match self {
            Self::D64 => 64,
            Self::D192 => 192,
            Self::D768 => 768,
            Self::D2048 => 2048,
        }
    }
}

/// The Inception-v3 of pytorch-fid, ported from the TensorFlow graph of the original FID: mean
/// pooling that leaves padding out, and a maximum in the last block.
///
/// Pictures are stretched to 299×299 without antialiasing and scaled to [-1, 1].
#[derive(Debug)]
pub struct Inception {
    layers: Layers,
    tap: InceptionTap,
    checkpoint: Option<Checkpoint>,
    device: Device,
}

/// Field names are the file's in lower case.
#[derive(Module, Debug)]
struct Layers {
    conv2d_1a_3x3: Conv2d,
    conv2d_2a_3x3: Conv2d,
    conv2d_2b_3x3: Conv2d,
    conv2d_3b_1x1: Conv2d,
    conv2d_4a_3x3: Conv2d,
    mixed_5b: InceptionA,
    mixed_5c: InceptionA,
    mixed_5d: InceptionA,
    mixed_6a: InceptionB,
    mixed_6b: InceptionC,
    mixed_6c: InceptionC,
    mixed_6d: InceptionC,
    mixed_6e: InceptionC,
    mixed_7a: InceptionD,
    mixed_7b: InceptionE,
    mixed_7c: InceptionE,
}

/// Side of the pictures the network takes.
const SIDE: usize = 299;
/// Epsilon of the batch norms.
const EPS: f32 = 1e-3;

impl Layers {
    fn new(device: &Device) -> Self {
        let valid = |input, output| {
            Conv2dConfig::new([input, output], [3, 3])
                .with_padding(PaddingConfig2d::Valid)
                .init(device)
        };
        Self {
            conv2d_1a_3x3: conv(3, 32, [3, 3], 2, device),
            conv2d_2a_3x3: valid(32, 32),
            conv2d_2b_3x3: conv(32, 64, [3, 3], 1, device),
            conv2d_3b_1x1: conv(64, 80, [1, 1], 1, device),
            conv2d_4a_3x3: valid(80, 192),
            mixed_5b: InceptionA::new(192, 32, device),
            mixed_5c: InceptionA::new(256, 64, device),
            mixed_5d: InceptionA::new(288, 64, device),
            mixed_6a: InceptionB::new(288, device),
            mixed_6b: InceptionC::new(128, device),
            mixed_6c: InceptionC::new(160, device),
            mixed_6d: InceptionC::new(160, device),
            mixed_6e: InceptionC::new(192, device),
            mixed_7a: InceptionD::new(device),
            mixed_7b: InceptionE::new(1280, false, device),
            mixed_7c: InceptionE::new(2048, true, device),
        }
    }

    /// The activations at `tap`, and nothing of the network behind it.
    fn forward(&self, x: Tensor<4>, tap: InceptionTap) -> Tensor<4> {
        let x = activate(&self.conv2d_2a_3x3, activate(&self.conv2d_1a_3x3, x));
        let x = reduce(activate(&self.conv2d_2b_3x3, x));
        if tap == InceptionTap::D64 {
            return x;
        }
        let x = reduce(activate(&self.conv2d_4a_3x3, activate(&self.conv2d_3b_1x1, x)));
        if tap == InceptionTap::D192 {
            return x;
        }
        let x = self.mixed_5d.forward(self.mixed_5c.forward(self.mixed_5b.forward(x)));
        let x = self.mixed_6b.forward(self.mixed_6a.forward(x));
        let x = self.mixed_6e.forward(self.mixed_6d.forward(self.mixed_6c.forward(x)));
        if tap == InceptionTap::D768 {
            return x;
        }
        self.mixed_7c.forward(self.mixed_7b.forward(self.mixed_7a.forward(x)))
    }
}

impl Inception {
    /// The network with random weights.
    pub fn init(tap: InceptionTap, device: &Device) -> Self {
        Self { layers: Layers::new(device), tap, checkpoint: None, device: device.clone() }
    }

    /// Loads `pt_inception-2015-12-05-6726825d.pth`, or the same weights as safetensors.
    ///
    /// # Errors
    /// [`MetricsError`] where the file cannot be read or does not fit.
    pub fn from_file(
        path: impl AsRef<Path>,
        tap: InceptionTap,
        dtype: FloatDType,
        device: &Device,
    ) -> Result<Self, MetricsError> {
        let path = path.as_ref();
        let file = WeightsFile::open(path)?;
        let mut network = Self::from_tensors(file.tensors(), path, tap, dtype, device)?;
        network.checkpoint = Some(Checkpoint::of(path)?);
        Ok(network)
    }

    /// Makes the network from tensors with pytorch-fid's names that came from `path`.
    ///
    /// # Errors
    /// [`MetricsError::Weights`] where they do not fit.
    pub fn from_tensors(
        tensors: Tensors<'_>,
        path: &Path,
        tap: InceptionTap,
        dtype: FloatDType,
        device: &Device,
    ) -> Result<Self, MetricsError> {
        let folded = fold_norms(tensors).map_err(|source| {
            WeightsError::from(FileError { path: path.into(), reason: source })
        })?;
        let layers = load_tensors(Layers::new(device), folded, path, dtype)?;
        Ok(Self { layers, tap, checkpoint: None, device: device.clone() })
    }

    /// The file it was loaded from.
    pub fn checkpoint(&self) -> Option<&Checkpoint> {
        self.checkpoint.as_ref()
    }

    /// The same weights with features taken at `tap`.
    pub fn with_tap(mut self, tap: InceptionTap) -> Self {
        self.tap = tap;
        self
    }
}

/// Replaces each `x.conv.weight` and the batch norm `x.bn.…` by `x.weight` and `x.bias`; leaves the
/// classifier out, which is not used.
fn fold_norms(tensors: Tensors<'_>) -> std::io::Result<Tensors<'static>> {
    let mut folded = Tensors::new();
    for (name, tensor) in &tensors {
        let Some(layer) = name.strip_suffix(".conv.weight") else { continue };
        let part = |suffix: &str| -> std::io::Result<Option<Vec<f32>>> {
            tensors.get(&format!("{layer}.bn.{suffix}")).map_or(Ok(None), StoredTensor::to_f32)
        };
        let Some(weights) = tensor.to_f32()? else { continue };
        let (Some(scale), Some(shift), Some(mean), Some(variance)) =
            (part("weight")?, part("bias")?, part("running_mean")?, part("running_var")?)
        else {
            continue;
        };
        let channels = tensor.shape().first().copied().unwrap_or(0);
        if [&scale, &shift, &mean, &variance].iter().any(|values| values.len() != channels) {
            continue;
        }
        let factors: Vec<f32> =
            scale.iter().zip(&variance).map(|(scale, v)| scale / (v + EPS).sqrt()).collect();
        let bias = (0..channels).map(|c| shift[c] - mean[c] * factors[c]).collect();
        let per_channel = (weights.len() / channels.max(1)).max(1);
        let values = weights
            .chunks(per_channel)
            .zip(&factors)
            .flat_map(|(weights, factor)| weights.iter().map(move |w| w * factor))
            .collect();
        let shape = tensor.shape().to_vec();
        let layer = layer.to_lowercase();
        folded.insert(format!("{layer}.weight"), StoredTensor::Owned { shape, values });
        let bias = StoredTensor::Owned { shape: vec![channels], values: bias };
        folded.insert(format!("{layer}.bias"), bias);
    }
    folded.retain(|name, _| !name.starts_with("auxlogits."));
    Ok(folded)
}

impl FeatureNetwork for Inception {
    fn name(&self) -> String {
        format!("Inception-v3 (pytorch-fid) {}", self.tap.dims())
    }

    fn dims(&self) -> usize {
        self.tap.dims()
    }

    fn device(&self) -> Device {
        self.device.clone()
    }

    fn preprocess(&self, picture: &RgbImage) -> Result<Planes, MetricsError> {
        let square = resize_bilinear(&picture.to_unit(), [SIDE, SIDE])?;
        Ok(square.affine([2.0; 3], [-1.0; 3]))
    }

    fn forward(&self, pixels: Tensor<4>) -> Tensor<2> {
        let dtype = self.layers.conv2d_1a_3x3.weight.val().dtype();
        let maps = self.layers.forward(pixels.cast(dtype), self.tap);
        let [batch, channels, height, width] = maps.dims();
        maps.cast(burn::tensor::DType::F32)
            .reshape([batch, channels, height * width])
            .mean_dim(2)
            .reshape([batch, channels])
    }
}
