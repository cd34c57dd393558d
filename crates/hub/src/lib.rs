//! Models by name: what each preset is made of, where its files are on this machine, and how to
//! fetch them.
//!
//! Files are kept where Python's `huggingface_hub` and `torch.hub` keep them, so that nothing a
//! user already has is fetched again. Feature `download` adds the network.

#![warn(missing_docs)]

mod cache;
#[cfg(feature = "download")]
mod download;
mod error;
#[cfg(feature = "download")]
mod expected;
mod hash;
mod hash_cache;
mod manifest;
mod presets;
mod resolve;
mod settings;
mod shipped;
mod token;

pub use cache::Cache;
#[cfg(feature = "download")]
pub use download::{DownloadEvent, DownloadOptions, Planned, download, plan};
pub use error::HubError;
pub use hash::{FileHash, hash_file};
pub use hash_cache::HashCache;
pub use manifest::{Digest, FileEntry, Manifest, PipelineFacts, RepositoryType, Source, Variant};
pub use presets::{packages, preset, presets};
pub use resolve::{Resolved, file_or_installed, installed, resolve};
pub use settings::Settings;
pub use shipped::{SHIPPED, shipped};
pub use token::Token;
