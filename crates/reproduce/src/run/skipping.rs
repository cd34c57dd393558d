//! Which blocks do not run for a prompt, and how long its runs take.

use probe::Estimates;
use pruning::{ReuseLosses, SkipLosses, SkipPlan, time_runs};

use super::library::Library;
use super::request::request;
use super::results::Seconds;
use super::schedule::policy;
use crate::ReproduceError;
use crate::plan::{
    Reuse, Sample, SkipRule, Skipping, TIMED_RUNS, Times, Unit, costs, timed_samples,
};

/// What a sample leaves out; the probe or estimates it comes from must be done.
pub(crate) fn plan(
    library: &Library<'_>,
    sample: &Sample,
    skipping: &Skipping,
) -> Result<SkipPlan, ReproduceError> {
    let study = &library.context.study;
    let (costs, Skipping { rule, omission }) = (costs(study)?, *skipping);
    let needs =
        |what: &str| ReproduceError::Experiment(format!("{} needs {what}", skipping.label()));
    Ok(match rule {
        SkipRule::Masks { budget } | SkipRule::Skip { budget } => {
            let measured = sample.measured().ok_or_else(|| needs("estimates"))?;
            let estimates: Estimates = library.estimates(&measured)?;
            let losses = SkipLosses::from_estimates(study.blocks(), &[&estimates])?;
            SkipPlan::within(&losses, &costs, budget, omission)?
        }
        SkipRule::Reused { budget } => {
            let reuse = sample.reuse().ok_or_else(|| needs("the losses of reuse"))?;
            SkipPlan::reusing(&library.reuse_losses(&reuse)?, &costs, budget)?
        }
        SkipRule::Vote { budget } => {
            let probe = sample.probe().ok_or_else(|| needs("a probe"))?;
            SkipPlan::by_rank(&library.vote(&probe)?.ranking, &costs, budget, omission)?
        }
        SkipRule::Block { block } => SkipPlan::fixed(sample.steps, &[block], &costs, omission)?,
        SkipRule::Refreshed { every } => SkipPlan::refreshed(sample.steps, every, &costs)?,
    })
}

/// Measures what reuse does for a prompt, and stores it.
pub(crate) fn reuse_losses(library: &Library<'_>, reuse: &Reuse) -> Result<(), ReproduceError> {
    let context = library.context;
    let seed = context.experiment().train_seed;
    let request = request(context, reuse.example, seed, reuse.steps)?;
    let unet_batch = context.options.unet_batch;
    let losses = ReuseLosses::measure(&context.pipeline, &request, unet_batch)?;
    library.store(&Unit::Reuse(*reuse), &losses)
}

/// Times the runs for a prompt, and stores it.
pub(crate) fn times(library: &Library<'_>, times: &Times) -> Result<(), ReproduceError> {
    let context = library.context;
    let samples = timed_samples(&context.study, times.example);
    let requests = samples
        .iter()
        .map(|sample| request(context, sample.example, sample.seed, sample.steps))
        .collect::<Result<Vec<_>, _>>()?;
    let timed = samples
        .iter()
        .zip(&requests)
        .map(|(sample, request)| Ok((request, policy(library, sample)?)))
        .collect::<Result<Vec<_>, ReproduceError>>()?;
    let seconds = time_runs(&context.pipeline, &timed, TIMED_RUNS)?;
    library.store(&Unit::Times(*times), &Seconds(seconds))
}
