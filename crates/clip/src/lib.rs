//! CLIP's tokenizer and text encoder in burn, as the Stable Diffusion pipelines use them.

#![warn(missing_docs)]

mod clean;
mod config;
mod error;
mod text_model;
mod tokenizer;

pub use clean::byte_characters;
pub use config::{CLIPTextConfig, HiddenAct};
pub use error::ClipError;
pub use text_model::{CLIPTextModel, TextOutput};
pub use tokenizer::CLIPTokenizer;
