//! Softmax of rows of scores that arrive in parts.

use pulp::{Simd, WithSimd};

use crate::cpu::simd::{dispatch, exp, lanes, load, store};

/// For each row the largest score so far, and the sum of the exponentials below it.
#[derive(Debug)]
pub(super) struct RunningSoftmax {
    largest: Vec<f32>,
    sums: Vec<f32>,
    /// What earlier results of each row are to be multiplied with after the last [`Self::add`].
    pub(super) rescale: Vec<f32>,
}

impl RunningSoftmax {
    pub(super) fn new(rows: usize) -> Self {
        let zeros = || vec![0.0; rows];
        Self { largest: vec![f32::NEG_INFINITY; rows], sums: zeros(), rescale: zeros() }
    }

    /// Replaces each row's scores, `columns` of which the first `seen` count, by their
    /// exponentials, relative to the largest score of the row so far; 0 where unseen.
    pub(super) fn add(
        &mut self,
        scores: &mut [f32],
        columns: usize,
        seen: impl Fn(usize) -> usize,
    ) {
        dispatch(Exponentials { state: self, scores, columns, seen });
    }

    /// What each row is to be divided by, inverted.
    pub(super) fn inverse_sums(&self) -> Vec<f32> {
        self.sums.iter().map(|sum| 1.0 / sum).collect()
    }
}

struct Exponentials<'a, F> {
    state: &'a mut RunningSoftmax,
    scores: &'a mut [f32],
    columns: usize,
    seen: F,
}

impl<F: Fn(usize) -> usize> WithSimd for Exponentials<'_, F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { state, scores, columns, seen } = self;
        for (row, scores) in scores.chunks_exact_mut(columns).enumerate() {
            let (scores, hidden) = scores.split_at_mut(seen(row));
            hidden.fill(0.0);
            let before = state.largest[row];
            let largest = before.max(maximum(simd, scores));
            let sum = exponentials(simd, scores, largest);
            // Nothing came before where the difference is no number.
            let rescale = if before == largest { 1.0 } else { (before - largest).exp() };
            state.largest[row] = largest;
            state.rescale[row] = rescale;
            state.sums[row] = state.sums[row] * rescale + sum;
        }
    }
}

#[inline(always)]
fn maximum<S: Simd>(simd: S, values: &[f32]) -> f32 {
    let vectors = values.chunks_exact(lanes::<S>());
    let rest = vectors.remainder().iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut largest = simd.splat_f32s(f32::NEG_INFINITY);
    for vector in vectors {
        largest = simd.max_f32s(load::<S>(vector), largest);
    }
    rest.max(simd.reduce_max_f32s(largest))
}

/// Replaces `values` by the exponentials of their differences to `largest`; returns their sum.
#[inline(always)]
fn exponentials<S: Simd>(simd: S, values: &mut [f32], largest: f32) -> f32 {
    let lanes = lanes::<S>();
    let shift = simd.splat_f32s(largest);
    let mut sum = simd.splat_f32s(0.0);
    let mut vectors = values.chunks_exact_mut(lanes);
    for vector in &mut vectors {
        let result = exp(simd, simd.sub_f32s(load::<S>(vector), shift));
        store::<S>(vector, result);
        sum = simd.add_f32s(sum, result);
    }
    let rest = vectors.into_remainder();
    let mut last = [largest; 16];
    last[..rest.len()].copy_from_slice(rest);
    let result = exp(simd, simd.sub_f32s(load::<S>(&last), shift));
    store::<S>(&mut last, result);
    rest.copy_from_slice(&last[..rest.len()]);
    simd.reduce_sum_f32s(sum) + rest.iter().sum::<f32>()
}

/// Multiplies each row of `columns` values with its own factor.
pub(super) fn scale_rows(values: &mut [f32], columns: usize, factors: &[f32]) {
    for (row, factor) in values.chunks_exact_mut(columns).zip(factors) {
        row.iter_mut().for_each(|value| *value *= factor);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Softmax in f64 of the first `seen` values.
    fn reference(scores: &[f32], seen: usize) -> Vec<f64> {
        let powers: Vec<f64> = scores[..seen].iter().map(|x| f64::from(*x).exp()).collect();
        let sum: f64 = powers.iter().sum();
        powers
            .iter()
            .map(|power| power / sum)
            .chain(std::iter::repeat(0.0))
            .take(scores.len())
            .collect()
    }

    #[test]
    fn parts_of_a_row_give_the_softmax_of_the_whole() {
        let scores: Vec<f32> = (0..53).map(|i| ((i * 29 % 53) as f32 - 20.0) * 0.3).collect();
        for seen in [1usize, 16, 20, 37, 53] {
            let mut softmax = RunningSoftmax::new(1);
            let mut weights = vec![0.0; 53];
            for (part, values) in scores.chunks(20).enumerate() {
                let mut values = values.to_vec();
                let count = values.len();
                let visible = seen.saturating_sub(part * 20).min(count);
                softmax.add(&mut values, count, |_| visible);
                scale_rows(&mut weights, 53, &softmax.rescale);
                weights[part * 20..][..count].copy_from_slice(&values);
            }
            let inverse = softmax.inverse_sums()[0];
            for (weight, expected) in weights.iter().zip(reference(&scores, seen)) {
                let error = (f64::from(weight * inverse) - expected).abs();
                assert!(error < 3e-7, "{weight} · {inverse}, {expected}");
            }
        }
    }

    #[test]
    fn a_score_that_is_no_number_makes_its_row_none() {
        let mut softmax = RunningSoftmax::new(2);
        let mut scores = [[1.0; 40], [2.0; 40]].concat();
        scores[47] = f32::NAN;
        softmax.add(&mut scores, 40, |_| 40);
        assert!(softmax.inverse_sums()[0].is_finite() && softmax.inverse_sums()[1].is_nan());
    }
}
