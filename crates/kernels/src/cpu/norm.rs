//! GroupNorm and LayerNorm of f32 slices.

use multiversion::multiversion;
use rayon::prelude::*;

use super::activation::{silu_backward_in_place, silu_in_place, vectorised};
use super::scratch::Scratch;
use super::sums::{dot, sum};

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

vectorised! {
    /// In f64.
    mean_and_variance(x: &[f32]) -> (f64, f64) {
        let count = x.len() as f64;
        let mean = sum(x, |x| x) / count;
        (mean, sum(x, |x| (x - mean) * (x - mean)) / count)
    }
}

/// What a norm does to a channel of a sample: `(x − mean) · scale + shift`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Affine {
    pub(crate) mean: f32,
    pub(crate) scale: f32,
    pub(crate) shift: f32,
}

impl NormShape {
    fn run(&self) -> usize {
        self.channels * self.positions
    }

    /// Mean and inverse standard deviation of one run, in f64.
    fn statistics(&self, x: &[f32]) -> (f32, f32) {
        let (mean, variance) = mean_and_variance(x);
        (mean as f32, (1.0 / (variance + self.epsilon).sqrt()) as f32)
    }

    /// Mean, scale and shift of every channel of every sample, `[samples, channels]`.
    pub(crate) fn affines(&self, x: &[f32], gamma: &[f32], beta: &[f32]) -> Vec<Affine> {
        let runs =
            x.par_chunks(self.run().max(1)).with_min_len((1usize << 13).div_ceil(self.run()));
        let of_run = |(index, x): (usize, &[f32])| -> Vec<Affine> {
            let (mean, inverse) = self.statistics(x);
            let group = index % self.groups;
            let (gamma, beta) = (self.affine(group, gamma), self.affine(group, beta));
            let channel =
                |(gamma, beta): (&f32, &f32)| Affine { mean, scale: inverse * gamma, shift: *beta };
            gamma.iter().zip(beta).map(channel).collect()
        };
        runs.enumerate().map(of_run).collect::<Vec<_>>().concat()
    }

    fn affine<'a>(&self, group: usize, values: &'a [f32]) -> &'a [f32] {
        &values[group * self.channels..][..self.channels]
    }
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

/// Elements whose shares of `gamma`'s and `beta`'s gradients one task sums, about.
const TASK_ELEMENTS: usize = 1 << 15;

/// Gradients of `x`, `gamma` and `beta`.
///
/// Tasks depend on the shape alone, so that the sums do too.
pub(crate) fn backward(
    x: &[f32],
    gamma: &[f32],
    beta: &[f32],
    dy: &mut [f32],
    shape: NormShape,
) -> [Vec<f32>; 2] {
    let sample = shape.run() * shape.groups;
    if sample == 0 {
        return [vec![0.0; gamma.len()], vec![0.0; beta.len()]];
    }
    let task = TASK_ELEMENTS.div_ceil(sample) * sample;
    let parts: Vec<[Vec<f32>; 2]> = dy
        .par_chunks_mut(task)
        .zip(x.par_chunks(task))
        .map(|(dy, x)| backward_samples(x, gamma, beta, dy, shape))
        .collect();
    let total = |which: usize| {
        let mut total = vec![0.0; gamma.len()];
        for part in &parts {
            total.iter_mut().zip(&part[which]).for_each(|(total, part)| *total += part);
        }
        total
    };
    [total(0), total(1)]
}

/// Replaces `dy` of some samples by the gradient of `x`; returns their shares of the gradients of
/// `gamma` and `beta`.
fn backward_samples(
    x: &[f32],
    gamma: &[f32],
    beta: &[f32],
    dy: &mut [f32],
    shape: NormShape,
) -> [Vec<f32>; 2] {
    let (run, positions) = (shape.run(), shape.positions);
    let (mut dgamma, mut dbeta) = (vec![0.0; gamma.len()], vec![0.0; beta.len()]);
    let (mut normed, mut before_silu) = (Scratch::new(run), Scratch::new(run));
    let (ones, zeros) = (vec![1.0; shape.channels], vec![0.0; shape.channels]);
    for (index, (dy, x)) in dy.chunks_exact_mut(run).zip(x.chunks_exact(run)).enumerate() {
        let group = index % shape.groups;
        let (mean, inverse) = shape.statistics(x);
        affine_rows(x, &mut normed, mean, inverse, &ones, &zeros);
        let (gamma, beta) = (shape.affine(group, gamma), shape.affine(group, beta));
        if shape.silu {
            affine_rows(x, &mut before_silu, mean, inverse, gamma, beta);
            silu_backward_in_place(dy, &before_silu);
        }
        let span = group * shape.channels..(group + 1) * shape.channels;
        let (dgamma, dbeta) = (&mut dgamma[span.clone()], &mut dbeta[span]);
        // dy becomes the gradient of the normalised value; its two projections are taken out.
        let (mut along_one, mut along_normed) = (0.0f64, 0.0f64);
        if positions == 1 {
            for (dgamma, (dy, normed)) in dgamma.iter_mut().zip(dy.iter().zip(&*normed)) {
                *dgamma += dy * normed;
            }
            dbeta.iter_mut().zip(&*dy).for_each(|(dbeta, dy)| *dbeta += dy);
            dy.iter_mut().zip(gamma).for_each(|(dy, gamma)| *dy *= gamma);
            along_one += sum(dy, |dy| dy);
            along_normed += f64::from(dot(dy, &normed));
        } else {
            for channel in 0..shape.channels {
                let span = channel * positions..(channel + 1) * positions;
                let (dy, normed) = (&mut dy[span.clone()], &normed[span]);
                let (scale, shift) = (dot(dy, normed), sum(dy, |dy| dy) as f32);
                dgamma[channel] += scale;
                dbeta[channel] += shift;
                along_one += f64::from(shift * gamma[channel]);
                along_normed += f64::from(scale * gamma[channel]);
                dy.iter_mut().for_each(|dy| *dy *= gamma[channel]);
            }
        }
        let one = (along_one / run as f64) as f32;
        let slope = (along_normed / run as f64) as f32;
        dy.iter_mut().zip(&*normed).for_each(|(dy, n)| *dy = inverse * (*dy - one - n * slope));
    }
    [dgamma, dbeta]
}
