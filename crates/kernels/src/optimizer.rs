//! What an optimizer does to all parameters as one vector on the CPU.

use multiversion::multiversion;
use rayon::prelude::*;

use crate::cpu::activation::vectorised;

/// Values a task takes at least.
const CHUNK: usize = 1 << 16;

/// The Euclidean norm of `gradient`, summed in parts of fixed size whatever the number of threads.
pub fn norm(gradient: &[f32]) -> f64 {
    let square = |part: &[f32]| part.iter().map(|g| f64::from(*g).powi(2)).sum::<f64>();
    let parts: Vec<f64> = gradient.par_chunks(1 << 12).with_min_len(8).map(square).collect();
    parts.iter().sum::<f64>().sqrt()
}

/// Multiplies every value by `factor`.
pub fn scale(values: &mut [f32], factor: f32) {
    values
        .par_chunks_mut(CHUNK)
        .for_each(|chunk| chunk.iter_mut().for_each(|value| *value *= factor));
}

/// Adds `other` to `sum`, value by value, as far as both go.
pub fn add(sum: &mut [f32], other: &[f32]) {
    sum.par_chunks_mut(CHUNK).zip(other.par_chunks(CHUNK)).for_each(|(sum, other)| {
        sum.iter_mut().zip(other).for_each(|(sum, other)| *sum += other);
    });
}

/// The numbers of one update of AdamW and of the moving average that follows it (I. Loshchilov,
/// F. Hutter, Decoupled Weight Decay Regularization, 2019, algorithm 2, with its ε of 1e-8).
#[derive(Debug, Clone, Copy)]
pub struct AdamWStep {
    /// Decays β₁, β₂ of the moments, in [0, 1).
    pub betas: [f32; 2],
    /// The learning rate over 1 − β₁ᵗ.
    pub scale: f32,
    /// One over 1 − β₂ᵗ.
    pub unbias: f32,
    /// What the values are multiplied with before: 1 − learning rate · weight decay.
    pub decay: f32,
    /// Decay of the moving average, in [0, 1].
    pub keep: f32,
}

/// What AdamW holds for each parameter; all of one length.
#[derive(Debug)]
pub struct AdamWState<'a> {
    /// Parameters.
    pub values: &'a mut [f32],
    /// Their moving average.
    pub average: &'a mut [f32],
    /// First moments.
    pub momentum: &'a mut [f32],
    /// Second moments.
    pub variance: &'a mut [f32],
}

impl AdamWStep {
    /// Updates `state` by `gradient`, as far as all go.
    pub fn apply(&self, state: AdamWState, gradient: &[f32]) {
        state
            .values
            .par_chunks_mut(CHUNK)
            .zip(state.average.par_chunks_mut(CHUNK))
            .zip(state.momentum.par_chunks_mut(CHUNK))
            .zip(state.variance.par_chunks_mut(CHUNK))
            .zip(gradient.par_chunks(CHUNK))
            .for_each(|((((values, average), momentum), variance), gradient)| {
                update(self, AdamWState { values, average, momentum, variance }, gradient);
            });
    }
}

vectorised! {
    /// [`AdamWStep::apply`] on a part of the parameters.
    update(step: &AdamWStep, state: AdamWState, gradient: &[f32]) {
        let AdamWStep { betas: [beta1, beta2], scale, unbias, decay, keep } = *step;
        let AdamWState { values, average, momentum, variance } = state;
        let moments = momentum.iter_mut().zip(variance);
        for (((value, average), (momentum, variance)), gradient) in
            values.iter_mut().zip(average).zip(moments).zip(gradient)
        {
            *momentum = beta1 * *momentum + (1.0 - beta1) * gradient;
            *variance = beta2 * *variance + (1.0 - beta2) * gradient * gradient;
            *value = decay * *value - scale * *momentum / ((*variance * unbias).sqrt() + 1e-8);
            *average = keep * *average + (1.0 - keep) * *value;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two chunks and a bit more, so that tasks, vectors and what is left over all take part.
    const COUNT: usize = 2 * CHUNK + 5;

    fn numbers(seed: usize) -> Vec<f32> {
        (0..COUNT).map(|i| ((i * 7919 + seed * 104_729) % 2003) as f32 / 1001.5 - 1.0).collect()
    }

    #[test]
    fn an_update_is_that_of_one_parameter_at_a_time() {
        let step = AdamWStep {
            betas: [0.9, 0.99],
            scale: 0.01,
            unbias: 1.0 / (1.0 - 0.99f32.powi(3)),
            decay: 0.999,
            keep: 0.998,
        };
        let [start, mean, first, gradient] = [0, 1, 2, 3].map(numbers);
        let second: Vec<f32> = numbers(4).iter().map(|v| v * v).collect();
        let [mut values, mut average, mut momentum, mut variance] =
            [&start, &mean, &first, &second].map(Clone::clone);
        let state = AdamWState {
            values: &mut values,
            average: &mut average,
            momentum: &mut momentum,
            variance: &mut variance,
        };
        step.apply(state, &gradient);
        for i in 0..COUNT {
            let g = f64::from(gradient[i]);
            let m = 0.9 * f64::from(first[i]) + 0.1 * g;
            let v = 0.99 * f64::from(second[i]) + 0.01 * g * g;
            let root = (v * f64::from(step.unbias)).sqrt() + 1e-8;
            let value = 0.999 * f64::from(start[i]) - 0.01 * m / root;
            let kept = 0.998 * f64::from(mean[i]) + 0.002 * value;
            let found = [values[i], average[i], momentum[i], variance[i]].map(f64::from);
            for (found, expected) in found.into_iter().zip([value, kept, m, v]) {
                assert!(
                    (found - expected).abs() <= 1e-5 * (1.0 + expected.abs()),
                    "{i}: {found} {expected}"
                );
            }
        }
    }

    #[test]
    fn norm_scale_and_sum_are_those_of_all_values() {
        let [mut x, y] = [0, 1].map(numbers);
        let square: f64 = x.iter().map(|v| f64::from(*v).powi(2)).sum();
        assert!((norm(&x) - square.sqrt()).abs() <= 1e-9 * square.sqrt());
        let expected: Vec<f32> = x.iter().zip(&y).map(|(x, y)| x * 0.5 + y).collect();
        scale(&mut x, 0.5);
        add(&mut x, &y);
        assert_eq!(x, expected);
    }
}
