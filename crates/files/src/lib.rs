//! Files read and written with their names in every error, replaced as a whole or not at all, and
//! named by their content.

#![warn(missing_docs)]

mod atomic;
mod checksum;
mod digest;
mod error;
mod read;

pub use atomic::{AtomicFile, folder_of, write_atomically, write_synced};
pub use checksum::{checked, same_checksum, with_checksum};
pub use digest::{Sha256, sha256_bytes, sha256_file};
pub use error::FileError;
pub use read::{open, read, read_to_string};
