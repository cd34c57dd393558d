//! A matrix of low rank, as two factors.

use burn::tensor::{Device, Tensor, TensorData};
use weights::Addition;

/// `scale · up · down`: what a LoRA adds to the weight of one layer.
#[derive(Debug, Clone, PartialEq)]
pub struct LowRank {
    /// `[outputs, rank]`, row by row.
    up: Vec<f32>,
    /// `[rank, columns]`, row by row; the columns are inputs × kernel.
    down: Vec<f32>,
    rank: usize,
    scale: f32,
}

impl LowRank {
    /// From `up` of `[outputs, rank]` and `down` of `[rank, columns]`, both row by row.
    ///
    /// # Panics
    /// Where the factors are not made of whole rows of that rank.
    pub fn new(up: Vec<f32>, down: Vec<f32>, rank: usize) -> Self {
        assert!(
            rank > 0 && up.len().is_multiple_of(rank) && down.len().is_multiple_of(rank),
            "factors of {} and {} values are of no rank {rank}",
            up.len(),
            down.len()
        );
        Self { up, down, rank, scale: 1.0 }
    }

    /// The same times `scale`.
    pub fn with_scale(mut self, scale: f32) -> Self {
        self.scale = scale;
        self
    }

    /// Outputs, rank, and inputs × kernel.
    pub fn dims(&self) -> [usize; 3] {
        [self.up.len() / self.rank, self.rank, self.down.len() / self.rank]
    }

    /// Frobenius norm of `scale · up · down`, from the factors' Gram matrices:
    /// `‖UD‖² = Σ (UᵀU) ∘ (DDᵀ)`.
    pub fn norm(&self) -> f64 {
        let [_, rank, columns] = self.dims();
        let mut of_up = vec![0.0; rank * rank];
        for row in self.up.chunks_exact(rank) {
            for (left, sums) in row.iter().zip(of_up.chunks_exact_mut(rank)) {
                for (sum, right) in sums.iter_mut().zip(row) {
                    *sum += f64::from(*left) * f64::from(*right);
                }
            }
        }
        let row = |at: usize| &self.down[at * columns..][..columns];
        let of_down = |at: usize| -> f64 {
            let pairs = row(at / rank).iter().zip(row(at % rank));
            pairs.map(|(left, right)| f64::from(*left) * f64::from(*right)).sum()
        };
        let square: f64 = of_up.iter().enumerate().map(|(at, sum)| sum * of_down(at)).sum();
        f64::from(self.scale).abs() * square.max(0.0).sqrt()
    }
}

impl Addition for LowRank {
    /// Computes on the CPU, whatever device the model is for.
    fn add_to(&self, values: &mut [f32]) {
        let [outputs, rank, columns] = self.dims();
        let device = Device::flex();
        let up = TensorData::new(self.up.clone(), [outputs, rank]);
        let down = TensorData::new(self.down.clone(), [rank, columns]);
        let product = Tensor::<2>::from_data(up, &device).matmul(Tensor::from_data(down, &device));
        for (value, term) in values.iter_mut().zip(product.into_data().iter::<f32>()) {
            *value += self.scale * term;
        }
    }
}

/// `mid · down` as one factor of `[rank, inputs × kernel]`, from `mid` of `[rank, inner, kernel]`
/// and `down` of `[inner, inputs]`: a convolution between two 1×1 convolutions.
pub(crate) fn through(mid: &[f32], down: &[f32], inner: usize, kernel: usize) -> Vec<f32> {
    let (rank, inputs) = (mid.len() / (inner * kernel), down.len() / inner);
    let mut out = vec![0.0; rank * inputs * kernel];
    for (row, out) in out.chunks_exact_mut(inputs * kernel).enumerate() {
        for (index, down) in down.chunks_exact(inputs).enumerate() {
            let mid = &mid[(row * inner + index) * kernel..][..kernel];
            for (out, input) in out.chunks_exact_mut(kernel).zip(down) {
                for (out, mid) in out.iter_mut().zip(mid) {
                    *out += mid * input;
                }
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn add_to_adds_the_scaled_product_of_the_factors_and_norm_is_its_norm(
            (outputs, rank, columns) in (1usize..20, 1usize..5, 1usize..30),
            scale in -2.0f32..2.0,
            seed in any::<u32>(),
        ) {
            let value = |i: usize| ((i as u32).wrapping_mul(2_654_435_761) ^ seed) % 1000;
            let values = |start: usize, count: usize| -> Vec<f32> {
                (start..start + count).map(|i| value(i) as f32 / 500.0 - 1.0).collect()
            };
            let (up, down) = (values(0, outputs * rank), values(7000, rank * columns));
            let mut sum = values(90, outputs * columns);
            let before = sum.clone();
            let matrix = LowRank::new(up.clone(), down.clone(), rank).with_scale(scale);
            matrix.add_to(&mut sum);
            let mut square = 0.0;
            for row in 0..outputs {
                for column in 0..columns {
                    let product: f64 = (0..rank)
                        .map(|k| f64::from(up[row * rank + k]) * f64::from(down[k * columns + column]))
                        .sum();
                    let at = row * columns + column;
                    let expected = f64::from(before[at]) + f64::from(scale) * product;
                    prop_assert!((f64::from(sum[at]) - expected).abs() < 1e-5);
                    square += (f64::from(scale) * product).powi(2);
                }
            }
            prop_assert!((matrix.norm() - square.sqrt()).abs() < 1e-6);
        }
    }

    #[test]
    fn bits_of_large_sums_do_not_depend_on_the_number_of_threads() {
        let wave = |count: usize| (0..count).map(|i| (i as f32 * 0.37).sin()).collect::<Vec<_>>();
        let matrix = LowRank::new(wave(640 * 48), wave(48 * 2880), 48).with_scale(0.7);
        let sum = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let mut values = wave(640 * 2880);
            pool.install(|| matrix.add_to(&mut values));
            values
        };
        let one = sum(1);
        assert!(sum(2) == one && sum(3) == one);
    }

    #[test]
    fn through_is_the_composition_of_both_maps() {
        // Two ranks, inner 2, a kernel of 3, two inputs.
        let mid: Vec<f32> = (1..=12).map(|value| value as f32).collect();
        let down = [1.0, 10.0, 100.0, 1000.0];
        let out = through(&mid, &down, 2, 3);
        // [rank 0][input 0][kernel 0] = mid[0][0][0]·down[0][0] + mid[0][1][0]·down[1][0].
        assert_eq!(out[0], 1.0 + 4.0 * 100.0);
        assert_eq!(out[5], 3.0 * 10.0 + 6.0 * 1000.0);
        assert_eq!(out[6], 7.0 + 10.0 * 100.0);
        assert_eq!(out.len(), 12);
    }
}
