//! Tests of the experiments from outside, in one program: it is linked once.

mod output;
mod paper_path;
mod report;
mod resume;
