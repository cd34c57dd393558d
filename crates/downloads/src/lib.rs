//! Downloads of models and weights with progress bars on a terminal.

#![warn(missing_docs)]

mod bars;
mod packages;

pub use packages::{fetch, fetch_missing, missing, planned};
