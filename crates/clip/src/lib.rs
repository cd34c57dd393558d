//! CLIP's tokenizer and text encoder in burn, as the Stable Diffusion pipelines use them, and
//! OpenCLIP's picture and text towers, as preference scores use them.

#![warn(missing_docs)]

mod clean;
mod config;
mod error;
mod open_clip;
mod text_model;
mod tokenizer;
mod tokenizer_files;

pub use crate::config::{CLIPTextConfig, HiddenAct};
pub use clean::byte_characters;
pub use error::ClipError;
pub use open_clip::{
    OpenClip, OpenClipConfig, OpenClipTextConfig, OpenClipVision, OpenClipVisionConfig, normalize,
};
pub use text_model::{CLIPTextModel, TextOutput};
pub use tokenizer::CLIPTokenizer;
