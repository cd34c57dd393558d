//! Training steps: what every stage repeats.

use std::ops::Range;

use burn::module::Module;
use burn::tensor::{Device, Tensor};

use crate::checkpoint::State;
use crate::optimizer::AdamW;
use crate::resident::Resident;
use crate::shards::Shards;
use crate::{OptimizerRecipe, flat};

/// Where gradients and updates are computed.
enum Place {
    /// On the CPU, in shards.
    Shards(Shards),
    /// On a GPU, the batch as a whole; `State::optimizer` is behind until it is read.
    Device(Box<Resident>),
}

/// Steps of AdamW on a module whose parameters require gradients.
pub struct Steps<M> {
    module: M,
    place: Place,
    pub(crate) state: State,
}

impl<M: Module + Sync> Steps<M> {
    /// Starts from the module's own parameters.
    pub fn new(module: M) -> Self {
        let optimizer = AdamW::new(flat::parameters(&module));
        Self::resume(module, State { step: 0, optimizer, losses: Vec::new() })
    }

    /// Goes on from `state`.
    pub(crate) fn resume(module: M, state: State) -> Self {
        let device = module.devices().first().map(|device| device.clone().inner());
        let place = match device.filter(|device| *device != Device::flex()) {
            Some(device) => Place::Device(Box::new(Resident::new(&state.optimizer, &device))),
            None => Place::Shards(Shards::new()),
        };
        Self { module, place, state }
    }

    /// One update by the sum of what `loss` gives for parts of the batch's samples; returns it, and
    /// the norm of its gradient before clipping. The step counts as done where both are finite.
    pub fn step<F>(&mut self, recipe: &OptimizerRecipe, loss: F) -> (f64, f64)
    where
        F: Fn(&M, Range<usize>) -> Tensor<1> + Sync,
    {
        let State { step, optimizer, losses } = &mut self.state;
        let (value, norm) = match &mut self.place {
            Place::Shards(shards) => {
                let (value, gradient) =
                    shards.gradient(&self.module, &optimizer.values, recipe.batch, loss);
                (value, optimizer.step(recipe, *step, gradient))
            }
            Place::Device(resident) => {
                resident.step(&self.module, recipe, *step, |m| loss(m, 0..recipe.batch))
            }
        };
        if value.is_finite() && norm.is_finite() {
            losses.push(value as f32);
            *step += 1;
        }
        (value, norm)
    }

    /// What a checkpoint holds.
    pub(crate) fn state(&mut self) -> &State {
        if let Place::Device(resident) = &self.place {
            self.state.optimizer = resident.read();
        }
        &self.state
    }

    /// The module with the moving average of its parameters, and the loss of every step.
    pub(crate) fn end(mut self) -> (M, Vec<f32>) {
        self.state();
        (flat::assign(self.module, &self.state.optimizer.average), self.state.losses)
    }
}
