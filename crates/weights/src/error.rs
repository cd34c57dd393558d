//! What can go wrong while weights are read or written.

use std::path::PathBuf;

use files::FileError;

use crate::{Mismatch, Unfit};

/// What can go wrong while weights are read or written.
#[derive(Debug, thiserror::Error)]
pub enum WeightsError {
    /// The operating system could not open, read or write the file.
    #[error(transparent)]
    File(#[from] FileError),
    /// The file is neither safetensors nor a PyTorch checkpoint.
    #[error("`{path}` is {found}; expected safetensors or a PyTorch checkpoint")]
    Kind {
        /// The file.
        path: PathBuf,
        /// What it is.
        found: &'static str,
    },
    /// The file is no valid safetensors file (truncated, oversized header, broken JSON …).
    #[error("`{path}` is not a valid safetensors file: {reason}")]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The file is a broken PyTorch checkpoint, or one that asks for more than tensors.
    #[error("`{path}` is not a PyTorch checkpoint that can be read: {reason}")]
    Torch {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The index of a sharded checkpoint names a file wrongly or is no index.
    #[error("`{path}` is not a valid safetensors index: {reason}")]
    Index {
        /// The index file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The file holds an adapter, not a model's own weights.
    #[error(
        "`{path}` is a LoRA adapter, not the weights of a model: name a model, and this file with \
         `--lora`"
    )]
    Adapter {
        /// The file.
        path: PathBuf,
    },
    /// A tensor does not have the form in which files of this kind have it.
    #[error("`{path}`: {unfit}")]
    Unfit {
        /// The file.
        path: PathBuf,
        /// The tensor.
        unfit: Unfit,
    },
    /// A tensor of a file that is written cannot be put together from a module's.
    #[error("`{name}` cannot be put together: expected all of its parts, of equal rows")]
    Incomplete {
        /// Its name in the file.
        name: String,
    },
    /// File and module disagree; everything that disagrees is listed.
    #[error("`{path}` does not fit the model:{mismatch}")]
    Mismatch {
        /// The file.
        path: PathBuf,
        /// All disagreements.
        mismatch: Box<Mismatch>,
    },
}
