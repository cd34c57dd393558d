//! What several benchmarks compute.

#![warn(missing_docs)]

mod shipped;
mod tensors;
mod training;

pub use shipped::{SHIPPED_UNET, probe_request, shipped_folder, shipped_pipeline};
pub use tensors::normal;
pub use training::TrainingStep;
