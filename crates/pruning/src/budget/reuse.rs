//! What it does to add again what a block added some steps ago, measured.

use std::cell::RefCell;
use std::collections::HashMap;

use burn::tensor::Tensor;
use pipeline::{Pipeline, Prediction, SampleRequest, Trajectory};
use serde::{Deserialize, Serialize};
use unet_core::{BlockAction, BlockMode, BlockSite, Intervention, TransformerSite};

use crate::{PruningError, SkipSets};

/// The most steps for which what a block added is used.
pub const MAX_AGE: usize = 4;

/// The loss `‖ε' − ε‖² / N` of a prediction in which one block, at one step, adds what it added
/// `age` steps before, on the trajectory of the U-Net as it is (both halves where guided); that of
/// several blocks and steps is taken to be the sum.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Vec<Vec<f64>>>", into = "Vec<Vec<Vec<f64>>>")]
pub struct ReuseLosses {
    /// `[step][block][age − 1]`, for every age up to the step, at most [`MAX_AGE`].
    losses: Vec<Vec<Vec<f64>>>,
}

impl TryFrom<Vec<Vec<Vec<f64>>>> for ReuseLosses {
    type Error = PruningError;

    fn try_from(losses: Vec<Vec<Vec<f64>>>) -> Result<Self, PruningError> {
        Self::new(losses)
    }
}

impl From<ReuseLosses> for Vec<Vec<Vec<f64>>> {
    fn from(losses: ReuseLosses) -> Self {
        losses.losses
    }
}

/// Residuals of one step by block and layer.
type Added = HashMap<(usize, usize), Tensor<4>>;

/// What one sample of a batch does: a block that adds what it added at an earlier step.
#[derive(Clone, Copy)]
struct Trial {
    block: usize,
    age: usize,
}

impl ReuseLosses {
    /// Losses by step, block and age.
    ///
    /// # Errors
    /// [`PruningError::Settings`] where there is no step or block, a number of blocks differs, ages
    /// are missing, or something is no loss.
    pub fn new(losses: Vec<Vec<Vec<f64>>>) -> Result<Self, PruningError> {
        let blocks = losses.first().map_or(0, Vec::len);
        let whole = |(step, row): (usize, &Vec<Vec<f64>>)| {
            let ages = |ages: &Vec<f64>| {
                ages.len() == step.min(MAX_AGE) && ages.iter().all(|l| l.is_finite() && *l >= 0.0)
            };
            row.len() == blocks && row.iter().all(ages)
        };
        match blocks > 0 && losses.iter().enumerate().all(whole) {
            true => Ok(Self { losses }),
            false => Err(PruningError::Settings(format!(
                "expected finite losses of 0 or more for each block at each step, of every age up \
                 to the step, at most {MAX_AGE}"
            ))),
        }
    }

    /// Measures them for the one sample of `request`: m losses for every step and age, each a
    /// prediction. `unet_batch` is the largest number of samples of one U-Net call, guidance counted
    /// twice; results do not depend on it.
    ///
    /// # Errors
    /// [`PruningError::Pipeline`] for a request of another number of samples than one, or that cannot
    /// be sampled.
    pub fn measure(
        pipeline: &Pipeline,
        request: &SampleRequest,
        unet_batch: usize,
    ) -> Result<Self, PruningError> {
        if request.samples() != 1 {
            let found = request.samples();
            return Err(PruningError::Settings(format!("expected one sample, found {found}")));
        }
        let blocks = pipeline.unet().config().num_attention_blocks();
        let halves = if request.guided() { 2 } else { 1 };
        let together = (unet_batch / halves).max(1);
        let (mut earlier, mut losses): (Vec<Added>, _) = (Vec::new(), Vec::new());
        let mut trajectory = Trajectory::new(request)?;
        while trajectory
            .advance::<PruningError>(|info, input| {
                let predict = |count: usize, intervention: &dyn Intervention| {
                    pipeline.predict(
                        input.clone().repeat_dim(0, count),
                        info.timestep,
                        &request.repeated(count).unet_conditioning(),
                        request.guidance_scale(),
                        request.sizes.as_ref(),
                        Some(intervention),
                    )
                };
                let keeping = Keeping::default();
                let vanilla = predict(1, &keeping);
                let ages = info.step.min(MAX_AGE);
                let trials: Vec<Trial> = (0..blocks)
                    .flat_map(|block| (1..=ages).map(move |age| Trial { block, age }))
                    .collect();
                let mut of_step = Vec::with_capacity(trials.len());
                for trials in trials.chunks(together) {
                    let reusing = Reusing { trials, earlier: &earlier };
                    let predicted = predict(trials.len(), &reusing);
                    of_step.extend(distances(&predicted, &vanilla, trials.len()));
                }
                losses.push(match ages {
                    0 => vec![Vec::new(); blocks],
                    _ => of_step.chunks(ages).map(<[f64]>::to_vec).collect(),
                });
                earlier.push(keeping.added.into_inner());
                // What is too old is not kept.
                if earlier.len() > MAX_AGE {
                    earlier[info.step - MAX_AGE].clear();
                }
                Ok(vanilla)
            })?
            .is_some()
        {}
        Self::new(losses)
    }

