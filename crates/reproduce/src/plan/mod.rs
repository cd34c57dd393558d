//! What is to be done: an experiment, its units of work, their keys and costs. Nothing here runs a
//! model or touches a result.

mod balance;
mod comparisons;
mod control;
mod cost;
mod experiment;
mod experiment_file;
mod keys;
mod part;
mod prompts;
mod queue;
mod settings;
mod shard;
mod share;
mod skipping;
mod study;
mod unit;
mod units;
mod weighting;

pub use balance::Balance;
pub(crate) use comparisons::{
    SeedRole, block_weightings, compared, judged, sampled, seeded_weightings, shown,
};
pub(crate) use control::{Control, ControlGroup, Rule, control_groups, fewer_steps_weightings};
pub(crate) use cost::{bytes, files, samples};
pub use experiment::Experiment;
pub(crate) use keys::{Fingerprints, Key, Keys, content, fit_plan};
pub use part::Part;
pub use settings::{PromptSettings, PruningSettings, Scale, Scales, ScorerConfig, Size};
pub use shard::Shard;
pub(crate) use share::Shares;
pub(crate) use skipping::{
    Arm, SkipRule, Skipping, TIMED_RUNS, arms, costs, is_timed, timed_samples,
};
pub use study::Study;
pub(crate) use study::{Example, base, model_name};
pub(crate) use unit::{
    Fidelity, Fit, Influence, Likened, Measured, Probe, Reuse, Sample, Search, Student, Times, Unit,
};
pub(crate) use units::{pruning_probe, units};
pub(crate) use weighting::Weighting;
