//! CLIP's tokenizer and text encoder in burn, as the Stable Diffusion pipelines use them, and
//! OpenCLIP's picture and text towers, as preference scores use them.
//!
//! ```
//! use clip::CLIPTokenizer;
//!
//! let tokenizer = CLIPTokenizer::openai("<|endoftext|>")?;
//! assert_eq!(tokenizer.tokenize("a photo"), [320, 1125]);
//! assert_eq!(tokenizer.encode("a photo").len(), 77);
//! # Ok::<(), clip::ClipError>(())
//! ```
//!
//! The example `tokens` prints those of a prompt.

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
