//! The checkpoint of a training run: the optimiser's state, and what it was trained from.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use files::{same_checksum, sha256_bytes};
use safetensors::tensor::{Dtype, TensorView};
use safetensors::{SafeTensors, serialize};

use crate::TrainError;
use crate::optimizer::AdamW;
use crate::origin::Origin;

/// The header's only entry: an [`Origin`] as JSON. Entries have no order, and files of the same state
/// have the same bytes.
const ORIGIN: &str = "origin";
/// The tensor that holds the digits of the [`checksum`].
const CHECKSUM: &str = "sha256";
/// The tensors that hold the state.
const TENSORS: [&str; 6] = ["step", "values", "average", "momentum", "variance", "losses"];

/// How far a run has come.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct State {
    /// Steps done.
    pub(crate) step: usize,
    /// The optimiser's vectors.
    pub(crate) optimizer: AdamW,
    /// The loss of every step done.
    pub(crate) losses: Vec<f32>,
}

/// The file in which a run keeps its state.
#[derive(Debug, Clone)]
pub(crate) struct CheckpointFile {
    path: PathBuf,
    origin: Origin,
}

impl CheckpointFile {
    pub(crate) fn new(path: impl Into<PathBuf>, origin: Origin) -> Self {
        Self { path: path.into(), origin }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a state, completely or not at all.
    pub(crate) fn save(&self, state: &State) -> Result<(), TrainError> {
        let broken = |error: &dyn std::fmt::Display| TrainError::broken(&self.path, error);
        let step = (state.step as u64).to_le_bytes();
        let AdamW { values, average, momentum, variance } = &state.optimizer;
        let mut tensors = vec![(
            TENSORS[0],
            TensorView::new(Dtype::U64, vec![1], &step).map_err(|error| broken(&error))?,
        )];
        let vectors = [values, average, momentum, variance, &state.losses];
        for (name, values) in TENSORS[1..].iter().copied().zip(vectors) {
            let bytes = bytemuck::cast_slice(values);
            let view = TensorView::new(Dtype::F32, vec![values.len()], bytes)
                .map_err(|error| broken(&error))?;
            tensors.push((name, view));
        }
        let origin = serde_json::to_string(&self.origin).map_err(|error| broken(&error))?;
        let sum = checksum(&origin, tensors.iter().map(|(_, view)| view.data()));
        let view = TensorView::new(Dtype::U8, vec![sum.len()], sum.as_bytes());
        tensors.push((CHECKSUM, view.map_err(|error| broken(&error))?));
        let header = HashMap::from([(ORIGIN.to_string(), origin)]);
        let bytes = serialize(tensors, Some(header)).map_err(|error| broken(&error))?;
        Ok(files::write_atomically(&self.path, bytes)?)
    }

    /// Whether the run may write here: where no checkpoint stands yet, or one of the same origin.
    /// Returns the steps it has done, 0 without a checkpoint.
    ///
    /// # Errors
    /// [`TrainError::OtherOrigin`] and [`TrainError::NoCheckpoint`]; the file is left as it is.
    pub(crate) fn check(&self) -> Result<u64, TrainError> {
        let Some(bytes) = self.open()? else { return Ok(0) };
        let file = SafeTensors::deserialize(&bytes).map_err(|error| self.foreign(error))?;
        Ok(bytemuck::pod_read_unaligned(&self.data(&file, "step", Dtype::U64, 1)?))
    }

    /// Reads what [`Self::save`] wrote for a model with `parameters` parameters and a run of
    /// `steps` steps; `None` where there is no checkpoint.
    ///
    /// # Errors
    /// As [`Self::check`].
    pub(crate) fn load(
        &self,
        parameters: usize,
        steps: usize,
    ) -> Result<Option<State>, TrainError> {
        let Some(bytes) = self.open()? else { return Ok(None) };
        let file = SafeTensors::deserialize(&bytes).map_err(|error| self.foreign(error))?;
        let step: u64 = bytemuck::pod_read_unaligned(&self.data(&file, "step", Dtype::U64, 1)?);
        let step = usize::try_from(step)
            .ok()
            .filter(|step| *step <= steps)
            .ok_or_else(|| self.foreign(format!("expected at most {steps} steps, found {step}")))?;
        let vector = |name: &str, length: usize| -> Result<Vec<f32>, TrainError> {
            Ok(bytemuck::pod_collect_to_vec(&self.data(&file, name, Dtype::F32, length)?))
        };
        let optimizer = AdamW {
            values: vector("values", parameters)?,
            average: vector("average", parameters)?,
            momentum: vector("momentum", parameters)?,
            variance: vector("variance", parameters)?,
        };
        Ok(Some(State { step, optimizer, losses: vector("losses", step)? }))
    }

    /// The bytes of `name`, which holds `length` values of `dtype`.
    fn data(
        &self,
        file: &SafeTensors<'_>,
        name: &str,
        dtype: Dtype,
        length: usize,
    ) -> Result<Vec<u8>, TrainError> {
        let view = file.tensor(name).map_err(|error| self.foreign(error))?;
        if view.dtype() != dtype || view.shape() != [length] {
            let (found, shape) = (view.dtype(), view.shape());
            return Err(self.foreign(format!(
                "expected {length} values of type {dtype:?} in `{name}`, found the shape \
                 {shape:?} of type {found:?}"
            )));
        }
        Ok(view.data().to_vec())
    }

    /// The bytes of a checkpoint of the same origin.
    fn open(&self) -> Result<Option<Vec<u8>>, TrainError> {
        let bytes = match files::read(&self.path) {
            Ok(bytes) => bytes,
            Err(error) if error.is_not_found() => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let file = SafeTensors::deserialize(&bytes).map_err(|error| self.foreign(error))?;
        let (_, header) =
            SafeTensors::read_metadata(&bytes).map_err(|error| self.foreign(error))?;
        let origin = header.metadata().as_ref().and_then(|entries| entries.get(ORIGIN));
        let Some(origin) = origin else {
            return Err(self.foreign("its header does not say which recipe it was trained by"));
        };
        // Checkpoints had no checksum once.
        if let Ok(expected) = file.tensor(CHECKSUM) {
            let tensors: Result<Vec<_>, _> = TENSORS.iter().map(|name| file.tensor(name)).collect();
            let tensors = tensors.map_err(|error| self.foreign(error))?;
            let found = checksum(origin, tensors.iter().map(TensorView::data));
            let expected = String::from_utf8_lossy(expected.data());
            same_checksum(&expected, &found).map_err(|reason| self.foreign(reason))?;
        }
        let origin: Origin = serde_json::from_str(origin).map_err(|error| self.foreign(error))?;
        match self.origin.difference(&origin) {
            None => Ok(Some(bytes)),
            Some(difference) => {
                Err(TrainError::OtherOrigin { path: self.path.clone(), difference })
            }
        }
    }

    fn foreign(&self, reason: impl std::fmt::Display) -> TrainError {
        TrainError::NoCheckpoint { path: self.path.clone(), reason: reason.to_string() }
    }
}

/// The SHA-256 of an origin's text and of the SHA-256 of each of the [`TENSORS`].
fn checksum<'a>(origin: &str, tensors: impl Iterator<Item = &'a [u8]>) -> String {
    let parts: Vec<String> =
        std::iter::once(origin.to_string()).chain(tensors.map(sha256_bytes)).collect();
    sha256_bytes(parts.join("\n"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn origin(seed: u64) -> Origin {
        Origin::new(&json!({"seed": seed}), &[])
    }

    fn state() -> State {
        let optimizer = AdamW {
            values: vec![1.0, -2.0],
            average: vec![0.5, 0.25],
            momentum: vec![3.0, f32::MIN_POSITIVE],
            variance: vec![0.0, 4.0],
        };
        State { step: 3, optimizer, losses: vec![0.3, 0.2, 0.1] }
    }

    /// A checkpoint in a folder of its own.
    fn saved() -> (tempfile::TempDir, PathBuf, CheckpointFile) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.safetensors");
        let file = CheckpointFile::new(&path, origin(1));
        file.save(&state()).unwrap();
        (folder, path, file)
    }

    #[test]
    fn load_gives_back_what_save_wrote_and_nothing_without_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = CheckpointFile::new(folder.path().join("a.safetensors"), origin(1));
        assert_eq!(file.load(2, 5).unwrap(), None);
        file.save(&state()).unwrap();
        assert_eq!(file.load(2, 5).unwrap(), Some(state()));
    }

    #[test]
    fn load_refuses_another_recipe_and_another_model() {
        let (_folder, path, file) = saved();
        let error = CheckpointFile::new(&path, origin(2)).check().unwrap_err();
        assert!(matches!(error, TrainError::OtherOrigin { .. }), "{error}");
        for part in ["a.safetensors", "`seed` (expected 2, found 1)", "another work folder"] {
            assert!(error.to_string().contains(part), "`{part}` in: {error}");
        }
        for (parameters, steps, part) in [(3, 5, "expected 3 values"), (2, 2, "at most 2 steps")] {
            let error = file.load(parameters, steps).unwrap_err().to_string();
            assert!(error.contains(part) && error.contains("a.safetensors"), "{error}");
        }
    }

    #[test]
    fn load_refuses_or_gives_back_the_same_whatever_bit_is_another() {
        let (_folder, path, file) = saved();
        let whole = std::fs::read(&path).unwrap();
        let (bits, mut refused) = (8 * whole.len(), 0);
        for (bit, bytes) in hostile::flipped_bits(&whole).enumerate() {
            std::fs::write(&path, bytes).unwrap();
            match file.load(2, 5) {
                Ok(loaded) => assert_eq!(loaded, Some(state()), "bit {bit}"),
                Err(_) => refused += 1,
            }
        }
        // What is left are names of entries that nobody reads then, and spaces.
        assert!(refused > bits * 9 / 10, "{refused} of {bits}");
    }

    #[test]
    fn load_refuses_truncated_and_foreign_files_and_leaves_them() {
        let (_folder, path, file) = saved();
        let whole = std::fs::read(&path).unwrap();
        let step = 3u64.to_le_bytes();
        let view = TensorView::new(Dtype::U64, vec![1], &step).unwrap();
        let without_origin = serialize([("step", view)], None).unwrap();
        for (bytes, part) in [
            (&whole[..whole.len() - 1], ""),
            (&whole[..5], ""),
            (b"no checkpoint at all", ""),
            (&[], ""),
            (&without_origin, "does not say which recipe"),
        ] {
            std::fs::write(&path, bytes).unwrap();
            let error = file.check().unwrap_err();
            assert!(matches!(error, TrainError::NoCheckpoint { .. }), "{error}");
            assert!(error.to_string().contains(part), "`{part}` in: {error}");
            assert_eq!(std::fs::read(&path).unwrap(), bytes);
        }
    }
}
