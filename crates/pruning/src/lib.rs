//! Dynamic attention pruning (Sec. III-G of *Dynamic Importance in Diffusion U-Net for Enhanced
//! Image Synthesis*): a student that skips attention blocks at some steps is fine-tuned towards
//! its teacher, the same U-Net that skips nothing.

#![warn(missing_docs)]

mod checkpoint;
mod error;
mod student;

pub use error::PruningError;
pub use student::{FineTuning, Progress, Student, fine_tune};
