//! Pictures that cost less: of runs in which blocks do not run, or of fewer steps.

use probe::Estimator;
use pruning::{Omission, ReuseLosses, SkipCosts};
use serde::{Deserialize, Serialize};

use super::comparisons::judged;
use super::study::Study;
use super::unit::Sample;
use super::weighting::Weighting;
use crate::ReproduceError;
use crate::plan::SeedRole;

/// Prompts whose runs are timed, at most, and how often each run is.
const TIMED: usize = 3;
pub(crate) const TIMED_RUNS: usize = 1;
/// Every which step all blocks run, where they are refreshed together.
const REFRESHED: [usize; 2] = [2, 3];

/// By what it is decided which blocks do not run.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SkipRule {
    /// The best sets for a budget, of all there are.
    Masks { budget: f64 },
    /// By each block's own loss for what it saves, until a budget is kept.
    Skip { budget: f64 },
    /// The best for a budget by the measured losses of reuse.
    Reused { budget: f64 },
    /// The vote's least important blocks first, until a budget is kept.
    Vote { budget: f64 },
    /// One block at all steps.
    Block { block: usize },
    /// All blocks, but at every so many steps.
    Refreshed { every: usize },
}

/// Which blocks do not run, and what stands for them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Skipping {
    pub(crate) rule: SkipRule,
    pub(crate) omission: Omission,
}

impl Skipping {
    /// Whether it needs a probe of the prompt.
    pub(crate) fn needs_probe(&self) -> bool {
        matches!(self.rule, SkipRule::Vote { .. })
    }

    /// The estimates of the prompt that it needs, where it does.
    pub(crate) fn estimator(&self) -> Option<Estimator> {
        match self.rule {
            SkipRule::Masks { .. } => Some(Estimator::Masks),
            SkipRule::Skip { .. } => Some(Estimator::Skip),
            _ => None,
        }
    }

    /// Whether it needs to know what reuse does for the prompt.
    pub(crate) fn needs_reuse_losses(&self) -> bool {
        matches!(self.rule, SkipRule::Reused { .. })
    }

    /// As curves name it: those of different budgets are one.
    fn curve(&self) -> String {
        let rule = match self.rule {
            SkipRule::Masks { .. } => "best sets",
            SkipRule::Skip { .. } => "block by block",
            SkipRule::Reused { .. } => "measured",
            SkipRule::Vote { .. } => "vote",
            SkipRule::Block { .. } => "one block",
            SkipRule::Refreshed { .. } => "all blocks",
        };
        match self.omission {
            Omission::Skip => format!("{rule}, skipped"),
            Omission::Reuse => format!("{rule}, reused"),
        }
    }

    /// As tables name it.
    pub(crate) fn label(&self) -> String {
        let which = match self.rule {
            SkipRule::Masks { budget }
            | SkipRule::Skip { budget }
            | SkipRule::Reused { budget }
            | SkipRule::Vote { budget } => format!("budget {budget}"),
            SkipRule::Block { block } => format!("blk-{block}"),
            SkipRule::Refreshed { every } => format!("run at 1 of {every} steps"),
        };
        format!("{}, {which}", self.curve())
    }
}

/// One way to make pictures.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Arm {
    pub(crate) steps: usize,
    pub(crate) weighting: Weighting,
}

impl Arm {
    pub(crate) fn sample(&self, example: usize, seed: u64) -> Sample {
        let Self { steps, weighting } = *self;
        Sample { example, seed, steps, weighting }
    }

    /// As curves name it.
    pub(crate) fn curve(&self) -> String {
        match self.weighting {
            Weighting::Skipping(skipping) => skipping.curve(),
            _ => "fewer steps".into(),
        }
    }

    /// As tables name it.
    pub(crate) fn label(&self) -> String {
        match self.weighting {
            Weighting::Skipping(skipping) => skipping.label(),
            weighting => format!("{}, {} steps", weighting.label(), self.steps),
        }
    }
}

/// What a step and its blocks cost, in multiply-accumulates.
pub(crate) fn costs(study: &Study) -> Result<SkipCosts, ReproduceError> {
    Ok(SkipCosts::macs(&study.unet, [study.latent_size; 2], study.tokens)?)
}

/// All ways that are compared: vanilla, vanilla of fewer steps, and every rule that can keep a
/// budget.
pub(crate) fn arms(study: &Study) -> Result<Vec<Arm>, ReproduceError> {
    let (experiment, costs) = (&study.experiment, costs(study)?);
    let (steps, blocks) = (experiment.steps, study.blocks());
    let vanilla = |steps| Arm { steps, weighting: Weighting::Vanilla };
    let mut arms = vec![vanilla(steps)];
    let as_cheap =
        experiment.skipping_budgets.iter().map(|budget| (budget * steps as f64).floor() as usize);
    let mut fewer: Vec<usize> = as_cheap.chain([steps - 1]).filter(|steps| *steps > 0).collect();
    fewer.sort_unstable_by_key(|steps| std::cmp::Reverse(*steps));
    fewer.dedup();
    arms.extend(fewer.into_iter().map(vanilla));
    let mut add = |rule, omission| {
        let weighting = Weighting::Skipping(Skipping { rule, omission });
        arms.push(Arm { steps, weighting });
    };
    let within = |rule: &dyn Fn(f64) -> SkipRule, skippable: usize| {
        let least = costs.least_share(steps, skippable);
        let kept = experiment.skipping_budgets.iter().filter(move |budget| **budget >= least);
        kept.map(|budget| rule(*budget)).collect::<Vec<_>>()
    };
    let masks = |budget| SkipRule::Masks { budget };
    let single = |budget| SkipRule::Skip { budget };
    let vote = |budget| SkipRule::Vote { budget };
    let reused = |budget| SkipRule::Reused { budget };
    for omission in [Omission::Skip, Omission::Reuse] {
        let skippable = steps.saturating_sub(omission.first_step());
        if Estimator::Masks.check(blocks).is_ok() {
            within(&masks, skippable).into_iter().for_each(|rule| add(rule, omission));
        }
        within(&single, skippable).into_iter().for_each(|rule| add(rule, omission));
    }
    let reusable = ReuseLosses::reusable(steps);
    within(&reused, reusable).into_iter().for_each(|rule| add(rule, Omission::Reuse));
    within(&vote, steps).into_iter().for_each(|rule| add(rule, Omission::Skip));
    for block in 0..blocks {
        add(SkipRule::Block { block }, Omission::Skip);
    }
    for every in REFRESHED.into_iter().filter(|_| steps > 1) {
        add(SkipRule::Refreshed { every }, Omission::Reuse);
    }
    Ok(arms)
}

/// Whether the runs for an example are timed.
pub(crate) fn is_timed(study: &Study, example: usize) -> bool {
    judged(study).iter().take(TIMED).any(|timed| *timed == example)
}

/// The runs for an example that are timed, in the order of the [`arms`].
pub(crate) fn timed_samples(study: &Study, example: usize) -> Vec<Sample> {
    let seed = SeedRole::Test.of(&study.experiment);
    // Arms that cannot be listed are refused where the units are.
    let arms = arms(study).unwrap_or_default();
    arms.iter().map(|arm| arm.sample(example, seed)).collect()
}
