//! Tests of the program from outside, in one program: it is linked once.

mod commands;
mod fit;
mod importance;
mod loras;
mod overwriting;
mod score;
mod skipping;
mod support;
mod tune;
mod wrong_use;
