//! The picture tower of a contrastive model as a feature network.

use burn::tensor::{Device, Tensor};
use clip::{OpenClipVision, normalize};
use pictures::{Planes, RgbImage};

use super::{Checkpoint, FeatureNetwork};
use crate::MetricsError;
use crate::clip_preprocess::ClipPreprocess;

/// The picture tower of a contrastive model, for CLIP-FID and KID: unit vectors.
#[derive(Debug)]
pub struct ClipFeatures {
    tower: OpenClipVision,
    dims: usize,
    preprocess: ClipPreprocess,
    checkpoint: Checkpoint,
}

impl ClipFeatures {
    /// Takes features from `tower`, which was loaded from `checkpoint`.
    pub fn new(
        tower: OpenClipVision,
        dims: usize,
        preprocess: ClipPreprocess,
        checkpoint: Checkpoint,
    ) -> Self {
        Self { tower, dims, preprocess, checkpoint }
    }
}

impl FeatureNetwork for ClipFeatures {
    fn name(&self) -> String {
        let digest = self.checkpoint.sha256.get(..12).unwrap_or("");
        format!("CLIP {} {digest}", self.checkpoint.file)
    }

    fn dims(&self) -> usize {
        self.dims
    }

    fn device(&self) -> Device {
        self.tower.device()
    }

    fn preprocess(&self, picture: &RgbImage) -> Result<Planes, MetricsError> {
        self.preprocess.apply(picture)
    }

    fn forward(&self, pixels: Tensor<4>) -> Tensor<2> {
        normalize(self.tower.forward(pixels).cast(burn::tensor::DType::F32))
    }
}
