//! Tests of pruning from outside, in one program: it is linked once.

mod fine_tuning;
mod reuse;
