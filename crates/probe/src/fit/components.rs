//! The terms of the paper's Proposition 1, taken from pictures crossed with noises.
//!
//! Eq. 3 takes a block's output for `f(x₀) + g(ε) + n`: a part that the picture decides, one that the
//! noise decides, and one that neither does alone. To first order a weight `w_i` moves the prediction
//! along `d_i = A_i y_i`, so that the parts of `A_i y_i` are those of `d_i`. Where every one of `P`
//! pictures stands under every one of `R` noises they are told apart by analysis of variance, two-way
//! without repetition: `Var(A f)` is that of the pictures' effects, `Var(A g)` that of the noises',
//! `Var(A n)` that of what is left. What all have in common has no variance and is no part of them.

use serde::{Deserialize, Serialize};

use super::targets::{
    Linearised, Noised, PictureNoise, TargetEvaluator, covariance, linearise, mean_product,
};
use crate::ProbeError;
use crate::student::Mean;

/// What Proposition 1 says of one block at one step; variances are means over the values of the
/// prediction, and unbiased: those of nothing scatter about 0, below it too.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BlockComponents {
    /// `A`: root mean square of `d_i` by that of the block's output.
    pub gain: f64,
    /// `A² Var(f)`, by the picture (and its prompt).
    pub signal: f64,
    /// `A² Var(g)`, by the noise.
    pub noise: f64,
    /// `A² Var(n)`, by neither alone.
    pub rest: f64,
    /// What the derivatives of all pictures and noises have in common: its mean square.
    pub common: f64,
    /// Measured `∂Var(ρ)/∂w_i = −2 Cov(d_i, ρ)` at weights 1, mean over the pictures.
    pub slope: Mean,
}

/// The proposition's terms at one step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepComponents {
    /// Of every block.
    pub blocks: Vec<BlockComponents>,
    /// Measured Var(ρ), mean over pictures and noises.
    pub error: f64,
}

impl BlockComponents {
    /// The slope that Eq. 4 has at weights 1: `2 A² (Var f + Var n)`, 0 or more but for chance.
    pub fn predicted_slope(&self) -> f64 {
        2.0 * (self.signal + self.rest)
    }

    /// The weight at which the block's part of Eq. 4 is least: `Var g / (Var f + Var g + Var n)`,
    /// in [0, 1], variances below 0 taken for 0; 1 where nothing varies.
    pub fn predicted_weight(&self) -> f64 {
        let [signal, noise, rest] = [self.signal, self.noise, self.rest].map(|x| x.max(0.0));
        let total = signal + noise + rest;
        if total > 0.0 { noise / total } else { 1.0 }
    }

    /// Whether Eq. 4 has the sign of the measured slope.
    pub fn agrees(&self) -> bool {
        self.predicted_slope() * self.slope.mean > 0.0
    }
}

impl StepComponents {
    /// The error that Eq. 4 has at weights 1, as a share of the measured one.
    pub fn predicted_share(&self) -> f64 {
        let sum: f64 = self.blocks.iter().map(|block| block.signal + block.rest).sum();
        sum / self.error
    }

    /// Measures one step of `pictures` (their numbers) crossed with the shared noise of `seeds`, at
    /// least two of each.
    ///
    /// # Errors
    /// [`ProbeError::Config`] for fewer; [`ProbeError::NotFinite`] for values that are not finite;
    /// what the evaluator reports.
    pub fn measure(
        evaluator: &mut dyn TargetEvaluator,
        pictures: &[usize],
        seeds: &[u64],
        step: usize,
    ) -> Result<Self, ProbeError> {
        if pictures.len() < 2 || seeds.len() < 2 {
            return Err(ProbeError::Config(format!(
                "expected at least 2 pictures crossed with 2 noises, found {} and {}",
                pictures.len(),
                seeds.len()
            )));
        }
        let noised: Vec<Noised> = pictures
            .iter()
            .flat_map(|picture| {
                let noised = |seed| (*picture, PictureNoise::Shared(seed));
                seeds.iter().map(move |seed| noised(*seed))
            })
            .map(|(picture, noise)| Noised { picture, noise, step })
            .collect();
        let linearised = linearise(evaluator, &noised)?;
        let powers = evaluator.output_powers(&noised)?;
        let power = |block: usize| {
            powers.iter().filter_map(|row| row.get(block)).sum::<f64>() / powers.len() as f64
        };
        let block = |block: usize| {
            let derivatives: Vec<&[f64]> =
                linearised.iter().map(|at| at.derivatives[block].as_slice()).collect();
            let [common, signal, noise, rest] = two_way(&derivatives, seeds.len());
            let square: f64 = derivatives.iter().map(|d| mean_product(d, d)).sum();
            let gain = square / derivatives.len() as f64 / power(block);
            BlockComponents {
                gain: if gain.is_finite() { gain.sqrt() } else { 0.0 },
                signal,
                noise,
                rest,
                common,
                slope: slope(&linearised, block, seeds.len()),
            }
        };
        let errors = linearised.iter().map(|at| covariance(&at.residual, &at.residual));
        let error = errors.sum::<f64>() / linearised.len() as f64;
        Ok(Self { blocks: (0..evaluator.blocks()).map(block).collect(), error })
    }
}

