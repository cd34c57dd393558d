//! Fetching what a manifest names. Each file knows only those below it:
//!
//! ```text
//! run → survey → metadata → http
//!   ↘ fetch → transfer ↗        all of them: options, retry, watch
//!        ↘ store → job
//! ```

#![warn(missing_docs)]

mod expected;
mod fetch;
mod http;
mod job;
mod metadata;
mod options;
mod proxy;
mod retry;
mod run;
mod silence;
mod store;
mod survey;
mod transfer;
mod watch;

pub use options::{DownloadEvent, DownloadOptions};
pub use run::{Planned, download, plan};
