//! The gradient of a batch, computed in parallel shards.

use std::ops::Range;

use burn::module::Module;
use burn::tensor::Tensor;
use kernels::Lanes;
use kernels::optimizer::add;

use crate::flat;

/// Shards a batch is always computed in, whatever the machine, so that results do not depend on
/// the number of processors.
pub(crate) const SHARDS: usize = 2;

/// Computes the gradient of a batch in parallel shards.
///
/// Small tensors leave most of a parallel operation's time in its overhead; one thread per shard
/// keeps all processors busy instead.
pub(crate) struct Shards {
    lanes: Lanes,
}

impl Shards {
    pub(crate) fn new() -> Self {
        Self { lanes: Lanes::new(SHARDS) }
    }

    /// Loss and gradient: the sums of what `loss` gives for each shard's samples.
    pub(crate) fn gradient<M, F>(
        &self,
        module: &M,
        values: &[f32],
        batch: usize,
        loss: F,
    ) -> (f64, Vec<f32>)
    where
        M: Module + Sync,
        F: Fn(&M, Range<usize>) -> Tensor<1> + Sync,
    {
        let shard = |index: usize| {
            let samples = batch * index / SHARDS..batch * (index + 1) / SHARDS;
            // Fresh leaves, so that the shards' graphs have nothing in common.
            let module = flat::assign(module.clone(), values);
            let loss = loss(&module, samples);
            let value = f64::from(loss.clone().into_scalar::<f32>());
            (value, flat::gradients(&module, &loss.backward()))
        };
        let mut results = self.lanes.map(shard).into_iter();
        let mut total = results.next().unwrap_or_default();
        for (value, gradient) in results {
            total.0 += value;
            add(&mut total.1, &gradient);
        }
        total
    }
}
