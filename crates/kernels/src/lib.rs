//! Activations, norms, convolutions and attention in the form that is fastest on the device at
//! hand: kernels of our own for f32 on the CPU, PyTorch's on LibTorch's devices, burn's operations
//! everywhere else. And the optimizer's arithmetic on vectors in the CPU's memory.

#![warn(missing_docs)]
// Code that the compiler cannot check: matrix products and outputs that tasks share.
#![allow(unsafe_code)]
// burn means to drop LibTorch for kernels of its own, which were several times slower on a GPU.
#![cfg_attr(feature = "tch", allow(deprecated))]

mod activation;
mod autodiff;
mod convolution;
mod cpu;
mod device;
mod extension;
mod gradients;
mod lanes;
mod layer;
pub mod optimizer;
mod shapes;
#[cfg(feature = "tch")]
mod torch;
#[cfg(feature = "tch")]
mod torch_graph;
mod unfolded;
mod workers;

pub use activation::{geglu, gelu, quick_gelu, silu};
pub use convolution::{conv2d, doubled_conv2d, group_norm_silu_conv2d};
pub use device::is_torch;
pub use lanes::Lanes;
pub use layer::{
    attention, group_norm, group_norm_silu, layer_norm, linear, linear_geglu, linear_to_features,
};
#[cfg(feature = "tch")]
pub use torch_graph::TorchGraph;
pub use workers::{on_workers, worker_count};
