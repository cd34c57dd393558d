//! Weights fitted to real pictures that no table measures.

use ::probe::{CaptionedPicture, FitState, PictureEvaluator, ProbeError};

use super::library::Library;
use crate::ReproduceError;
use crate::plan::{Fit, Unit, fit_plan};

/// Fits and stores, from where an earlier run was interrupted.
pub(crate) fn fit(library: &Library<'_>, fit: &Fit) -> Result<(), ReproduceError> {
    let (context, unit, steps) = (library.context, Unit::Fit(*fit), fit.steps);
    let (study, store) = (&context.study, &context.store);
    let size = [study.picture_size; 2];
    let pictures: Vec<CaptionedPicture<'_>> = study
        .held_out
        .iter()
        .filter_map(|example| {
            let pixels = example.pixels.as_deref()?;
            Some(CaptionedPicture { pixels, size, prompt: &example.text })
        })
        .collect();
    let (plan, key) = (fit_plan(study), context.keys().state(&unit));
    let unet_batch = context.options.unet_batch;
    let mut evaluator = PictureEvaluator::new(&context.pipeline, &pictures, steps, unet_batch)?;
    // A state that is damaged, or of another version, is as good as none.
    let mut state = store
        .read::<FitState>(&key)
        .unwrap_or_default()
        .filter(|state| state.check_continues(&plan, steps, study.blocks()).is_ok())
        .unwrap_or_else(|| FitState::new(plan));
    state.complete(&mut evaluator, &mut |state| {
        store.write(&key, state).map_err(|error| ProbeError::Interrupted {
            epoch: state.moments.len(),
            reason: error.to_string(),
        })
    })?;
    library.store(&unit, &state)?;
    store.remove(&key);
    Ok(())
}
