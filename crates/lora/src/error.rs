//! What can go wrong with a LoRA file.

use std::path::PathBuf;

use weights::WeightsError;

/// What can go wrong with a LoRA file.
#[derive(Debug, thiserror::Error)]
pub enum LoraError {
    /// The file could not be read.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// What is to be merged is not said in a form that is understood.
    #[error("`{text}`: {reason}; expected FILE, FILE=STRENGTH or FILE=STRENGTH@BLOCK,BLOCK")]
    Choice {
        /// What was said.
        text: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A tensor is of something other than a LoRA, or of a form of it that is not implemented.
    #[error(
        "`{path}`: `{key}` {reason}; expected tensors of a LoRA (`….lora_down.weight`, \
             `….lora_up.weight`, `….alpha`; `….lora_A.weight`, `….lora_B.weight`)"
    )]
    Key {
        /// The file.
        path: PathBuf,
        /// The tensor.
        key: String,
        /// What it is.
        reason: String,
    },
    /// A tensor has values, a type or a shape that it must not have.
    #[error("`{path}`: `{key}`: {reason}")]
    Tensor {
        /// The file.
        path: PathBuf,
        /// The tensor.
        key: String,
        /// What was expected and what was found.
        reason: String,
    },
    /// Layers of the file that the model does not have.
    #[error(
        "`{path}` does not fit the model, which has no layer for {count} of its {of}, such as \
         `{}`{hint}", keys.join("`, `")
    )]
    Unmatched {
        /// The file.
        path: PathBuf,
        /// How many layers.
        count: usize,
        /// How many layers there are in the file.
        of: usize,
        /// Some of them.
        keys: Vec<String>,
        /// What the file seems to be for, or nothing.
        hint: String,
    },
    /// PEFT's configuration says something that is not implemented, or is none.
    #[error("`{path}`: {reason}")]
    Config {
        /// The LoRA file or the configuration beside it.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The file has nothing in the blocks that were chosen, or the model has no such blocks.
    #[error("`{path}` has no layers in {}; it has some in {}", quoted(.chosen), quoted(.found))]
    Blocks {
        /// The file.
        path: PathBuf,
        /// The chosen blocks without any.
        chosen: Vec<String>,
        /// The blocks with some.
        found: Vec<String>,
    },
}

fn quoted(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
