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
mod hash;
mod manifest;
mod presets;
mod resolve;
mod settings;

pub use cache::Cache;
#[cfg(feature = "download")]
pub use download::{DownloadEvent, DownloadOptions, Planned, download, plan};
pub use error::HubError;
pub use hash::{FileHash, hash_file};
pub use manifest::{Digest, FileEntry, Manifest, PipelineFacts, RepositoryType, Source, Variant};
pub use presets::{packages, preset, presets};
pub use resolve::{Resolved, file_or_installed, installed, resolve};
pub use settings::Settings;
