use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use reweight::{ImportanceScores, ReweightError, StepMatrix};
use serde::{Deserialize, Serialize};

/// The result of voting over all runs (Sec. III-D).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Vote {
    /// Number of runs `r`.
    pub rounds: usize,
    /// Voting score `vs[step][block]`, from `r` to `m · r`.
    pub scores: Vec<Vec<usize>>,
    /// Blocks in ascending score, the most important last, as in Table II.
    pub ranking: Vec<Vec<usize>>,
    /// Pairs of equal thresholds that a seeded draw had to order.
    pub ties: usize,
    /// Rank `[round][step][block]` each run gave, from 1 (least important) to `m`.
    pub ranks: Vec<Vec<Vec<usize>>>,
}

/// Lets the runs vote: in each, the block of the highest threshold (the least important) scores 1,
/// that of the lowest `m`.
///
/// `thresholds` are `[round][step][block]`; ties are broken by a draw from `seed`.
pub fn vote(thresholds: &[Vec<Vec<f64>>], seed: u64) -> Vote {
    let steps = thresholds.first().map_or(0, Vec::len);
    let blocks = thresholds.first().and_then(|rows| rows.first()).map_or(0, Vec::len);
    let mut scores = vec![vec![0; blocks]; steps];
    let mut ranks = Vec::with_capacity(thresholds.len());
    let mut ties = 0;
    for (round, rows) in thresholds.iter().enumerate() {
        let mut of_round = Vec::with_capacity(steps);
        for (step, row) in rows.iter().enumerate() {
            let order = descending(row, seed, [round, step], &mut ties);
            let mut ranks = vec![0; blocks];
            for (position, block) in order.into_iter().enumerate() {
                ranks[block] = position + 1;
                scores[step][block] += position + 1;
            }
            of_round.push(ranks);
        }
        ranks.push(of_round);
    }
    let ranking = scores
        .iter()
        .enumerate()
        .map(|(step, row)| {
            let mut order = draw_order(blocks, seed, [usize::MAX, step]);
            order.sort_by_key(|block| row[*block]);
            order
        })
        .collect();
    Vote { rounds: thresholds.len(), scores, ranking, ties, ranks }
}

/// Blocks by falling threshold.
fn descending(row: &[f64], seed: u64, at: [usize; 2], ties: &mut usize) -> Vec<usize> {
    let mut order = draw_order(row.len(), seed, at);
    order.sort_by(|a, b| row[*b].total_cmp(&row[*a]));
    *ties += order.windows(2).filter(|pair| row[pair[0]] == row[pair[1]]).count();
    order
}

/// All blocks in a random order, which a stable sort keeps among equals.
fn draw_order(blocks: usize, seed: u64, [round, step]: [usize; 2]) -> Vec<usize> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(((round as u64) << 32) ^ step as u64);
    let mut order: Vec<usize> = (0..blocks).collect();
    for i in (1..blocks).rev() {
        order.swap(i, rng.random_range(0..=i));
    }
    order
}

impl Vote {
    /// Importance scores `is = vs / (m · r)` (Eq. 6).
    ///
    /// # Errors
    /// [`ReweightError`] where nobody voted.
    pub fn importance(&self) -> Result<ImportanceScores, ReweightError> {
        let row = |row: &Vec<usize>| {
            let most = (row.len() * self.rounds).max(1) as f64;
            row.iter().map(|score| *score as f64 / most).collect()
        };
        let rows = self.scores.iter().map(row).collect();
        ImportanceScores::new(StepMatrix::from_rows(rows)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn vote_highest_threshold_is_least_important() {
        let vote = vote(&[vec![vec![0.9, 0.1, 0.5]], vec![vec![0.8, 0.2, 0.1]]], 0);
        assert_eq!(vote.scores, [[2, 5, 5]]);
        assert_eq!(vote.ranking[0][0], 0);
        assert_eq!(vote.ties, 0);
    }

    #[test]
    fn vote_ties_are_counted_and_repeatable() {
        let equal = vec![vec![vec![0.5; 7]; 2]; 3];
        let first = vote(&equal, 9);
        assert_eq!(first.ties, 3 * 2 * 6);
        assert_eq!(first, vote(&equal, 9));
        assert_ne!(first.ranks[0], first.ranks[1]);
    }

    proptest! {
        #[test]
        fn vote_scores_are_permutations_summed(
            rows in proptest::collection::vec(proptest::collection::vec(0.0f64..1.0, 7), 1..9),
        ) {
            let rounds: Vec<_> = rows.into_iter().map(|row| vec![row]).collect();
            let vote = vote(&rounds, 1);
            prop_assert_eq!(vote.scores[0].iter().sum::<usize>(), rounds.len() * 28);
            let importance = vote.importance().unwrap();
            prop_assert!(importance.matrix()[0].iter().all(|score| *score > 0.0 && *score <= 1.0));
            let scores = &vote.scores[0];
            prop_assert!(vote.ranking[0].windows(2).all(|pair| scores[pair[0]] <= scores[pair[1]]));
        }
    }
}
