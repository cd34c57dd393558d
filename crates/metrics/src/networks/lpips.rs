//! LPIPS: how different two pictures look.

use std::path::{Path, PathBuf};

use burn::tensor::module::interpolate;
use burn::tensor::ops::{InterpolateMode, InterpolateOptions};
use burn::tensor::{DType, Device, FloatDType, Tensor};
use pictures::{Planes, RgbImage};
use weights::{Tensors, WeightsFile};

use super::Checkpoint;
use super::features::stack;
use super::lpips_files::LpipsTensors;
use super::lpips_trunk::{LpipsNetwork, Trunk};
use crate::MetricsError;

/// LPIPS v0.1 (Zhang et al. 2018): how different two pictures look.
#[derive(Debug)]
pub struct Lpips {
    trunk: Trunk,
    network: LpipsNetwork,
    checkpoints: Vec<Checkpoint>,
    device: Device,
}

/// The distances of a batch of pairs.
#[derive(Debug, Clone, PartialEq)]
pub struct LpipsDistances {
    /// Distance of each pair; 0 for equal pictures.
    pub total: Vec<f64>,
    /// For each pair what each tapped layer contributes.
    pub layers: Vec<Vec<f64>>,
}

/// lpips's constants: pixels in [-1, 1] become those of torchvision's normalisation.
const SHIFT: [f32; 3] = [-0.030, -0.088, -0.188];
const SCALE: [f32; 3] = [0.458, 0.448, 0.450];
/// Keeps the division of a zero vector finite.
const EPS: f64 = 1e-10;

impl Lpips {
    /// The network with random weights, and linear layers of zeros.
    pub fn init(network: LpipsNetwork, device: &Device) -> Self {
        let (trunk, device) = (Trunk::new(network, device), device.clone());
        Self { trunk, network, checkpoints: Vec::new(), device }
    }

    /// Loads the trunk and the linear layers from one file or several: torchvision's
    /// `alexnet-owt-7be5be79.pth`, or its `features` alone, beside lpips's `alex.pth`, a whole lpips
    /// `state_dict`, or the same as safetensors.
    ///
    /// # Errors
    /// [`MetricsError`] naming the file that is broken or lacks something.
    pub fn from_files(
        network: LpipsNetwork,
        paths: &[PathBuf],
        dtype: FloatDType,
        device: &Device,
    ) -> Result<Self, MetricsError> {
        let files = paths.iter().map(WeightsFile::open).collect::<Result<Vec<_>, _>>()?;
        let mut tensors = LpipsTensors::new(network);
        for file in &files {
            tensors.take(file.tensors(), file.path())?;
        }
        let trunk = tensors.load(Trunk::new(network, device), dtype)?;
        let checkpoints = paths.iter().map(Checkpoint::of).collect::<Result<_, _>>()?;
        Ok(Self { trunk, network, checkpoints, device: device.clone() })
    }

    /// Makes it from tensors with torchvision's or lpips's names that came from `path`.
    ///
    /// # Errors
    /// [`MetricsError`] where they do not fit.
    pub fn from_tensors(
        network: LpipsNetwork,
        tensors: Tensors<'_>,
        path: &Path,
        device: &Device,
    ) -> Result<Self, MetricsError> {
        let mut parts = LpipsTensors::new(network);
        parts.take(tensors, path)?;
        let trunk = parts.load(Trunk::new(network, device), FloatDType::F32)?;
        Ok(Self { trunk, network, checkpoints: Vec::new(), device: device.clone() })
    }

    /// What the distances are called.
    pub fn name(&self) -> String {
        format!("LPIPS v0.1 {}", self.network.name())
    }

    /// The files it was loaded from.
    pub fn checkpoints(&self) -> &[Checkpoint] {
        &self.checkpoints
    }

