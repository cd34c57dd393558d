//! Tests of the program from outside, in one program: it is linked once.

mod commands;
mod overwriting;
mod score;
mod support;
mod wrong_use;
