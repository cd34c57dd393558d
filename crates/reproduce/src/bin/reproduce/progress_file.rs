//! How far a run is, as a file that others read.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use files::{FileError, write_atomically};
use reproduce::Progress;
use serde::{Deserialize, Serialize};

/// Time between two writes.
const EVERY: Duration = Duration::from_secs(2);

/// What stands in the file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Reached {
    /// The experiment, at its scale.
    pub(crate) study: String,
    /// Units done, those of earlier runs included.
    pub(crate) done: usize,
    /// Units of the experiment that fall to the run.
    pub(crate) units: usize,
    /// Samples the U-Net still has to run on.
    pub(crate) unet_samples_left: u64,
    /// Expected seconds to the end.
    pub(crate) seconds_left: f64,
    /// Whether the run is done, with all its experiments.
    pub(crate) finished: bool,
}

impl Reached {
    /// What the file of a run says; `None` where there is none, or none that is whole.
    pub(crate) fn read(path: &Path) -> Option<Self> {
        serde_json::from_slice(&std::fs::read(path).ok()?).ok()
    }
}

/// The file of this run, where one is asked for.
pub(crate) struct ProgressFile {
    path: Option<PathBuf>,
    last: Cell<Option<Instant>>,
}

impl ProgressFile {
    pub(crate) fn new(path: Option<PathBuf>) -> Self {
        Self { path, last: Cell::default() }
    }

    /// Says how far the run is, now and then. That it cannot be said is no reason to stop.
    pub(crate) fn advance(&self, study: &str, progress: &Progress) {
        let is_due = self.last.get().is_none_or(|last| last.elapsed() > EVERY);
        if !is_due && progress.done < progress.units {
            return;
        }
        self.last.set(Some(Instant::now()));
        let reached = Reached {
            study: study.into(),
            done: progress.done,
            units: progress.units,
            unet_samples_left: progress.unet_samples_left,
            seconds_left: progress.remaining.as_secs_f64(),
            finished: false,
        };
        if let Err(error) = self.write(&reached) {
            terminal::warn(error);
        }
    }

    /// Says that the run is done.
    pub(crate) fn finish(&self) -> Result<(), FileError> {
        let Some(path) = &self.path else { return Ok(()) };
        let reached = Reached::read(path).unwrap_or(Reached {
            study: String::new(),
            done: 0,
            units: 0,
            unet_samples_left: 0,
            seconds_left: 0.0,
            finished: true,
        });
        self.write(&Reached { finished: true, unet_samples_left: 0, seconds_left: 0.0, ..reached })
    }

    fn write(&self, reached: &Reached) -> Result<(), FileError> {
        let Some(path) = &self.path else { return Ok(()) };
        // Plain numbers and a name have no way to fail.
        write_atomically(path, serde_json::to_vec(reached).unwrap_or_default())
    }
}
