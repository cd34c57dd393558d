//! How far the runs agree, and how sure the scores are.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use reweight::{ImportanceScores, ReweightError, StepMatrix};
use serde::{Deserialize, Serialize};

use crate::importance::ranks;
use crate::{Agreement, Vote};

/// Resamples of the bootstrap intervals of a [`VoteSummary`].
const RESAMPLES: usize = 2000;

/// An interval that holds a value with 95 % confidence.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// 2.5th percentile.
    pub low: f64,
    /// 97.5th percentile.
    pub high: f64,
}

/// What a vote says, and how sure it is.
#[derive(Debug, Clone, PartialEq)]
pub struct VoteSummary {
    /// Importance scores (Eq. 6).
    pub importance: ImportanceScores,
    /// Their 95 % bootstrap intervals, from 2,000 resamples of the runs.
    pub intervals: StepMatrix<Interval>,
    /// The runs' agreement at each step, beside what chance gives.
    pub agreement: Vec<Agreement>,
}

impl VoteSummary {
    /// Summarises a vote; `seed` draws the resamples, and the random rankings of chance.
    ///
    /// # Errors
    /// [`ReweightError`] where nobody voted.
    pub fn new(vote: &Vote, seed: u64) -> Result<Self, ReweightError> {
        Ok(Self {
            importance: vote.importance()?,
            intervals: bootstrap_scores(vote, RESAMPLES, seed),
            agreement: Agreement::of_vote(vote, seed),
        })
    }
}

/// Kendall's coefficient of concordance of the runs at each step: 1 where all agree, about 0 where
/// none do. Every run ranks all blocks, without ties; of a single block's rank all agree.
pub fn kendalls_w(vote: &Vote) -> Vec<f64> {
    let rounds = vote.rounds as f64;
    vote.scores
        .rows()
        .map(|row| {
            if row.len() == 1 {
                return 1.0;
            }
            let m = row.len() as f64;
            let mean = rounds * (m + 1.0) / 2.0;
            let spread: f64 = row.iter().map(|score| (*score as f64 - mean).powi(2)).sum();
            12.0 * spread / (rounds * rounds * (m * m * m - m))
        })
        .collect()
}

/// Spearman's rank correlation of equally many values, from -1 to 1; equal values share the mean of
/// their ranks. 0 where all values of either side are equal, or there is none.
pub fn spearman(a: &[f64], b: &[f64]) -> f64 {
    let (a, b) = (ranks(a), ranks(b));
    let mean = (a.len() as f64 + 1.0) / 2.0;
    let product = |x: &[f64], y: &[f64]| -> f64 {
        x.iter().zip(y).map(|(x, y)| (x - mean) * (y - mean)).sum()
    };
    let spread = (product(&a, &a) * product(&b, &b)).sqrt();
    if spread > 0.0 { product(&a, &b) / spread } else { 0.0 }
}

/// Bootstrap intervals of the importance scores: the runs are drawn anew, with replacement,
/// `resamples` times (at least once).
pub fn bootstrap_scores(vote: &Vote, resamples: usize, seed: u64) -> StepMatrix<Interval> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let (rounds, resamples) = (vote.rounds, resamples.max(1));
    let (steps, blocks) = (vote.steps(), vote.blocks());
    let mut samples = StepMatrix::filled(steps, blocks, Vec::with_capacity(resamples));
    for _ in 0..resamples {
        let drawn: Vec<usize> = (0..rounds).map(|_| rng.random_range(0..rounds)).collect();
        for step in 0..steps {
            for (block, values) in samples[step].iter_mut().enumerate() {
                let sum: usize = drawn.iter().map(|round| vote.ranks[*round][step][block]).sum();
                values.push(sum as f64 / (blocks * rounds) as f64);
            }
        }
    }
    samples.map(|values| {
        let mut values = values.clone();
        values.sort_by(f64::total_cmp);
        let at = |share: f64| values[(share * (resamples - 1) as f64).round() as usize];
        Interval { low: at(0.025), high: at(0.975) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vote;

    /// A run of one step.
    fn run(thresholds: &[f64]) -> StepMatrix {
        StepMatrix::from_rows(vec![thresholds.to_vec()]).unwrap()
    }

    #[test]
    fn kendalls_w_agreement_and_opposition() {
        let (up, down) = (run(&[0.1, 0.2, 0.3, 0.4]), run(&[0.4, 0.3, 0.2, 0.1]));
        assert!((kendalls_w(&vote(&[up.clone(), up.clone()], 0).unwrap())[0] - 1.0).abs() < 1e-12);
        assert!(kendalls_w(&vote(&[up, down], 0).unwrap())[0].abs() < 1e-12);
        let single = vote(&vec![run(&[0.5]); 3], 0).unwrap();
        assert_eq!(kendalls_w(&single), [1.0]);
    }

    #[test]
    fn bootstrap_scores_of_split_runs_are_as_wide_as_the_drawn_shares() {
        // Block 0 has rank 1 in half of 20 runs, rank 2 in the others: its score is
        // (1 + share) / 2, and the share of rank 2 in a resample is binomial with n = 20, p = ½,
        // whose 2.5th and 97.5th percentiles are 6/20 and 14/20 (each tail beyond holds 2.07 %).
        let (up, down) = (run(&[0.9, 0.1]), run(&[0.1, 0.9]));
        let split = vote(&[vec![up; 10], vec![down; 10]].concat(), 0).unwrap();
        let Interval { low, high } = bootstrap_scores(&split, 20_000, 1)[0][0];
        assert!((low - 0.65).abs() < 1e-12 && (high - 0.85).abs() < 1e-12, "{low} to {high}");
    }

    #[test]
    fn spearman_is_the_textbook_one_with_and_without_ties() {
        let near = |found: f64, expected: f64| (found - expected).abs() < 1e-12;
        assert!(near(spearman(&[1.0, 2.0, 3.0], &[0.1, 5.0, 7.0]), 1.0));
        assert!(near(spearman(&[1.0, 2.0, 3.0], &[3.0, 2.0, 1.0]), -1.0));
        // 1 − 6 Σd² / n(n² − 1) with Σd² = 4.
        assert!(near(spearman(&[1.0, 2.0, 3.0, 4.0], &[2.0, 1.0, 4.0, 3.0]), 0.6));
        // Ranks 1, 2.5, 2.5, 4 beside 1, 2, 3, 4: 4.5 / √(4.5 · 5).
        assert!(near(spearman(&[1.0, 2.0, 2.0, 4.0], &[1.0, 2.0, 3.0, 4.0]), (0.9f64).sqrt()));
        assert_eq!(spearman(&[1.0, 1.0], &[1.0, 2.0]), 0.0);
    }

    #[test]
    fn bootstrap_scores_unanimous_runs_have_no_width() {
        let same = vec![run(&[0.1, 0.9, 0.5]); 6];
        let vote = vote(&same, 0).unwrap();
        let importance = vote.importance().unwrap();
        for (interval, score) in
            bootstrap_scores(&vote, 100, 1)[0].iter().zip(&importance.matrix()[0])
        {
            assert!((interval.low - score).abs() < 1e-12 && (interval.high - score).abs() < 1e-12);
        }
    }
}
