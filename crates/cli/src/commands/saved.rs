//! States that interrupted commands go on from.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use files::FileError;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// How often a state is written that is offered more often.
const PERIOD: Duration = Duration::from_secs(5);

/// The file of a command's state, and what it is of.
pub struct SavedState<'a> {
    path: PathBuf,
    facts: &'a Value,
    written: Cell<Instant>,
}

impl<'a> SavedState<'a> {
    /// The state, kept in `path`, of what `facts` name.
    pub fn new(path: &Path, facts: &'a Value) -> Self {
        Self { path: path.into(), facts, written: Cell::new(Instant::now()) }
    }

    /// The state, where there is one.
    ///
    /// # Errors
    /// Naming the file where it cannot be read, or is of something else.
    pub fn read<T: DeserializeOwned>(&self) -> anyhow::Result<Option<T>> {
        if !self.path.exists() {
            return Ok(None);
        }
        let text = files::read_to_string(&self.path)?;
        let named = || {
            let path = self.path.display();
            format!("`{path}`: expected the state of an interrupted run; remove it to begin anew")
        };
        let text = files::checked(&text).map_err(anyhow::Error::msg).with_context(named)?;
        let mut saved: Value = serde_json::from_str(&text).with_context(named)?;
        if saved["facts"] != *self.facts {
            bail!("`{}` is of another run; choose another --out", self.path.display());
        }
        Ok(Some(serde_json::from_value(saved["state"].take()).with_context(named)?))
    }

    /// What is to be done about a state that cannot be gone on from.
    pub fn begin_anew(&self) -> String {
        format!("`{}`; remove it to begin anew", self.path.display())
    }

    /// Writes the state.
    pub fn write(&self, state: &impl Serialize) -> Result<(), FileError> {
        let text = json!({ "facts": self.facts, "state": state }).to_string();
        files::write_atomically(&self.path, files::with_checksum(&text))?;
        self.written.set(Instant::now());
        Ok(())
    }

    /// Writes the state, where it was not written for a while.
    pub fn write_at_times(&self, state: &impl Serialize) -> Result<(), FileError> {
        if self.written.get().elapsed() < PERIOD { Ok(()) } else { self.write(state) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_flipped_bit_is_read_as_a_state() {
        let folder = tempfile::tempdir().unwrap();
        let (path, facts) = (folder.path().join("state.json"), json!({ "seed": 1 }));
        let saved = SavedState::new(&path, &facts);
        assert_eq!(saved.read::<Vec<f64>>().unwrap(), None);
        saved.write(&vec![0.1, 2.5]).unwrap();
        assert_eq!(saved.read::<Vec<f64>>().unwrap(), Some(vec![0.1, 2.5]));
        let whole = std::fs::read(&path).unwrap();
        for damaged in hostile::flipped_bits(&whole) {
            std::fs::write(&path, damaged).unwrap();
            let error = saved.read::<Vec<f64>>().unwrap_err().to_string();
            assert!(error.contains("state.json"), "{error}");
        }
    }

    #[test]
    fn a_state_of_something_else_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let (path, facts) = (folder.path().join("state.json"), json!({ "seed": 1 }));
        SavedState::new(&path, &facts).write(&1).unwrap();
        let error = SavedState::new(&path, &json!({ "seed": 2 })).read::<u8>().unwrap_err();
        assert!(error.to_string().contains("another run"), "{error}");
    }
}
