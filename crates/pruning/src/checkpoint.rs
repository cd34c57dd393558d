use std::path::Path;

use burn::module::{Module, ParamGroup};
use burn::optim::ModuleOptimizer;
use burn::store::ModuleRecord;
use files::write_atomically;
use pipeline::PipelineError;
use serde::{Deserialize, Serialize};
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
    /// What was trained how; a checkpoint of something else is not gone on with.
    pub(crate) task: serde_json::Value,
}

const STATE: &str = "state.json";

/// The parameters that are trained.
pub(crate) fn trained() -> ParamGroup {
    ParamGroup::from_predicate("attentions")
}

fn broken(path: &Path, reason: impl std::fmt::Display) -> PruningError {
    PruningError::Checkpoint { path: path.into(), reason: reason.to_string() }
}

/// Writes everything that the next epoch needs to `folder`.
pub(crate) fn save(
    folder: &Path,
    state: &State,
    student: &UNet2DConditionModel,
    optimizer: &ModuleOptimizer,
) -> Result<(), PruningError> {
    std::fs::create_dir_all(folder)
        .map_err(|source| PruningError::Io { path: folder.into(), source })?;
    let file = |what: &str| folder.join(format!("{what}-{}.bpk", state.epochs));
    let student = student.clone().into_record_group(trained());
    student.save(file("student")).map_err(|error| broken(&file("student"), error))?;
    optimizer.save(file("optimizer")).map_err(|error| broken(&file("optimizer"), error))?;
    let path = folder.join(STATE);
    let text = serde_json::to_vec(state).map_err(|error| broken(&path, error))?;
    write_atomically(&path, &text).map_err(PipelineError::from)?;
    let own = [file("student"), file("optimizer"), path];
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if !own.contains(&entry.path()) {
            // An older epoch's, which is no longer needed.
            let _ = std::fs::remove_file(entry.path());
        }
    }
    Ok(())
}

/// Reads what [`save`] wrote for `task`; gives both back as they are where there is nothing, or a
/// checkpoint of another task.
pub(crate) fn load(
    folder: &Path,
    task: &serde_json::Value,
    student: UNet2DConditionModel,
    optimizer: ModuleOptimizer,
) -> Result<(State, UNet2DConditionModel, ModuleOptimizer), PruningError> {
    let path = folder.join(STATE);
    let fresh = State { epochs: 0, losses: Vec::new(), task: task.clone() };
    let Ok(text) = std::fs::read(&path) else { return Ok((fresh, student, optimizer)) };
    let state: State = serde_json::from_slice(&text).map_err(|error| broken(&path, error))?;
    if state.task != *task {
        return Ok((fresh, student, optimizer));
    }
    let file = |what: &str| folder.join(format!("{what}-{}.bpk", state.epochs));
    let record = ModuleRecord::load(file("student"))
        .map_err(|error| broken(&file("student"), error))?
        .allow_partial(true);
    let student =
        student.try_load_record(record).map_err(|error| broken(&file("student"), error))?;
    let optimizer =
        optimizer.load(file("optimizer")).map_err(|error| broken(&file("optimizer"), error))?;
    Ok((state, student, optimizer))
}