/// `−2 Cov(d_i, ρ)`, of each picture the mean over its noises.
fn slope(linearised: &[Linearised], block: usize, noises: usize) -> Mean {
    let slope = |at: &Linearised| -2.0 * covariance(&at.derivatives[block], &at.residual);
    let of_picture = |noised: &[Linearised]| noised.iter().map(slope).sum::<f64>() / noises as f64;
    Mean::of(&linearised.chunks(noises).map(of_picture).collect::<Vec<_>>())
}

/// Analysis of variance of vectors, picture by picture with `noises` each: the mean square of what
/// they have in common, and the variances of the pictures' effects, the noises' effects and the rest;
/// unbiased, means over the values.
fn two_way(vectors: &[&[f64]], noises: usize) -> [f64; 4] {
    let (length, pictures) = (vectors[0].len(), vectors.len() / noises);
    let (p, r) = (pictures as f64, noises as f64);
    let mean = |chosen: &mut dyn Iterator<Item = usize>| {
        let mut sum = vec![0.0; length];
        let mut count = 0.0;
        for at in chosen {
            sum.iter_mut().zip(vectors[at]).for_each(|(sum, x)| *sum += x);
            count += 1.0;
        }
        sum.iter_mut().for_each(|sum| *sum /= count);
        sum
    };
    let whole = mean(&mut (0..vectors.len()));
    let of_picture: Vec<Vec<f64>> =
        (0..pictures).map(|at| mean(&mut (at * noises..(at + 1) * noises))).collect();
    let of_noise: Vec<Vec<f64>> =
        (0..noises).map(|at| mean(&mut (at..vectors.len()).step_by(noises))).collect();
    let distance =
        |a: &[f64]| a.iter().zip(&whole).map(|(a, b)| (a - b).powi(2)).sum::<f64>() / length as f64;
    let between_pictures = r * of_picture.iter().map(|row| distance(row)).sum::<f64>();
    let between_noises = p * of_noise.iter().map(|row| distance(row)).sum::<f64>();
    let all = vectors.iter().map(|row| distance(row)).sum::<f64>();
    let rest = (all - between_pictures - between_noises) / ((p - 1.0) * (r - 1.0));
    let signal = (between_pictures / (p - 1.0) - rest) / r;
    let noise = (between_noises / (r - 1.0) - rest) / p;
    let common = mean_product(&whole, &whole) - signal / p - noise / r - rest / (p * r);
    [common, signal, noise, rest]
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn two_way_finds_the_variances_of_known_effects() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        // Uniform in ±√3 s: variance s².
        let mut draw = |s: f64| -> Vec<f64> {
            (0..400).map(|_| s * 3f64.sqrt() * (2.0 * rng.random::<f64>() - 1.0)).collect()
        };
        let (pictures, noises) = (12, 10);
        let signal: Vec<Vec<f64>> = (0..pictures).map(|_| draw(2.0)).collect();
        let noise: Vec<Vec<f64>> = (0..noises).map(|_| draw(1.0)).collect();
        let vectors: Vec<Vec<f64>> = (0..pictures * noises)
            .map(|at| {
                let rest = draw(0.5);
                (0..400)
                    .map(|i| 3.0 + signal[at / noises][i] + noise[at % noises][i] + rest[i])
                    .collect()
            })
            .collect();
        let vectors: Vec<&[f64]> = vectors.iter().map(Vec::as_slice).collect();
        for (found, expected) in two_way(&vectors, noises).iter().zip([9.0, 4.0, 1.0, 0.25]) {
            assert!((found / expected - 1.0).abs() < 0.1, "{found}, expected {expected}");
        }
    }

    #[test]
    fn two_way_of_what_only_noise_decides_has_no_signal() {
        let vectors = [[1.0, 2.0], [3.0, -1.0], [1.0, 2.0], [3.0, -1.0]];
        let vectors: Vec<&[f64]> = vectors.iter().map(|row| row.as_slice()).collect();
        let [_, signal, noise, rest] = two_way(&vectors, 2);
        assert!(signal.abs() < 1e-12 && rest.abs() < 1e-12, "{signal} {rest}");
        // (2² / 2 + 3² / 2) / 2 values.
        assert!((noise - 3.25).abs() < 1e-12, "{noise}");
    }
}
