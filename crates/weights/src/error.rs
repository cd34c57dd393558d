use std::fmt::Write;
use std::path::PathBuf;

/// What can go wrong while weights are read or written.
#[derive(Debug, thiserror::Error)]
pub enum WeightsError {
    /// The operating system could not open, map or write the file.
    #[error("`{path}`: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The operating system's word.
        source: std::io::Error,
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
    Pickle {
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
        "`{path}` is a LoRA adapter, not the weights of a model: merge it into a model first \
         (diffusers: `load_lora_weights`, `fuse_lora`, `save_pretrained`), then give that model"
    )]
    Adapter {
        /// The file.
        path: PathBuf,
    },
    /// File and module disagree; everything that disagrees is listed.
    #[error("`{path}` does not fit the model:{}", list(.mismatch))]
    Mismatch {
        /// The file.
        path: PathBuf,
        /// All disagreements.
        mismatch: Box<Mismatch>,
    },
}

/// Every disagreement between a file and a module.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// Tensors the module needs and the file lacks.
    pub missing: Vec<String>,
    /// Tensors the file has and the module does not know.
    pub unexpected: Vec<String>,
    /// Name, expected shape, found shape.
    pub wrong_shape: Vec<(String, Vec<usize>, Vec<usize>)>,
    /// Name and data type of tensors that are not floats.
    pub wrong_dtype: Vec<(String, String)>,
    /// Tensors with NaN or infinite values.
    pub not_finite: Vec<String>,
}

impl Mismatch {
    /// Whether nothing disagrees.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// At most this many names of a kind are printed; the rest is counted.
const SHOWN: usize = 20;

fn list(mismatch: &Mismatch) -> String {
    let mut text = String::new();
    section(&mut text, "missing tensors", mismatch.missing.iter().map(|name| format!("`{name}`")));
    section(
        &mut text,
        "unexpected tensors",
        mismatch.unexpected.iter().map(|name| format!("`{name}`")),
    );
    section(
        &mut text,
        "tensors of a wrong shape",
        mismatch.wrong_shape.iter().map(|(name, expected, found)| {
            format!("`{name}`: expected {expected:?}, found {found:?}")
        }),
    );
    section(
        &mut text,
        "tensors of a data type other than F64, F32, F16, BF16",
        mismatch.wrong_dtype.iter().map(|(name, dtype)| format!("`{name}` ({dtype})")),
    );
    section(
        &mut text,
        "tensors with NaN or infinite values",
        mismatch.not_finite.iter().map(|name| format!("`{name}`")),
    );
    text
}

fn section(text: &mut String, title: &str, entries: impl ExactSizeIterator<Item = String>) {
    let count = entries.len();
    if count == 0 {
        return;
    }
    let _ = write!(text, "\n  {title} ({count}):");
    for entry in entries.take(SHOWN) {
        let _ = write!(text, "\n    {entry}");
    }
    if count > SHOWN {
        let _ = write!(text, "\n    … and {} more", count - SHOWN);
    }
}
