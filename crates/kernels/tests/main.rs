//! Tests of the kernels from outside, in one program: it is linked once.

mod half;
mod ops;
mod same_bits;
#[cfg(feature = "tch")]
mod torch;
