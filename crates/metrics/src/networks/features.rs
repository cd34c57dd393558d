//! Networks that turn pictures into vectors, and the vectors of many pictures.

use burn::tensor::{DType, Device, Tensor, TensorData};
use pictures::{PictureError, Planes, RgbImage};
use rayon::prelude::*;

use crate::MetricsError;

/// A network that turns a picture into a vector.
pub trait FeatureNetwork: Sync {
    /// What the features are called where they are stored or printed, version included.
    fn name(&self) -> String;
    /// Length of a vector.
    fn dims(&self) -> usize;
    /// The device it runs on.
    fn device(&self) -> Device;
    /// A picture as the network takes it; all results have one size.
    ///
    /// # Errors
    /// [`MetricsError`] for a picture without pixels.
    fn preprocess(&self, picture: &RgbImage) -> Result<Planes, MetricsError>;
    /// # Shapes
    /// - pixels: `[batch, 3, height, width]` of preprocessed pictures
    /// - output: `[batch, dims]`
    fn forward(&self, pixels: Tensor<4>) -> Tensor<2>;
}

/// The vectors of several pictures.
#[derive(Debug, Clone, PartialEq)]
pub struct Features {
    /// Name of the network.
    pub network: String,
    /// Length of a vector.
    pub dims: usize,
    /// One vector after the other.
    pub values: Vec<f64>,
}

impl Features {
    /// Number of pictures.
    pub fn count(&self) -> usize {
        self.values.len() / self.dims.max(1)
    }

    /// Checks that all values are finite.
    ///
    /// # Errors
    /// [`MetricsError::NotFinite`] with the first that is not.
    pub(crate) fn check(&self) -> Result<(), MetricsError> {
        match self.values.iter().copied().find(|value| !value.is_finite()) {
            Some(found) => Err(MetricsError::NotFinite { what: "features of the pictures", found }),
            None => Ok(()),
        }
    }

    /// The vectors.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &[f64]> {
        self.values.chunks_exact(self.dims.max(1))
    }
}

/// Stacks preprocessed pictures of one size to `[batch, 3, height, width]`, f32.
pub fn stack(pictures: &[Planes], device: &Device) -> Tensor<4> {
    let (height, width) = pictures.first().map_or((0, 0), |first| (first.height, first.width));
    let values: Vec<f32> = pictures.iter().flat_map(|planes| planes.values.clone()).collect();
    let data = TensorData::new(values, [pictures.len(), 3, height, width]);
    Tensor::from_data(data, (device, DType::F32))
}

/// Runs `network` over `count` pictures in batches of `batch`; results do not depend on it.
///
/// `open` gives the picture at an index, `progress` is told the number of pictures done.
///
/// # Errors
/// What `open` or the network's preprocessing fails with.
pub fn extract(
    network: &dyn FeatureNetwork,
    count: usize,
    open: &(dyn Fn(usize) -> Result<RgbImage, PictureError> + Sync),
    batch: usize,
    progress: &mut dyn FnMut(usize),
) -> Result<Features, MetricsError> {
    let mut values = Vec::with_capacity(count * network.dims());
    let device = network.device();
    let indices: Vec<usize> = (0..count).collect();
    for chunk in indices.chunks(batch.max(1)) {
        let pictures: Vec<Planes> = chunk
            .par_iter()
            .map(|index| network.preprocess(&open(*index)?))
            .collect::<Result<_, MetricsError>>()?;
        let output = network.forward(stack(&pictures, &device)).cast(DType::F32);
        values.extend(output.into_data().iter::<f64>());
        progress(chunk.last().map_or(0, |last| last + 1));
    }
    Ok(Features { network: network.name(), dims: network.dims(), values })
}
