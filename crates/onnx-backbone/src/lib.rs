//! A feature network of the user's own, from an ONNX file.
//!
//! With the feature `onnx` the build translates the file that the environment variable
//! `METRIC_ONNX` names into Rust, weights included, and `OnnxBackbone` measures pictures with it
//! wherever a `FeatureNetwork` is asked for: FID and KID. Without the feature this crate is empty and
//! costs nothing.
//!
//! The network must take one tensor `[batch, 3, height, width]` and give one, `[batch, dims]` or
//! `[batch, dims, height, width]`, of which the mean over positions is taken.

#![warn(missing_docs)]

#[cfg(feature = "onnx")]
mod backbone;

#[cfg(feature = "onnx")]
pub use backbone::OnnxBackbone;
