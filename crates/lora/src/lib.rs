//! LoRA files (*low-rank adaptations*, [arXiv 2106.09685](https://arxiv.org/abs/2106.09685)), merged
//! into a model's weights while they are loaded: `W + strength · α/r · up · down`.
//!
//! A file is read under the names that kohya's scripts, LDM-based tools, diffusers (of all versions)
//! and PEFT give to the same layers, and fitted to a model that says its weights' names and shapes
//! ([`Part`]). Whatever does not fit, and whatever is not a LoRA (DoRA, LoHa, LoKr …), is an error that
//! names the file and the key; nothing is left out.
//!
//! ```
//! use lora::LoraChoice;
//!
//! let choice: LoraChoice = "style.safetensors=0.8@up_blocks.1,text_encoder".parse()?;
//! assert_eq!((choice.strength, choice.blocks.len()), (0.8, 2));
//! # Ok::<(), lora::LoraError>(())
//! ```

#![warn(missing_docs)]

mod choice;
mod config;
mod error;
mod file;
mod fit;
mod key;
mod low_rank;
mod names;

pub use choice::LoraChoice;
pub use error::LoraError;
pub use file::LoraFile;
pub use fit::FittedLayer;
pub use low_rank::LowRank;
pub use names::{Part, PartKind};
