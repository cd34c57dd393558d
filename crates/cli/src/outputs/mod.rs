//! Where results go. Before any work: nothing that is read is written over, nothing foreign without
//! `--force`, and what will be written can be written.

mod known;
mod seal;

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;
use files::folder_of;

use crate::failure::usage;
pub use known::Kind;
pub use seal::sealed;

/// Whether foreign files may be written over.
#[derive(Args)]
pub struct OutputOptions {
    /// Write over files that are no results of this program.
    #[arg(long)]
    force: bool,
}

/// The files that a command will write.
#[derive(Default)]
pub struct Outputs {
    planned: Vec<(PathBuf, Kind)>,
}

impl Outputs {
    /// No file yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// One file more.
    pub fn with(mut self, path: impl Into<PathBuf>, kind: Kind) -> Self {
        self.planned.push((path.into(), kind));
        self
    }

    /// A picture, which must be called `.png`, and its record beside it.
    pub fn with_picture(self, path: &Path) -> Self {
        self.with(path, Kind::Picture).with(path.with_extension("json"), Kind::Record)
    }

    /// Checks all of them against `inputs`, the files that the command reads, and against what is
    /// there already.
    ///
    /// # Errors
    /// Naming the file, and what to do.
    pub fn check<'a>(
        &self,
        inputs: impl IntoIterator<Item = &'a Path>,
        options: &OutputOptions,
    ) -> anyhow::Result<()> {
        let inputs: Vec<PathBuf> =
            inputs.into_iter().filter_map(|input| input.canonicalize().ok()).collect();
        let mut checked: Option<&Path> = None;
        let mut names = HashSet::new();
        for (path, kind) in &self.planned {
            let name = path.display();
            kind.check_name(path).map_err(usage)?;
            if !names.insert(path) {
                return Err(usage(format_args!("two results would be called `{name}`")));
            }
            if path.canonicalize().is_ok_and(|path| inputs.contains(&path)) {
                return Err(usage(format_args!(
                    "`{name}` is read by this command and would be written over: choose another \
                     --out"
                )));
            }
            if path.is_dir() {
                return Err(usage(format_args!("`{name}` is a folder, expected a file")));
            }
            if path.exists() && !options.force && !kind.is_ours(path) {
                bail!(
                    "`{name}` exists and is no {kind} of this program: choose another name, or \
                     write over it with --force"
                );
            }
            let folder = folder_of(path);
            if checked != Some(folder) {
                check_writable(folder)?;
                checked = Some(folder);
            }
        }
        Ok(())
    }
}

/// Whether files can be written to a folder, or to the nearest one above it that exists.
fn check_writable(folder: &Path) -> anyhow::Result<()> {
    let exists = |path: &&Path| path.symlink_metadata().is_ok();
    let existing = folder.ancestors().find(exists).unwrap_or(Path::new("."));
    if !existing.is_dir() {
        bail!("`{}` is a file, expected a folder", existing.display());
    }
    let attempt = existing.join(".unet-reweight");
    // Dropped without being given its name: it leaves nothing.
    let written = files::AtomicFile::create(attempt).map(drop).map_err(|error| error.reason);
    written.with_context(|| format!("`{}` cannot be written to", existing.display()))
}

#[cfg(test)]
mod tests;
