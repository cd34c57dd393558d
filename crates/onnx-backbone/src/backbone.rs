//! The network that the build made of the ONNX file.

use burn::tensor::{DType, Device, Tensor};
use metrics::{FeatureNetwork, MetricsError};
use pictures::{Filter, Frame, Planes, RgbImage, resize_antialiased};

/// What the build made of the ONNX file.
#[allow(missing_docs, dead_code, clippy::all)]
mod generated {
    include!(concat!(env!("OUT_DIR"), "/backbone/backbone.rs"));
}

/// The network of the ONNX file the crate was built with.
#[derive(Debug)]
pub struct OnnxBackbone {
    model: generated::Model,
    device: Device,
    dims: usize,
    size: [usize; 2],
    mean: [f32; 3],
    std: [f32; 3],
}

impl OnnxBackbone {
    /// The network on `device`, for pictures stretched to `size` (height, width; bilinear with
    /// antialiasing) and normalised by `mean` and `std`.
    pub fn new(size: [usize; 2], mean: [f32; 3], std: [f32; 3], device: &Device) -> Self {
        let model = generated::Model::from_embedded(device);
        let probe = Tensor::zeros([1, 3, size[0], size[1]], (device, DType::F32));
        let dims = model.forward(probe).vectors().dims()[1];
        Self { model, device: device.clone(), dims, size, mean, std }
    }
}

/// What a network may give.
trait Vectors {
    fn vectors(self) -> Tensor<2>;
}

impl Vectors for Tensor<2> {
    fn vectors(self) -> Tensor<2> {
        self
    }
}

impl Vectors for Tensor<4> {
    fn vectors(self) -> Tensor<2> {
        let [batch, channels, height, width] = self.dims();
        self.reshape([batch, channels, height * width]).mean_dim(2).reshape([batch, channels])
    }
}

impl FeatureNetwork for OnnxBackbone {
    fn name(&self) -> String {
        format!("ONNX {} dimensions", self.dims)
    }

    fn dims(&self) -> usize {
        self.dims
    }

    fn device(&self) -> Device {
        self.device.clone()
    }

    fn preprocess(&self, picture: &RgbImage) -> Result<Planes, MetricsError> {
        let frame = Frame::whole(self.size);
        let part = resize_antialiased(&picture.to_unit(), frame, Filter::Bilinear)?;
        Ok(part.normalize(self.mean, self.std))
    }

    fn forward(&self, pixels: Tensor<4>) -> Tensor<2> {
        self.model.forward(pixels).vectors()
    }
}
