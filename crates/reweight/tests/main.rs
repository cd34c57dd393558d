//! Tests of re-weighting from outside, in one program: it is linked once.

mod parity;
mod policy;
