//! Reading and writing module weights as Hugging Face safetensors, and reading PyTorch files.
//!
//! Field names of our modules equal the key paths of the files, so there is no table of names:
//! only the norms' `gamma`/`beta` become `weight`/`bias`, a field called `_2` stands for the index
//! `2` of a `Sequential`, and linear weights are stored transposed (`[out, in]` in the file).

mod cast;
mod error;
mod file;
mod load;
mod name;
mod outline;
mod pickle;
mod random;
mod save;
mod stored;

pub use cast::cast;
pub use error::WeightsError;
pub use file::WeightsFile;
pub use load::{LoadOptions, Tensors, load, load_tensors};
pub use outline::{Outline, outline};
pub use random::write_random;
pub use save::{SaveOptions, StoredDtype, save, save_with};
pub use stored::StoredTensor;