    /// At how many of `steps` steps a block can reuse: it runs at the first, and again whenever what
    /// it added is as old as it may be.
    pub fn reusable(steps: usize) -> usize {
        (0..steps).filter(|step| !step.is_multiple_of(MAX_AGE + 1)).count()
    }

    /// Number of steps.
    pub fn steps(&self) -> usize {
        self.losses.len()
    }

    /// Number `m` of blocks.
    pub fn blocks(&self) -> usize {
        self.losses.first().map_or(0, Vec::len)
    }

    /// The loss of a block at a step that adds what it added `age` (1 or more) steps before; none
    /// where that was not measured.
    pub fn loss(&self, step: usize, block: usize, age: usize) -> Option<f64> {
        self.losses.get(step)?.get(block)?.get(age.checked_sub(1)?).copied()
    }

    /// The loss that is foreseen where these blocks reuse, summed over blocks and steps; none where
    /// some of it was not measured.
    pub fn total(&self, reused: &SkipSets) -> Option<f64> {
        let mut sum = 0.0;
        for block in 0..self.blocks() {
            // Since it ran; it has not before the first step.
            let mut age = None;
            for (step, blocks) in reused.steps().iter().enumerate() {
                if blocks.contains(&block) {
                    age = age.map(|age| age + 1);
                    sum += self.loss(step, block, age?)?;
                } else {
                    age = Some(0);
                }
            }
        }
        Some(sum)
    }
}

/// Mean squared distance of each of `count` samples to the vanilla one, over both halves.
fn distances(predicted: &Prediction, vanilla: &Prediction, count: usize) -> Vec<f64> {
    let values = |raw: &Tensor<4>| raw.clone().into_data().iter::<f32>().collect::<Vec<_>>();
    let (predicted, vanilla, halves) =
        (values(&predicted.raw), values(&vanilla.raw), vanilla.raw.dims()[0]);
    let each = vanilla.len() / halves;
    let of_half = |trial: usize, half: usize| {
        let start = (half * count + trial) * each;
        let pairs = predicted[start..start + each].iter().zip(&vanilla[half * each..]);
        pairs.map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum::<f64>()
    };
    (0..count)
        .map(|trial| {
            (0..halves).map(|half| of_half(trial, half)).sum::<f64>() / vanilla.len() as f64
        })
        .collect()
}

/// Changes nothing and keeps what every Transformer adds.
#[derive(Default)]
struct Keeping {
    added: RefCell<Added>,
}

impl Intervention for Keeping {
    fn attention_block(&self, _: BlockSite, _: usize) -> BlockAction {
        BlockAction { keep: true, ..BlockAction::default() }
    }

    fn keep_residual(&self, site: TransformerSite, _: &[usize], residual: Tensor<4>) {
        self.added.borrow_mut().insert((site.block.index, site.layer), residual);
    }
}

/// A trial for each sample; both halves of guidance go through all of them.
struct Reusing<'a> {
    trials: &'a [Trial],
    /// Of every step before.
    earlier: &'a [Added],
}

impl Intervention for Reusing<'_> {
    fn attention_block(&self, site: BlockSite, batch: usize) -> BlockAction {
        let mode = |sample: usize| match self.trials[sample % self.trials.len()].block {
            block if block == site.index => BlockMode::Reuse,
            _ => BlockMode::Run,
        };
        BlockAction { mode: Some((0..batch).map(mode).collect()), ..BlockAction::default() }
    }

    fn kept_residual(&self, site: TransformerSite, samples: &[usize]) -> Option<Tensor<4>> {
        let of = |sample: &usize| {
            let (trial, half) = (sample % self.trials.len(), sample / self.trials.len());
            let step = self.earlier.len().checked_sub(self.trials[trial].age)?;
            let added = self.earlier.get(step)?.get(&(site.block.index, site.layer))?;
            Some(added.clone().narrow(0, half, 1))
        };
        Some(Tensor::cat(samples.iter().map(of).collect::<Option<_>>()?, 0))
    }
}
