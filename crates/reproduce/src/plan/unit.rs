//! The units of work: what is computed and stored by itself.

use std::fmt;

use probe::{Effect, Estimator};
use pruning::SkipSets;

use super::control::{Control, Rule};
use super::weighting::Weighting;

/// One piece of work whose result is stored.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Unit {
    /// The importance of every block for one prompt.
    Probe(Probe),
    /// The vote of a search that has converged.
    Search(Search),
    /// What an estimator of importance measures.
    Estimates(Measured),
    /// What each block does to the result.
    Effects(Influence),
    /// The least-squares weights for real pictures.
    Fit(Fit),
    /// What it does to the prediction to add again what a block added before.
    Reuse(Reuse),
    /// Eq. 2 on one picture, at every inference step.
    Snr(Sample),
    /// A picture sampled from one prompt.
    Picture(Sample),
    /// The preference score of such a picture.
    Score(Sample),
    /// How close such a picture is to a vanilla one.
    Identity(Likened),
    /// Pictures of the focus prompt by a pruned student, or by the teacher.
    Student(Student),
    /// How far a student's pictures are from the teacher's.
    Fidelity(Fidelity),
    /// How long the runs that skipping is compared by take on this machine.
    Times(Times),
}

/// A probe of one prompt.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Probe {
    pub(crate) example: usize,
    pub(crate) steps: usize,
}

/// A search of many rounds, which only the fast form can afford.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Search {
    pub(crate) example: usize,
    pub(crate) steps: usize,
    /// Perturbed up and down, not only down.
    pub(crate) both_ways: bool,
}

/// An estimate of the importance for one prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Measured {
    pub(crate) example: usize,
    pub(crate) steps: usize,
    pub(crate) estimator: Estimator,
}

/// The effect of each block at each step on the result for one prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Influence {
    pub(crate) example: usize,
    pub(crate) steps: usize,
    pub(crate) effect: Effect,
}

/// A fit to the pictures that are held out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fit {
    pub(crate) steps: usize,
}

/// The losses of reuse for one prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reuse {
    pub(crate) example: usize,
    pub(crate) steps: usize,
}

/// One example under one weighting, from the noise of one seed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Sample {
    pub(crate) example: usize,
    pub(crate) seed: u64,
    pub(crate) steps: usize,
    pub(crate) weighting: Weighting,
}

/// A picture beside the vanilla one of the same prompt and seed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Likened {
    pub(crate) sample: Sample,
    /// Inference steps of the vanilla picture.
    pub(crate) vanilla_steps: usize,
}

/// Runs for one prompt, timed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Times {
    pub(crate) example: usize,
}

/// Whose pictures.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Student {
    /// The U-Net as it is.
    Teacher,
    /// The student that skips these blocks.
    Pruned(SkipSets),
}

/// A student's pictures of one seed, compared with the teacher's.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Fidelity {
    pub(crate) skips: SkipSets,
    pub(crate) seed: u64,
}

impl Sample {
    /// The probe its weighting comes from, where it comes from one.
    pub(crate) fn probe(&self) -> Option<Probe> {
        let Self { example, steps, weighting, .. } = *self;
        let steps = match weighting {
            Weighting::Control(control) => control.probed_steps.unwrap_or(steps),
            _ => steps,
        };
        weighting.needs_probe().then_some(Probe { example, steps })
    }

    /// The estimates its weighting comes from, where it comes from some.
    pub(crate) fn measured(&self) -> Option<Measured> {
        let Self { example, steps, .. } = *self;
        let estimator = self.weighting.needs_estimates()?;
        Some(Measured { example, steps, estimator })
    }

    /// The fit its weights come from, where they come from one.
    pub(crate) fn fit(&self) -> Option<Fit> {
        let Weighting::Control(Control { rule, .. }) = self.weighting else { return None };
        matches!(rule, Rule::Fitted | Rule::FittedConstant).then_some(Fit { steps: self.steps })
    }

    /// The losses of reuse its weighting comes from, where it comes from some.
    pub(crate) fn reuse(&self) -> Option<Reuse> {
        let Self { example, steps, .. } = *self;
        self.weighting.needs_reuse_losses().then_some(Reuse { example, steps })
    }

    /// Beside the vanilla picture of as many steps.
    pub(crate) fn beside_vanilla(self) -> Likened {
        Likened { sample: self, vanilla_steps: self.steps }
    }
}

impl Likened {
    /// The vanilla sample.
    pub(crate) fn vanilla(&self) -> Sample {
        Sample { weighting: Weighting::Vanilla, steps: self.vanilla_steps, ..self.sample }
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Probe(Probe { example, steps }) => {
                write!(f, "probe of example {example} ({steps} steps)")
            }
            Self::Search(Search { example, steps, .. }) => {
                write!(f, "search to convergence for example {example} ({steps} steps)")
            }
            Self::Estimates(Measured { example, steps, estimator }) => {
                write!(f, "{estimator:?} estimates of example {example} ({steps} steps)")
            }
            Self::Effects(Influence { example, steps, effect }) => {
                write!(f, "{effect:?} effects in example {example} ({steps} steps)")
            }
            Self::Fit(Fit { steps }) => write!(f, "weights fitted to pictures ({steps} steps)"),
            Self::Reuse(Reuse { example, steps }) => {
                write!(f, "losses of reuse of example {example} ({steps} steps)")
            }
            Self::Snr(sample) => write!(f, "signal-to-noise ratio of {sample}"),
            Self::Picture(sample) => write!(f, "picture of {sample}"),
            Self::Score(sample) => write!(f, "score of {sample}"),
            Self::Identity(Likened { sample, vanilla_steps }) => {
                write!(f, "likeness to the vanilla picture of {vanilla_steps} steps of {sample}")
            }
            Self::Student(Student::Teacher) => write!(f, "pictures of the teacher"),
            Self::Student(Student::Pruned(skips)) => {
                write!(f, "pictures of the student without {skips}")
            }
            Self::Fidelity(Fidelity { skips, seed }) => {
                write!(f, "distance of the student without {skips} (seed {seed})")
            }
            Self::Times(Times { example }) => write!(f, "times of example {example}"),
        }
    }
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { example, seed, steps, weighting } = self;
        write!(f, "example {example} under {} (seed {seed}, {steps} steps)", weighting.label())
    }
}
