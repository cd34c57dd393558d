//! Tests of the probe from outside, in one program: it is linked once.

mod evaluator;
mod fit;
mod importance;
mod pictures;
mod search;
