//! One strict reader for the JSON configurations of models: every key is taken by name, every value
//! is of a known type and range, and a key that nobody takes is an error that names it.

#![warn(missing_docs)]

mod error;
mod keys;
mod python;
mod show;
mod take;

pub use error::ConfigError;
pub use keys::Keys;
