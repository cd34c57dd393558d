//! GroupNorm and LayerNorm of f32 slices.

use rayon::prelude::*;

use super::activation::{silu_backward_in_place, silu_in_place};

/// Sizes of a normalisation: `x` is `[samples · groups]` runs of `channels` channels with
/// `positions` elements each.
///
/// GroupNorm has several groups and positions; LayerNorm is the case of one group, one position.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct NormShape {
    pub(crate) groups: usize,
    /// Channels of one group.
    pub(crate) channels: usize,
    pub(crate) positions: usize,
    pub(crate) epsilon: f64,
    /// Whether SiLU follows.
    pub(crate) silu: bool,
}

impl NormShape {
    fn run(&self) -> usize {
        self.channels * self.positions
    }

    /// Mean and inverse standard deviation of one run, in f64.
    fn statistics(&self, x: &[f32]) -> (f32, f32) {
        let count = x.len() as f64;
        let mean = sum(x, |x| x) / count;
        let variance = sum(x, |x| (x - mean) * (x - mean)) / count;
        (mean as f32, (1.0 / (variance + self.epsilon).sqrt()) as f32)
    }

    fn affine<'a>(&self, group: usize, values: &'a [f32]) -> &'a [f32] {
        &values[group * self.channels..][..self.channels]
    }
}

/// A sum in f64 over eight lanes, which the compiler turns into vectors.
#[inline(always)]
fn sum(x: &[f32], map: impl Fn(f64) -> f64) -> f64 {
    let mut lanes = [0.0f64; 8];
    let chunks = x.chunks_exact(8);
    let rest: f64 = chunks.remainder().iter().map(|x| map(f64::from(*x))).sum();
    for chunk in chunks {
        for (lane, x) in lanes.iter_mut().zip(chunk) {
            *lane += map(f64::from(*x));
        }
    }
    lanes.iter().sum::<f64>() + rest
}

/// `(x − mean) / deviation · gamma + beta`, then SiLU where asked.
pub(crate) fn forward(x: &[f32], gamma: &[f32], beta: &[f32], shape: NormShape) -> Vec<f32> {
    let mut y = vec![0.0; x.len()];
    let run = shape.run();
    if run == 0 {
        return y;
    }
    y.par_chunks_mut(run)
        .zip(x.par_chunks(run))
        .with_min_len((1usize << 13).div_ceil(run))
        .enumerate()
        .for_each(|(index, (y, x))| {
            let (mean, inverse) = shape.statistics(x);
            let group = index % shape.groups;
            affine_rows(x, y, mean, inverse, shape.affine(group, gamma), shape.affine(group, beta));
            if shape.silu {
                silu_in_place(y);
            }
        });
    y
}

fn affine_rows(x: &[f32], y: &mut [f32], mean: f32, inverse: f32, gamma: &[f32], beta: &[f32]) {
    let positions = x.len() / gamma.len();
    if positions == 1 {
        for i in 0..x.len() {
            y[i] = (x[i] - mean) * inverse * gamma[i] + beta[i];
        }
        return;
    }
    for (channel, (y, x)) in
        y.chunks_exact_mut(positions).zip(x.chunks_exact(positions)).enumerate()
    {
        let scale = inverse * gamma[channel];
        let shift = beta[channel];
        y.iter_mut().zip(x).for_each(|(y, x)| *y = (x - mean) * scale + shift);
    }
}

/// Gradients of `x`, `gamma` and `beta`.
pub(crate) fn backward(
    x: &[f32],
    gamma: &[f32],
    beta: &[f32],
    mut dy: Vec<f32>,
    shape: NormShape,
) -> (Vec<f32>, Vec<f32>, Vec<f32>) {
    let (run, positions) = (shape.run(), shape.positions);
    let mut dgamma = vec![0.0; gamma.len()];
    let mut dbeta = vec![0.0; beta.len()];
    let mut normed = vec![0.0; run];
    let mut before_silu = vec![0.0; run];
    let ones = vec![1.0; shape.channels];
    let zeros = vec![0.0; shape.channels];
    for (index, (dy, x)) in dy.chunks_exact_mut(run).zip(x.chunks_exact(run)).enumerate() {
        let group = index % shape.groups;
        let (mean, inverse) = shape.statistics(x);
        affine_rows(x, &mut normed, mean, inverse, &ones, &zeros);
        let (gamma, beta) = (shape.affine(group, gamma), shape.affine(group, beta));
        if shape.silu {
            affine_rows(x, &mut before_silu, mean, inverse, gamma, beta);
            silu_backward_in_place(dy, &before_silu);
        }
        // dy becomes the gradient of the normalised value; its two projections are taken out.
        let (mut along_one, mut along_normed) = (0.0f64, 0.0f64);
        for channel in 0..shape.channels {
            let span = channel * positions..(channel + 1) * positions;
            let (dy, normed) = (&mut dy[span.clone()], &normed[span]);
            let shift: f32 = dy.iter().sum();
            let scale: f32 = dy.iter().zip(normed).map(|(dy, n)| dy * n).sum();
            dgamma[group * shape.channels + channel] += scale;
            dbeta[group * shape.channels + channel] += shift;
            along_one += f64::from(shift * gamma[channel]);
            along_normed += f64::from(scale * gamma[channel]);
            dy.iter_mut().for_each(|dy| *dy *= gamma[channel]);
        }
        let one = (along_one / run as f64) as f32;
        let slope = (along_normed / run as f64) as f32;
        dy.iter_mut().zip(&normed).for_each(|(dy, n)| *dy = inverse * (*dy - one - n * slope));
    }
    (dy, dgamma, dbeta)
}
