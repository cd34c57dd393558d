//! Tests of the probe from outside, in one program: it is linked once.

mod effects;
mod evaluator;
mod fast;
mod importance;
mod search;
mod support;
