//! What several benchmarks compute.

#![warn(missing_docs)]

mod shipped;
mod tensors;

pub use shipped::{SHIPPED_UNET, probe_request, shipped_folder, shipped_pipeline};
pub use tensors::normal;
