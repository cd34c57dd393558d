//! A fine-tuning between two epochs, in a folder.

use std::path::Path;

use burn::module::{Module, ParamGroup};
use burn::optim::ModuleOptimizer;
use burn::store::ModuleRecord;
use files::{FileError, checked, sha256_file, with_checksum, write_atomically};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use unet_core::UNet2DConditionModel;

use crate::PruningError;

/// How far a fine-tuning is. Names the files of its epoch, so that a folder that was being written
/// when its process died still holds the epoch before, whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct State {
    /// Epochs done.
    pub(crate) epochs: usize,
    /// Mean loss of each.
    pub(crate) losses: Vec<f64>,
    /// What is trained how; a checkpoint of something else is not gone on with.
    pub(crate) task: Value,
    /// SHA-256 of the files of the [`PARTS`].
    pub(crate) sha256: [String; 2],
}

const STATE: &str = "state.json";

/// The parameters of an epoch, and the moments of its optimiser.
const PARTS: [&str; 2] = ["student", "optimizer"];

/// The parameters that are trained.
pub(crate) fn trained() -> ParamGroup {
    ParamGroup::from_predicate("attentions")
}

fn broken(path: &Path, reason: impl std::fmt::Display) -> PruningError {
    PruningError::Checkpoint { path: path.into(), reason: reason.to_string() }
}

fn file_name(part: &str, epoch: usize) -> String {
    format!("{part}-{epoch}.bpk")
}

/// The epoch of a file that [`save`] wrote under this name; `None` for anybody else's.
fn epoch_of(name: &str) -> Option<usize> {
    let digits = PARTS
        .iter()
        .find_map(|part| name.strip_prefix(part)?.strip_prefix('-')?.strip_suffix(".bpk"))?;
    let epoch = digits.parse().ok()?;
    PARTS.iter().any(|part| file_name(part, epoch) == name).then_some(epoch)
}

/// Writes everything that the next epoch needs to `folder`, and removes the parts of other epochs.
pub(crate) fn save(
    folder: &Path,
    state: &mut State,
    student: &UNet2DConditionModel,
    optimizer: &ModuleOptimizer,
) -> Result<(), PruningError> {
    std::fs::create_dir_all(folder).map_err(FileError::at(folder))?;
    let [student_file, optimizer_file] =
        PARTS.map(|part| folder.join(file_name(part, state.epochs)));
    let student = student.clone().into_record_group(trained());
    student.save(&student_file).map_err(|error| broken(&student_file, error))?;
    optimizer.save(&optimizer_file).map_err(|error| broken(&optimizer_file, error))?;
    state.sha256 = [sha256_file(&student_file)?, sha256_file(&optimizer_file)?];
    let path = folder.join(STATE);
    let text = serde_json::to_string(&state).map_err(|error| broken(&path, error))?;
    write_atomically(&path, with_checksum(&text))?;
    remove_others(folder, state.epochs)?;
    Ok(())
}

fn remove_others(folder: &Path, epoch: usize) -> Result<(), FileError> {
    for entry in std::fs::read_dir(folder).map_err(FileError::at(folder))? {
        let entry = entry.map_err(FileError::at(folder))?;
        let other = entry.file_name().to_str().and_then(epoch_of).filter(|other| *other != epoch);
        if other.is_some() {
            std::fs::remove_file(entry.path()).map_err(FileError::at(entry.path()))?;
        }
    }
    Ok(())
}

/// Reads what [`save`] wrote for `task`, at most `epochs` epochs of it; gives both back as they are
/// where there is nothing else than that.
pub(crate) fn load(
    folder: &Path,
    task: &Value,
    epochs: usize,
    student: UNet2DConditionModel,
    optimizer: ModuleOptimizer,
) -> Result<(State, UNet2DConditionModel, ModuleOptimizer), PruningError> {
    let path = folder.join(STATE);
    let (losses, sha256) = (Vec::new(), Default::default());
    let fresh = State { epochs: 0, losses, task: task.clone(), sha256 };
    let text = match files::read_to_string(&path) {
        Err(error) if error.is_not_found() => return Ok((fresh, student, optimizer)),
        text => text?,
    };
    let text = checked(&text).map_err(|reason| broken(&path, reason))?;
    let state: State = serde_json::from_str(&text).map_err(|error| broken(&path, error))?;
    if state.task != *task || state.epochs > epochs {
        return Ok((fresh, student, optimizer));
    }
    if state.losses.len() != state.epochs {
        let found = state.losses.len();
        return Err(broken(&path, format!("expected {} losses, found {found}", state.epochs)));
    }
    let [student_file, optimizer_file] =
        PARTS.map(|part| folder.join(file_name(part, state.epochs)));
    for (file, expected) in [&student_file, &optimizer_file].into_iter().zip(&state.sha256) {
        let found = sha256_file(file).map_err(|error| broken(file, error.reason))?;
        if found != *expected {
            return Err(broken(file, format!("expected sha256 {expected}, found {found}")));
        }
    }
    let record = ModuleRecord::load(&student_file)
        .map_err(|error| broken(&student_file, error))?
        .allow_partial(true);
    let student = student.try_load_record(record).map_err(|error| broken(&student_file, error))?;
    let optimizer =
        optimizer.load(&optimizer_file).map_err(|error| broken(&optimizer_file, error))?;
    Ok((state, student, optimizer))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn epoch_of_knows_the_names_that_save_gives_and_no_others() {
        assert_eq!(epoch_of("student-12.bpk"), Some(12));
        assert_eq!(epoch_of("optimizer-0.bpk"), Some(0));
        for foreign in [
            "student-best.bpk",
            "student-.bpk",
            "student-+1.bpk",
            "student-01.bpk",
            "student-1.bpk~",
            "my-student-1.bpk",
            "student1.bpk",
            "thesis.tex",
            "state.json",
            "teacher-1.bpk",
            "student-99999999999999999999999.bpk",
        ] {
            assert_eq!(epoch_of(foreign), None, "{foreign}");
        }
    }
}
