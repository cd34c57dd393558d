//! Tests of the probe from outside, in one program: it is linked once.

mod evaluator;
mod importance;
mod search;
