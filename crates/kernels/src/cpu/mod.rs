//! The layers' arithmetic on plain `f32` slices, forward and backward.
//!
//! Every forward kernel computes each sample with matrix products whose sizes do not depend on
//! the batch or on the number of threads. That makes a sample's result bit-identical in every
//! batch, which the importance probe relies on.

pub(crate) mod activation;
pub(crate) mod attention;
pub(crate) mod conv;
mod disjoint;
pub(crate) mod gated;
pub(crate) mod linear;
pub(crate) mod matmul;
pub(crate) mod norm;
mod scratch;
mod simd;
mod sums;
