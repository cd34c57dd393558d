//! diffusers' `AutoencoderKL` in burn: pictures to latents and back.

#![warn(missing_docs)]

mod coder;
mod config;
mod error;
mod model;
mod tiling;

pub use crate::config::AutoencoderKLConfig;
pub use error::AutoencoderError;
pub use model::{AutoencoderKL, Posterior};
