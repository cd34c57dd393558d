//! Tests of the experiments from outside, in one program: it is linked once.

#[cfg(unix)]
mod cluster;
#[cfg(target_os = "linux")]
mod every_option;
mod output;
mod paper_path;
mod report;
mod resume;
mod skipping;
