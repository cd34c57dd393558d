use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::Vote;

/// An interval that holds a value with 95 % confidence.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// 2.5th percentile.
    pub low: f64,
    /// 97.5th percentile.
    pub high: f64,
}

/// Kendall's coefficient of concordance of the runs at each step: 1 where all agree, about 0 where
/// none do. Every run ranks all blocks, without ties.
pub fn kendalls_w(vote: &Vote) -> Vec<f64> {
    let rounds = vote.rounds as f64;
    vote.scores
        .iter()
        .map(|row| {
            let m = row.len() as f64;
            let mean = rounds * (m + 1.0) / 2.0;
            let spread: f64 = row.iter().map(|score| (*score as f64 - mean).powi(2)).sum();
            12.0 * spread / (rounds * rounds * (m * m * m - m))
        })
        .collect()
}

/// Bootstrap intervals of the importance scores, `[step][block]`: the runs are drawn anew, with
/// replacement, `resamples` times.
pub fn bootstrap_scores(vote: &Vote, resamples: usize, seed: u64) -> Vec<Vec<Interval>> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let rounds = vote.rounds;
    let blocks = vote.scores.first().map_or(0, Vec::len);
    let mut samples = vec![vec![Vec::with_capacity(resamples); blocks]; vote.scores.len()];
    for _ in 0..resamples {
        let drawn: Vec<usize> = (0..rounds).map(|_| rng.random_range(0..rounds)).collect();
        for (step, row) in samples.iter_mut().enumerate() {
            for (block, values) in row.iter_mut().enumerate() {
                let sum: usize = drawn.iter().map(|round| vote.ranks[*round][step][block]).sum();
                values.push(sum as f64 / (blocks * rounds) as f64);
            }
        }
    }
    let interval = |values: &mut Vec<f64>| {
        values.sort_by(f64::total_cmp);
        let at = |share: f64| {
            let last = values.len().saturating_sub(1);
            values.get((share * last as f64).round() as usize).copied().unwrap_or(f64::NAN)
        };
        Interval { low: at(0.025), high: at(0.975) }
    };
    samples.iter_mut().map(|row| row.iter_mut().map(interval).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vote;

    #[test]
    fn kendalls_w_agreement_and_opposition() {
        let up = vec![vec![0.1, 0.2, 0.3, 0.4]];
        let down = vec![vec![0.4, 0.3, 0.2, 0.1]];
        assert!((kendalls_w(&vote(&[up.clone(), up.clone()], 0))[0] - 1.0).abs() < 1e-12);
        assert!(kendalls_w(&vote(&[up, down], 0))[0].abs() < 1e-12);
    }

    #[test]
    fn bootstrap_scores_unanimous_runs_have_no_width() {
        let same = vec![vec![vec![0.1, 0.9, 0.5]]; 6];
        let vote = vote(&same, 0);
        let importance = vote.importance().unwrap();
        for (interval, score) in
            bootstrap_scores(&vote, 100, 1)[0].iter().zip(&importance.matrix()[0])
        {
            assert!((interval.low - score).abs() < 1e-12 && (interval.high - score).abs() < 1e-12);
        }
    }
}
