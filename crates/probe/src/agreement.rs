//! Whether the rounds of a vote agree by more than chance.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::{Vote, kendalls_w};

/// Sets of random rankings that a p value is told from.
const DRAWS: usize = 9_999;
/// A p value up to this tells agreement from chance.
const SIGNIFICANT: f64 = 0.05;

/// How far the rounds agree at one step, beside what chance gives.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Agreement {
    /// Kendall's W, from 0 to 1.
    pub kendalls_w: f64,
    /// The mean of W over rounds that rank at random: 1/r.
    pub chance: f64,
    /// The share of 9,999 drawn sets of random rankings (and of the vote itself) whose W is at
    /// least this; from 0.0001 to 1.
    pub p: f64,
    /// The mean of Spearman's correlation over all pairs of rounds, `(rW − 1) / (r − 1)`; `None`
    /// of a single round.
    pub spearman: Option<f64>,
}

impl Agreement {
    /// The agreement at each step of a vote; `seed` draws the random rankings.
    pub fn of_vote(vote: &Vote, seed: u64) -> Vec<Self> {
        let rounds = vote.rounds as f64;
        let random = random_spreads(vote.rounds, vote.blocks(), seed);
        let of_step = |(w, scores): (f64, &[usize])| {
            // W grows with the squares of the scores, which are whole numbers.
            let spread = squares(scores);
            let as_far = random.iter().filter(|random| **random >= spread).count();
            Self {
                kendalls_w: w,
                chance: 1.0 / rounds,
                p: (as_far + 1) as f64 / (DRAWS + 1) as f64,
                spearman: (vote.rounds > 1).then(|| (rounds * w - 1.0) / (rounds - 1.0)),
            }
        };
        kendalls_w(vote).into_iter().zip(vote.scores.rows()).map(of_step).collect()
    }

    /// The steps of a vote at which its rounds agree no more than by chance.
    pub fn steps_of_chance(agreement: &[Self]) -> Vec<usize> {
        (0..agreement.len()).filter(|step| !agreement[*step].is_told_from_chance()).collect()
    }

    /// Whether the rounds agree by more than chance gives in 95 of 100 votes.
    pub fn is_told_from_chance(&self) -> bool {
        self.p <= SIGNIFICANT
    }
}

/// Σ score².
fn squares(scores: &[usize]) -> u128 {
    scores.iter().map(|score| (*score as u128).pow(2)).sum()
}

/// Σ score² of votes whose rounds rank at random.
fn random_spreads(rounds: usize, blocks: usize, seed: u64) -> Vec<u128> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut ranks: Vec<usize> = (1..=blocks).collect();
    let mut one = || {
        let mut scores = vec![0; blocks];
        for _ in 0..rounds {
            for i in (1..blocks).rev() {
                ranks.swap(i, rng.random_range(0..=i));
            }
            scores.iter_mut().zip(&ranks).for_each(|(score, rank)| *score += rank);
        }
        squares(&scores)
    };
    (0..DRAWS).map(|_| one()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vote;
    use reweight::StepMatrix;

    fn agreement(rounds: &[Vec<f64>]) -> Agreement {
        let rounds: Vec<StepMatrix> =
            rounds.iter().map(|row| StepMatrix::from_rows(vec![row.clone()]).unwrap()).collect();
        Agreement::of_vote(&vote(&rounds, 0).unwrap(), 1)[0]
    }

    #[test]
    fn of_vote_agreement_is_told_from_chance_and_opposition_is_not() {
        let (up, down) = (vec![0.1, 0.2, 0.3, 0.4], vec![0.4, 0.3, 0.2, 0.1]);
        // Three rounds of 4 blocks agree by chance once in 24².
        let same = agreement(&vec![up.clone(); 3]);
        assert!((same.kendalls_w - 1.0).abs() < 1e-12 && same.spearman == Some(1.0));
        assert!((same.p - 1.0 / 576.0).abs() < 0.0015, "{}", same.p);
        assert!(same.is_told_from_chance() && same.chance == 1.0 / 3.0);
        let split = agreement(&[up.clone(), down]);
        assert!(split.kendalls_w.abs() < 1e-12 && split.spearman == Some(-1.0));
        assert!(split.p == 1.0 && !split.is_told_from_chance());
        let single = agreement(&[up]);
        assert!(single.p == 1.0 && single.spearman.is_none());
    }

    #[test]
    fn of_vote_spearman_is_the_mean_over_pairs() {
        // Ranks 4321, 3421, 4312: ρ = 1 − 6 Σd² / 60 with Σd² = 2, 2, 4.
        let rounds = [vec![0.1, 0.2, 0.3, 0.4], vec![0.2, 0.1, 0.3, 0.4], vec![0.1, 0.2, 0.4, 0.3]];
        let expected = (0.8 + 0.8 + 0.6) / 3.0;
        assert!((agreement(&rounds).spearman.unwrap() - expected).abs() < 1e-12);
    }
}
