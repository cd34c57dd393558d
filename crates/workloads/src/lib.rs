//! What several benchmarks compute.

#![warn(missing_docs)]

mod median;
mod shipped;
mod tensors;
mod training;

pub use median::median;
pub use shipped::{SHIPPED_UNET, guided_request, probe_request, shipped_folder, shipped_pipeline};
pub use tensors::normal;
pub use training::TrainingStep;
