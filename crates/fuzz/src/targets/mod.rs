//! The readers.

mod configs;
mod documents;
mod pickles;
mod pictures;
mod server;
mod texts;
mod weights;

use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::target::{Form, Target, Verdict};

/// All readers.
pub fn all() -> Vec<Target> {
    [
        configs::targets(),
        documents::targets(),
        pictures::targets(),
        texts::targets(),
        weights::targets(),
        server::targets(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// A reader of files that stand alone.
fn alone(
    name: &'static str,
    file: &'static str,
    form: Form,
    seeds: fn() -> anyhow::Result<Vec<Vec<u8>>>,
    read: fn(&Path) -> Verdict,
) -> Target {
    Target { name, file, form, seeds, beside: |_| Ok(()), read, room: 0 }
}

/// A path of the repository.
fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(name)
}

/// Files of the repository.
fn files(names: &[&str]) -> anyhow::Result<Vec<Vec<u8>>> {
    let read = |name: &&str| std::fs::read(path(name)).with_context(|| name.to_string());
    names.iter().map(read).collect()
}

/// Whether something was read.
fn accepted<T, E>(result: Result<T, E>) -> Verdict {
    match result {
        Ok(_) => Verdict::Accepted,
        Err(_) => Verdict::Refused,
    }
}
