use std::path::Path;

use safetensors::tensor::{Dtype, TensorView};
use safetensors::{SafeTensors, serialize};

use crate::TrainError;
use crate::optimizer::AdamW;

/// Writes the optimiser's state after `step` steps, completely or not at all.
pub(crate) fn save(
    path: &Path,
    step: usize,
    state: &AdamW,
    losses: &[f32],
) -> Result<(), TrainError> {
    let step = (step as u64).to_le_bytes();
    let view = |values: &'_ [f32]| -> Vec<u8> { bytemuck::cast_slice(values).to_vec() };
    let vectors = [
        ("values", view(&state.values)),
        ("average", view(&state.average)),
        ("momentum", view(&state.momentum)),
        ("variance", view(&state.variance)),
        ("losses", view(losses)),
    ];
    let broken = |error: &dyn std::fmt::Display| TrainError::broken(path, error);
    let mut tensors = vec![(
        "step",
        TensorView::new(Dtype::U64, vec![1], &step).map_err(|error| broken(&error))?,
    )];
    for (name, bytes) in &vectors {
        let view = TensorView::new(Dtype::F32, vec![bytes.len() / 4], bytes)
            .map_err(|error| broken(&error))?;
        tensors.push((name, view));
    }
    let bytes = serialize(tensors, None).map_err(|error| broken(&error))?;
    Ok(pipeline::write_atomically(path, &bytes)?)
}

/// Reads what [`save`] wrote: steps done, state, losses.
pub(crate) fn load(path: &Path) -> Result<(usize, AdamW, Vec<f32>), TrainError> {
    let bytes = std::fs::read(path).map_err(TrainError::io(path))?;
    let file = SafeTensors::deserialize(&bytes).map_err(|error| TrainError::broken(path, error))?;
    let vector = |name: &str| -> Result<Vec<f32>, TrainError> {
        let view = file.tensor(name).map_err(|error| TrainError::broken(path, error))?;
        Ok(bytemuck::pod_collect_to_vec(view.data()))
    };
    let step = file.tensor("step").map_err(|error| TrainError::broken(path, error))?;
    let step: [u8; 8] =
        step.data().try_into().map_err(|_| TrainError::broken(path, "`step` is no number"))?;
    let state = AdamW {
        values: vector("values")?,
        average: vector("average")?,
        momentum: vector("momentum")?,
        variance: vector("variance")?,
    };
    Ok((u64::from_le_bytes(step) as usize, state, vector("losses")?))
}
