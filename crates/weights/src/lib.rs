//! Reading and writing module weights as Hugging Face safetensors, and reading PyTorch files.
//!
//! Field names of our modules equal the key paths of the files, so most files need no table of
//! names: only the norms' `gamma`/`beta` become `weight`/`bias`, a field called `_2` stands for
//! the index `2` of a `Sequential`, and linear weights are stored transposed (`[out, in]` in the
//! file). Files with names of their own are read through a [`KeyMap`].

#![warn(missing_docs)]

mod addition;
mod cast;
mod collected;
mod error;
mod file;
mod key_map;
mod key_path;
mod key_pattern;
mod kind;
mod load;
mod mismatch;
mod outline;
mod pickle;
mod random;
mod safetensors_file;
mod save;
mod stored;
mod torch;
mod values;

pub use addition::{Addition, Additions, Sum};
pub use cast::cast;
pub use collected::Collected;
pub use error::WeightsError;
pub use file::WeightsFile;
pub use key_map::{KeyMap, Unfit};
pub use load::{LoadOptions, Tensors, load, load_tensors};
pub use mismatch::Mismatch;
pub use outline::{Outline, outline};
pub use random::write_random;
pub use safetensors_file::FileTensor;
pub use save::{SaveOptions, StoredDtype, save, save_with};
pub use stored::{StoredTensor, View};
