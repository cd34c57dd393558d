//! Tests of the program from outside, in one program: it is linked once.

mod commands;
#[cfg(target_os = "linux")]
mod every_option;
mod export;
mod fit;
mod images;
mod importance;
mod loras;
#[cfg(target_os = "linux")]
mod memory;
mod overwriting;
mod sampling;
mod score;
mod skipping;
mod support;
mod tune;
mod wrong_use;
