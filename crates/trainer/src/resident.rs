//! Gradient and AdamW where the parameters stay on the device: nothing but two numbers leaves it
//! at each step.

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};

use crate::optimizer::{AdamW, Factors};
use crate::{OptimizerRecipe, flat};

/// AdamW's four vectors on a device.
pub(crate) struct Resident {
    values: Tensor<1>,
    average: Tensor<1>,
    momentum: Tensor<1>,
    variance: Tensor<1>,
}

impl Resident {
    /// The vectors of `optimizer`, on `device` without a graph.
    pub(crate) fn new(optimizer: &AdamW, device: &Device) -> Self {
        let tensor = |values: &[f32]| {
            Tensor::from_data(TensorData::new(values.to_vec(), [values.len()]), device)
        };
        Self {
            values: tensor(&optimizer.values),
            average: tensor(&optimizer.average),
            momentum: tensor(&optimizer.momentum),
            variance: tensor(&optimizer.variance),
        }
    }

    /// The vectors as a checkpoint holds them.
    pub(crate) fn read(&self) -> AdamW {
        let values = |tensor: &Tensor<1>| tensor.clone().into_data().iter::<f32>().collect();
        AdamW {
            values: values(&self.values),
            average: values(&self.average),
            momentum: values(&self.momentum),
            variance: values(&self.variance),
        }
    }

    /// One update of `module` by the gradient of `loss`, `step` counted from 0. Returns the loss,
    /// and the norm of its gradient before clipping.
    pub(crate) fn step<M: Module>(
        &mut self,
        module: &M,
        recipe: &OptimizerRecipe,
        step: usize,
        loss: impl FnOnce(&M) -> Tensor<1>,
    ) -> (f64, f64) {
        let (gradient, loss) = self.gradient(module.clone(), loss);
        let norm = self.update(recipe, step, gradient);
        let told: Vec<f32> = Tensor::cat(vec![loss, norm], 0).into_data().iter().collect();
        (f64::from(told[0]), f64::from(told[1]))
    }

    /// The gradient of `loss`, and its value.
    fn gradient<M: Module>(
        &self,
        module: M,
        loss: impl FnOnce(&M) -> Tensor<1>,
    ) -> (Tensor<1>, Tensor<1>) {
        #[cfg(feature = "tch")]
        if module.devices().iter().all(|device| !device.is_autodiff()) {
            let mut graph = kernels::TorchGraph::record();
            let module = flat::assign_leaves(module, &self.values, &mut graph);
            return graph.gradient(loss(&module));
        }
        let module = flat::assign_tensor(module, &self.values);
        let loss = loss(&module);
        let gradient = flat::gradient_tensor(&module, &loss.backward(), &self.values.device());
        (gradient, loss.inner())
    }

    /// [`AdamW::step`] in tensor operations; the gradient's norm stays on the device.
    fn update(&mut self, recipe: &OptimizerRecipe, step: usize, gradient: Tensor<1>) -> Tensor<1> {
        let norm = sum(gradient.clone().square()).sqrt();
        let factor = (norm.clone().recip() * recipe.gradient_clip).clamp_max(1.0);
        let gradient = gradient * factor;
        let [beta1, beta2] = recipe.betas;
        let Factors { scale, unbias, shrink, keep } = Factors::at(recipe, step);
        self.momentum = self.momentum.clone() * beta1 + gradient.clone() * (1.0 - beta1);
        self.variance = self.variance.clone() * beta2 + gradient.square() * (1.0 - beta2);
        let size = (self.variance.clone() * unbias).sqrt() + 1e-8;
        self.values = self.values.clone() * (1.0 - shrink) - self.momentum.clone() / size * scale;
        self.average = self.average.clone() * keep + self.values.clone() * (1.0 - keep);
        norm
    }
}

/// The sum of a long vector in rows: a GPU's thread adds up one, and always in the same order.
fn sum(values: Tensor<1>) -> Tensor<1> {
    const ROW: usize = 1 << 11;
    let count = values.dims()[0];
    let rows = count / ROW;
    let row = |start: usize, count: usize| values.clone().narrow(0, start, count).sum();
    if rows == 0 {
        return row(0, count);
    }
    let sums = values.clone().narrow(0, 0, rows * ROW).reshape([rows, ROW]).sum_dim(1).sum();
    match count % ROW {
        0 => sums,
        rest => sums + row(rows * ROW, rest),
    }
}

#[cfg(test)]
mod tests {
    use burn::module::{ModuleMapper, Param};
    use burn::nn::{Linear, LinearConfig};

    use super::*;
    use crate::steps::Steps;

    #[test]
    fn sum_of_rows_and_a_rest_is_the_sum() {
        for count in [1, 2048, 5000] {
            let ones = Tensor::<1>::ones([count], &Device::flex());
            assert_eq!(sum(ones).into_scalar::<f32>(), count as f32);
        }
    }

    /// Fills parameters with numbers from this one on, each a tenth larger.
    struct Filled(f32);

    impl ModuleMapper for Filled {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            let shape = param.val().shape();
            let numbers = (0..shape.num_elements()).map(|i| self.0 + 0.1 * i as f32);
            let data = TensorData::new(numbers.collect(), shape);
            let id = param.id;
            param.transform_for_load(Tensor::from_data(data, &Device::flex().autodiff()), id)
        }
    }

    #[test]
    fn step_is_that_of_the_flat_optimiser_to_rounding() {
        let device = Device::flex();
        let training = device.clone().autodiff();
        let recipe = OptimizerRecipe {
            steps: 20,
            batch: 4,
            learning_rate: 1e-2,
            warmup: 3,
            betas: [0.9, 0.99],
            weight_decay: 0.1,
            gradient_clip: 0.05,
            ema: 0.9,
            checkpoint_every: 20,
        };
        let model: Linear = LinearConfig::new(3, 2).init(&training);
        // Far from what the loss asks for: near it gradients vanish, and Adam makes the signs of what
        // is left of them as large as steps.
        let model = model.map(&mut Filled(1.0));
        let loss = |model: &Linear, samples: std::ops::Range<usize>| {
            let share = samples.len() as f64 / recipe.batch as f64;
            let input = Tensor::<2>::ones([samples.len(), 3], &training);
            (model.forward(input) - 1.0).square().mean() * share
        };
        let mut steps = Steps::new(model.clone());
        let mut resident = Resident::new(&steps.state.optimizer, &device);
        for step in 0..recipe.steps {
            let (value, norm) = steps.step(&recipe, loss);
            let told = resident.step(&model, &recipe, step, |model| loss(model, 0..recipe.batch));
            for (found, expected) in [(told.0, value), (told.1, norm)] {
                assert!((found - expected).abs() < 1e-6 * expected, "{step}: {found} {expected}");
            }
        }
        let (ours, read) = (&steps.state.optimizer, resident.read());
        for (flat, read) in [
            (&ours.values, read.values),
            (&ours.average, read.average),
            (&ours.momentum, read.momentum),
            (&ours.variance, read.variance),
        ] {
            assert!(flat.iter().zip(&read).all(|(a, b)| (a - b).abs() < 1e-5));
        }
    }
}
