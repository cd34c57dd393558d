//! Tests of the trainer from outside, in one program: it is linked once.

mod common;
#[cfg(target_os = "linux")]
mod every_option;
mod quality;
mod recipes;
mod resume;
mod start;
