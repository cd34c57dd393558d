//! One training run of a module: steps, checkpoints, and what is told after each step.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::checkpoint::CheckpointFile;
use crate::steps::Steps;
use crate::{OptimizerRecipe, TrainError, flat};

/// What is told after every step.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    /// Steps done.
    pub step: usize,
    /// Steps in all.
    pub steps: usize,
    /// Loss of the last step.
    pub loss: f64,
    /// Norm of its gradient before clipping.
    pub gradient_norm: f64,
    /// Expected time to the end.
    pub remaining: Duration,
}

/// The random stream of one sample of one step: independent of every other, so that a resumed
/// run draws what an uninterrupted one would have drawn.
pub(crate) fn stream(seed: u64, step: usize, sample: usize) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(((step as u64) << 20) | sample as u64);
    rng
}

/// The device on which operations are recorded for their gradients: PyTorch's record by themselves.
pub(crate) fn recording(device: &Device) -> Device {
    if kernels::is_torch(device) { device.clone() } else { device.clone().autodiff() }
}

/// `module`, whose operations are not recorded, for training on the device that [`recording`] gave.
pub(crate) fn recorded<M: Module>(module: M, training: &Device) -> M {
    if training.is_autodiff() { module.train() } else { module }
}

/// The module that `init` makes on `device`, with the initial weights that `seed` gives on the CPU.
///
/// A device has one generator for the whole process, and parameters are drawn when they are first
/// used: two runs at once would draw from each other's stream.
///
/// # Errors
/// Those of `init`.
pub(crate) fn initialize<M: Module, E>(
    seed: u64,
    device: &Device,
    init: impl Fn(&Device) -> Result<M, E>,
) -> Result<M, E> {
    static GENERATOR: Mutex<()> = Mutex::new(());
    let _held = GENERATOR.lock().unwrap_or_else(PoisonError::into_inner);
    let cpu = Device::flex().autodiff();
    cpu.seed(seed);
    let module = init(&cpu)?;
    let values = flat::parameters(&module);
    if *device == cpu { Ok(module) } else { Ok(flat::assign(init(device)?, &values)) }
}

/// Trains `module` from its last checkpoint to the end; returns it with averaged weights, and the
/// loss of every step.
///
/// # Errors
/// [`TrainError`]: a checkpoint of another run, an unwritable one, or a loss or gradient that is
/// not finite, before which the last checkpoint is kept.
pub(crate) fn run<M, F>(
    module: M,
    recipe: &OptimizerRecipe,
    checkpoint: &CheckpointFile,
    progress: &mut dyn FnMut(Progress),
    loss: F,
) -> Result<(M, Vec<f32>), TrainError>
where
    M: Module + Sync,
    F: Fn(&M, usize, std::ops::Range<usize>) -> Tensor<1> + Sync,
{
    let parameters = flat::parameters(&module);
    let mut steps = match checkpoint.load(parameters.len(), recipe.steps)? {
        Some(state) => Steps::resume(module, state),
        None => Steps::new(module),
    };
    let first = steps.state.step;
    let start = Instant::now();
    for step in first..recipe.steps {
        let (value, gradient_norm) = steps.step(recipe, |m, samples| loss(m, step, samples));
        if !(value.is_finite() && gradient_norm.is_finite()) {
            let checkpoint = checkpoint.path().into();
            return Err(TrainError::Diverged { step, loss: value, gradient_norm, checkpoint });
        }
        let done = step + 1;
        if done.is_multiple_of(recipe.checkpoint_every) || done == recipe.steps {
            checkpoint.save(steps.state())?;
        }
        let per_step = start.elapsed() / (done - first) as u32;
        let remaining = per_step * (recipe.steps - done) as u32;
        progress(Progress {
            step: done,
            steps: recipe.steps,
            loss: value,
            gradient_norm,
            remaining,
        });
    }
    Ok(steps.end())
}

#[cfg(test)]
mod tests {
    use burn::nn::{Linear, LinearConfig};
    use serde_json::json;

    use super::*;
    use crate::origin::Origin;

    #[test]
    fn run_that_diverges_keeps_the_last_checkpoint() {
        let device = Device::flex().autodiff();
        let recipe = OptimizerRecipe {
            steps: 5,
            batch: 2,
            learning_rate: 1e-3,
            warmup: 0,
            betas: [0.9, 0.99],
            weight_decay: 0.0,
            gradient_clip: 1.0,
            ema: 0.9,
            checkpoint_every: 2,
        };
        // A loss that is no number, and one that is while its gradient, ∞ · 0, is none.
        let losses: [fn(Tensor<1>) -> Tensor<1>; 2] =
            [|loss| loss * f64::NAN, |loss| (loss * 0.0).sqrt()];
        for spoil in losses {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("a.safetensors");
            let file = CheckpointFile::new(path, Origin::new(&json!({}), &[]));
            let model: Linear = LinearConfig::new(2, 1).init(&device);
            let error = run(model, &recipe, &file, &mut |_| {}, |model, step, samples| {
                let input = Tensor::<2>::ones([samples.len(), 2], &device);
                let loss = model.forward(input).square().mean();
                if step == 3 { spoil(loss) } else { loss }
            });
            let error = error.unwrap_err();
            assert!(matches!(error, TrainError::Diverged { step: 3, .. }), "{error}");
            assert_eq!(file.load(3, recipe.steps).unwrap().unwrap().step, 2);
        }
    }
}
