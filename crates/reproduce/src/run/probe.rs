//! Probing one prompt.

use ::probe::{
    CounterDraws, Evaluator, FastEvaluator, ProbeConfig, ProbeError, ProbeState, UNetEvaluator,
    search, vote,
};

use super::library::Library;
use super::request::request;
use super::results::Voted;
use crate::ReproduceError;
use crate::plan::{Probe, Search, Unit};

/// Probes a prompt, from where an earlier run was interrupted, and stores the vote.
pub(crate) fn probe(library: &Library<'_>, probe: &Probe) -> Result<(), ReproduceError> {
    let (study, Probe { example, steps }) = (&library.context.study, *probe);
    let config = study.experiment.probe_at(study.size);
    let voted = voted(library, &Unit::Probe(*probe), (example, steps), &config, study.size.fast)?;
    library.store(&Unit::Probe(*probe), &voted)
}

/// Searches many rounds on tables, and stores the vote.
pub(crate) fn search_to_convergence(
    library: &Library<'_>,
    search: &Search,
) -> Result<(), ReproduceError> {
    let (study, Search { example, steps, both_ways }) = (&library.context.study, *search);
    let config = study.experiment.converged_at(study.size, both_ways);
    let voted = voted(library, &Unit::Search(*search), (example, steps), &config, true)?;
    library.store(&Unit::Search(*search), &voted)
}

/// The vote of a search; an exact one goes on from where an earlier run was interrupted.
fn voted(
    library: &Library<'_>,
    unit: &Unit,
    (example, steps): (usize, usize),
    config: &ProbeConfig,
    fast: bool,
) -> Result<Voted, ReproduceError> {
    let context = library.context;
    let (store, blocks) = (&context.store, context.study.blocks());
    let request = request(context, example, context.experiment().train_seed, steps)?;
    let unet_batch = context.options.unet_batch;
    let mut exact = UNetEvaluator::new(&context.pipeline, &[request], unet_batch)?;
    let mut draws = CounterDraws::for_prompt(config, &context.example(example).text);
    let key = context.keys().state(unit);
    // A state that is damaged, or of another version, is as good as none.
    let mut state = store
        .read::<ProbeState>(&key)
        .unwrap_or_default()
        .filter(|state| !fast && state.check_continues(config, steps, blocks).is_ok())
        .map_or_else(|| ProbeState::new(config, steps, blocks, &mut draws), Ok)?;
    if fast {
        let mut evaluator = FastEvaluator::new(&mut exact);
        search(&mut state, &mut evaluator, &mut draws, &mut |_| {}, &mut |_| Ok(()))?;
    } else {
        let mut keep = |state: &ProbeState| {
            store.write(&key, state).map_err(|error| ProbeError::Interrupted {
                epoch: state.epoch,
                reason: error.to_string(),
            })
        };
        search(&mut state, &mut exact, &mut draws, &mut |_| {}, &mut keep)?;
        store.remove(&key);
    }
    // Of an exact search the samples of its interrupted part count as well.
    let unet_samples = match fast {
        true => exact.unet_samples(),
        false => {
            let teacher = steps * context.study.doubled();
            teacher + config.evaluations(steps, exact.batches()) * context.study.doubled()
        }
    };
    Ok(Voted { vote: vote(&state.thresholds(), config.seed)?, unet_samples })
}