    /// Distances of pairs of pictures, all of one size.
    ///
    /// # Errors
    /// [`MetricsError::Size`] for pictures of different sizes or unequal numbers,
    /// [`MetricsError::TooSmall`] for pictures the network cannot take.
    pub fn distances(
        &self,
        left: &[RgbImage],
        right: &[RgbImage],
    ) -> Result<LpipsDistances, MetricsError> {
        let count = left.len();
        let mut layers = vec![Vec::new(); count];
        for differences in self.differences(left, right)? {
            let [batch, _, height, width] = differences.dims();
            let means = differences.reshape([batch, height * width]).mean_dim(1);
            for (layers, mean) in layers.iter_mut().zip(means.into_data().iter::<f64>()) {
                layers.push(mean);
            }
        }
        Ok(LpipsDistances {
            total: layers.iter().map(|layers| layers.iter().sum()).collect(),
            layers,
        })
    }

    /// Where the pictures differ: the layers' maps, enlarged to the pictures' size and summed;
    /// one map per pair, row by row. Its mean is close to the distance, not equal.
    ///
    /// # Errors
    /// As [`Self::distances`].
    pub fn maps(
        &self,
        left: &[RgbImage],
        right: &[RgbImage],
    ) -> Result<Vec<Vec<f32>>, MetricsError> {
        let (height, width) = left.first().map_or((0, 0), |first| (first.height, first.width));
        let mut sum: Option<Tensor<4>> = None;
        for differences in self.differences(left, right)? {
            let options = InterpolateOptions::new(InterpolateMode::Bilinear)
                .with_output_size([height, width])
                .with_align_corners(false);
            let enlarged = interpolate(differences, options);
            sum = Some(match sum {
                Some(sum) => sum + enlarged,
                None => enlarged,
            });
        }
        let Some(sum) = sum else { return Ok(Vec::new()) };
        let values: Vec<f32> = sum.into_data().iter::<f32>().collect();
        Ok(values.chunks((height * width).max(1)).map(<[f32]>::to_vec).collect())
    }

    /// For each tap the weighted squared differences, `[batch, 1, height, width]`.
    fn differences(
        &self,
        left: &[RgbImage],
        right: &[RgbImage],
    ) -> Result<Vec<Tensor<4>>, MetricsError> {
        check(left, right)?;
        if left.is_empty() {
            return Ok(Vec::new());
        }
        let (first, second) = (self.taps(left)?, self.taps(right)?);
        let weighted = first.into_iter().zip(second).zip(&self.trunk.lins);
        Ok(weighted
            .map(|((a, b), weight)| {
                let difference = unit(a) - unit(b);
                (difference.square() * weight.val().cast(DType::F32)).sum_dim(1)
            })
            .collect())
    }

    fn taps(&self, pictures: &[RgbImage]) -> Result<Vec<Tensor<4>>, MetricsError> {
        let planes: Vec<Planes> = pictures
            .iter()
            .map(|p| p.to_unit().affine([2.0; 3], [-1.0; 3]).normalize(SHIFT, SCALE))
            .collect();
        let dtype = self.trunk.lins.first().map_or(DType::F32, |lin| lin.val().dtype());
        let pixels = stack(&planes, &self.device).cast(dtype);
        let (width, height) = (pictures[0].width, pictures[0].height);
        self.trunk.forward(pixels).map_err(|expected| MetricsError::TooSmall {
            expected,
            found: format!("{width}×{height}"),
        })
    }
}

/// Every position's vector divided by its norm.
fn unit(features: Tensor<4>) -> Tensor<4> {
    let features = features.cast(DType::F32);
    let norm = features.clone().square().sum_dim(1).sqrt();
    features / (norm + EPS)
}

fn check(left: &[RgbImage], right: &[RgbImage]) -> Result<(), MetricsError> {
    if left.len() != right.len() {
        return Err(MetricsError::Size {
            left: format!("{} pictures", left.len()),
            right: format!("{} pictures", right.len()),
        });
    }
    let Some(first) = left.first() else { return Ok(()) };
    let size = |picture: &RgbImage| format!("{}×{}", picture.width, picture.height);
    match left.iter().chain(right).find(|other| size(other) != size(first)) {
        Some(other) => Err(MetricsError::Size { left: size(first), right: size(other) }),
        None => Ok(()),
    }
}
