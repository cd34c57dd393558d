//! Models by name: what each preset is made of, and where its files are on this machine.
//!
//! Files are kept where Python's `huggingface_hub` and `torch.hub` keep them, so that nothing a
//! user already has is fetched again. Crate `hub-download` fetches.

#![warn(missing_docs)]

mod cache;
mod error;
mod hash;
mod hash_cache;
mod manifest;
mod presets;
mod resolve;
mod settings;
mod shipped;
mod token;

pub use cache::{Cache, is_commit};
pub use error::HubError;
pub use hash::{FileHash, hash_file};
pub use hash_cache::HashCache;
pub use manifest::{Digest, FileEntry, Manifest, PipelineFacts, RepositoryType, Source, Variant};
pub use presets::{packages, preset, presets};
pub use resolve::{Resolved, file_or_installed, installed, resolve};
pub use settings::Settings;
pub use shipped::{SHIPPED, shipped};
pub use token::Token;
