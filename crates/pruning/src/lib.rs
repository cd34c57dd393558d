//! Dynamic attention pruning (Sec. III-G of *Dynamic Importance in Diffusion U-Net for Enhanced
//! Image Synthesis*): which attention blocks are skipped at which step, the student that is
//! fine-tuned towards its teacher (the same U-Net, skipping nothing) to make up for it, and how far
//! its pictures are from the teacher's. Also which blocks a run leaves out to stay within a budget,
//! without any fine-tuning.

#![warn(missing_docs)]

mod budget;
mod checkpoint;
mod distances;
mod error;
mod settings;
mod skips;
mod strategies;
mod student;
mod task;

pub use budget::{MAX_AGE, Omission, ReuseLosses, SkipCosts, SkipLosses, SkipPlan, time_runs};
pub use distances::{DistanceNetworks, Distances, TeacherPictures};
pub use error::PruningError;
pub use settings::FineTuning;
pub use skips::{SKIP_THRESHOLD, SkipSets};
pub use strategies::{
    MAX_STRATEGIES, Origin, Strategy, distinct_skips, skip_strategies, static_strategies,
    strategies, strategy_count,
};
pub use student::{Progress, Student, fine_tune, teacher};
pub use task::STUDENT_VERSION;
