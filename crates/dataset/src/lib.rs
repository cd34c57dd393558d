//! Captioned pictures in the Hugging Face `imagefolder` layout.

#![warn(missing_docs)]

mod error;
mod folder;

pub use error::DatasetError;
pub use folder::{Dataset, Example};
