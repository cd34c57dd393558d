//! Tests of the probe from outside, in one program: it is linked once.

mod effects;
mod evaluator;
mod fast;
mod fit;
mod importance;
mod pictures;
mod search;
mod support;
mod tune;
