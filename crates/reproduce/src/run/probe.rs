//! Probing one prompt.

use ::probe::{CounterDraws, ProbeError, ProbeState, UNetEvaluator, search, vote};

use super::library::Library;
use super::request::request;
use crate::ReproduceError;
use crate::plan::{Probe, Unit};

/// Probes a prompt, from where an earlier run was interrupted, and stores the vote.
pub(crate) fn probe(library: &Library<'_>, probe: &Probe) -> Result<(), ReproduceError> {
    let context = library.context;
    let Probe { example, steps } = *probe;
    let (experiment, store) = (context.experiment(), &context.store);
    let config = experiment.probe_at(context.study.size);
    let request = request(context, example, experiment.train_seed, steps)?;
    let unet_batch = context.options.unet_batch;
    let mut evaluator = UNetEvaluator::new(&context.pipeline, &[request], unet_batch)?;
    let mut draws = CounterDraws::new(config.seed);
    let blocks = context.study.blocks();
    let state_key = context.keys().probe_state(probe);
    // A state that is damaged, or of another version, is as good as none.
    let mut state = store
        .read::<ProbeState>(&state_key)
        .unwrap_or_default()
        .filter(|state| state.check_continues(&config, steps, blocks).is_ok())
        .map_or_else(|| ProbeState::new(&config, steps, blocks, &mut draws), Ok)?;
    search(&mut state, &mut evaluator, &mut draws, &mut |_| {}, &mut |state| {
        store.write(&state_key, state).map_err(|error| ProbeError::Interrupted {
            epoch: state.epoch,
            reason: error.to_string(),
        })
    })?;
    library.store(&Unit::Probe(*probe), &vote(&state.thresholds(), config.seed)?)?;
    store.remove(&state_key);
    Ok(())
}
