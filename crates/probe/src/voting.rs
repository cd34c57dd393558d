//! Voting over all runs (Sec. III-D).

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use reweight::{ImportanceScores, ReweightError, StepMatrix};
use serde::{Deserialize, Serialize};

use crate::ProbeError;

/// The result of voting over all runs (Sec. III-D).
///
/// A stored one is checked when it is read: whatever does not follow from its ranks is refused.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Stored")]
pub struct Vote {
    /// Number of runs `r`.
    pub rounds: usize,
    /// Voting score `vs[step][block]`, from `r` to `m · r`.
    pub scores: StepMatrix<usize>,
    /// Blocks in ascending score, the most important last, as in Table II.
    pub ranking: StepMatrix<usize>,
    /// Pairs of equal thresholds that a seeded draw had to order.
    pub ties: usize,
    /// Rank `[round][step][block]` each run gave, from 1 (least important) to `m`.
    pub ranks: Vec<StepMatrix<usize>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    rounds: usize,
    scores: StepMatrix<usize>,
    ranking: StepMatrix<usize>,
    ties: usize,
    ranks: Vec<StepMatrix<usize>>,
}

impl TryFrom<Stored> for Vote {
    type Error = ProbeError;

    fn try_from(stored: Stored) -> Result<Self, ProbeError> {
        let Stored { rounds, scores, ranking, ties, ranks } = stored;
        let vote = Self { rounds, scores, ranking, ties, ranks };
        vote.check()?;
        Ok(vote)
    }
}

/// Lets the runs vote: in each, the block of the highest threshold (the least important) scores 1,
/// that of the lowest `m`.
///
/// `thresholds` are those of each round; ties are broken by a draw from `seed`.
///
/// # Errors
/// [`ProbeError::Vote`] where there is no round, rounds differ in steps or blocks, or a threshold
/// is no number.
pub fn vote(thresholds: &[StepMatrix], seed: u64) -> Result<Vote, ProbeError> {
    let (steps, blocks) = shape(thresholds)?;
    if let Some(round) =
        thresholds.iter().position(|matrix| matrix.values().iter().any(|value| value.is_nan()))
    {
        return Err(ProbeError::Vote(format!("round {round}: a threshold is no number")));
    }
    let mut scores = StepMatrix::filled(steps, blocks, 0);
    let mut ranks = Vec::with_capacity(thresholds.len());
    let mut ties = 0;
    for (round, matrix) in thresholds.iter().enumerate() {
        let mut of_round = StepMatrix::filled(steps, blocks, 0);
        for (step, row) in matrix.rows().enumerate() {
            let order = descending(row, seed, [round, step], &mut ties);
            for (position, block) in order.into_iter().enumerate() {
                of_round[step][block] = position + 1;
                scores[step][block] += position + 1;
            }
        }
        ranks.push(of_round);
    }
    let order = |(step, row): (usize, &[usize])| {
        let mut order = draw_order(blocks, seed, [usize::MAX, step]);
        order.sort_by_key(|block| row[*block]);
        order
    };
    let ranking = StepMatrix::from_rows(scores.rows().enumerate().map(order).collect())?;
    Ok(Vote { rounds: thresholds.len(), scores, ranking, ties, ranks })
}

/// Steps and blocks that all rounds have.
fn shape<T>(rounds: &[StepMatrix<T>]) -> Result<(usize, usize), ProbeError> {
    let Some(first) = rounds.first() else {
        return Err(ProbeError::Vote("expected at least one round, found none".into()));
    };
    let (steps, blocks) = (first.steps(), first.blocks());
    let differs = |matrix: &StepMatrix<T>| (matrix.steps(), matrix.blocks()) != (steps, blocks);
    match rounds.iter().position(differs) {
        Some(round) => Err(ProbeError::Vote(format!(
            "round {round}: expected {steps} steps of {blocks} blocks as in round 0"
        ))),
        None => Ok((steps, blocks)),
    }
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
    /// Number of inference steps.
    pub fn steps(&self) -> usize {
        self.scores.steps()
    }

    /// Number `m` of blocks.
    pub fn blocks(&self) -> usize {
        self.scores.blocks()
    }

    /// Importance scores `is = vs / (m · r)` (Eq. 6).
    ///
    /// # Errors
    /// [`ReweightError`] where nobody voted.
    pub fn importance(&self) -> Result<ImportanceScores, ReweightError> {
        let most = (self.blocks() * self.rounds).max(1) as f64;
        ImportanceScores::new(self.scores.map(|score| *score as f64 / most))
    }

    /// Whether scores and ranking follow from the ranks, and these are ranks.
    fn check(&self) -> Result<(), ProbeError> {
        let fail = |what: String| Err(ProbeError::Vote(what));
        let (steps, blocks) = shape(&self.ranks)?;
        if self.rounds != self.ranks.len() {
            let found = self.ranks.len();
            return fail(format!("expected the ranks of {} rounds, found {found}", self.rounds));
        }
        let mut scores = StepMatrix::filled(steps, blocks, 0);
        for (round, matrix) in self.ranks.iter().enumerate() {
            for (step, row) in matrix.rows().enumerate() {
                if !is_permutation(row, 1) {
                    return fail(format!("round {round}, step {step}: {row:?} are no ranks"));
                }
                scores[step].iter_mut().zip(row).for_each(|(score, rank)| *score += rank);
            }
        }
        if scores != self.scores {
            return fail("the scores are not the sums of the ranks".into());
        }
        self.ranking.check_shape(steps, blocks)?;
        for (step, (order, scores)) in self.ranking.rows().zip(scores.rows()).enumerate() {
            let ascending = || order.windows(2).all(|pair| scores[pair[0]] <= scores[pair[1]]);
            if !is_permutation(order, 0) || !ascending() {
                return fail(format!(
                    "step {step}: expected a ranking by ascending score, found {order:?}"
                ));
            }
        }
        let most = self.rounds * steps * (blocks - 1);
        if self.ties > most {
            return fail(format!("expected at most {most} ties, found {}", self.ties));
        }
        Ok(())
    }
}

/// Whether `values` are the numbers from `first` on, in some order.
fn is_permutation(values: &[usize], first: usize) -> bool {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    sorted.into_iter().eq(first..first + values.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn matrix(rows: Vec<Vec<f64>>) -> StepMatrix {
        StepMatrix::from_rows(rows).unwrap()
    }

    fn two_rounds() -> Vote {
        let (first, second) = (vec![vec![0.9, 0.1, 0.5]], vec![vec![0.8, 0.2, 0.1]]);
        vote(&[matrix(first), matrix(second)], 0).unwrap()
    }

    #[test]
    fn vote_highest_threshold_is_least_important() {
        let vote = two_rounds();
        assert_eq!(vote.scores[0], [2, 5, 5]);
        assert_eq!(vote.ranking[0][0], 0);
        assert_eq!(vote.ties, 0);
    }

    #[test]
    fn vote_ties_are_counted_and_repeatable() {
        let equal = vec![StepMatrix::filled(2, 7, 0.5); 3];
        let first = vote(&equal, 9).unwrap();
        assert_eq!(first.ties, 3 * 2 * 6);
        assert_eq!(first, vote(&equal, 9).unwrap());
        assert_ne!(first.ranks[0], first.ranks[1]);
    }

    #[test]
    fn vote_rounds_that_differ_and_thresholds_that_are_no_numbers_are_refused() {
        let message = |thresholds: &[StepMatrix]| vote(thresholds, 0).unwrap_err().to_string();
        assert!(message(&[]).contains("at least one round"));
        let filled = StepMatrix::<f64>::filled;
        assert!(message(&[filled(1, 2, 0.5), filled(2, 2, 0.5)]).contains("round 1"));
        assert!(message(&[filled(1, 2, 0.5), filled(1, 1, 0.5)]).contains("round 1"));
        assert!(message(&[filled(1, 2, f64::NAN)]).contains("no number"));
    }

    #[test]
    fn vote_tampered_with_is_refused_when_read() {
        let vote = two_rounds();
        let value = serde_json::to_value(&vote).unwrap();
        assert_eq!(serde_json::from_value::<Vote>(value.clone()).unwrap(), vote);
        let changed = |key: &str, new: Value| {
            let mut value = value.clone();
            value[key] = new;
            serde_json::from_value::<Vote>(value)
                .map_or_else(|error| error.to_string(), |_| "".into())
        };
        for (key, new, expected) in [
            ("rounds", json!(0), "of 0 rounds, found 2"),
            ("rounds", json!(u64::MAX), "found 2"),
            ("scores", json!([[2, 5, 6]]), "sums of the ranks"),
            ("ranking", json!([[0, 1, 9]]), "step 0: expected a ranking"),
            ("ranking", json!([[1, 0, 2]]), "ascending score"),
            ("ranking", json!([[0, 1, 2], [0, 1, 2]]), "2 steps, expected 1"),
            ("ranking", json!([]), "expected 1 blocks"),
            ("ranks", json!([[[1, 3, 2]], [[1, 2, 2]]]), "round 1, step 0: [1, 2, 2]"),
            ("ranks", json!([]), "at least one round"),
            ("ties", json!(5), "at most 4 ties, found 5"),
        ] {
            let error = changed(key, new);
            assert!(error.contains(expected), "{key}: `{error}`");
        }
    }

    proptest! {
        #[test]
        fn vote_scores_are_permutations_summed(
            rows in proptest::collection::vec(proptest::collection::vec(0.0f64..1.0, 7), 1..9),
        ) {
            let rounds: Vec<_> = rows.into_iter().map(|row| matrix(vec![row])).collect();
            let vote = vote(&rounds, 1).unwrap();
            prop_assert!(vote.check().is_ok());
            prop_assert_eq!(vote.scores[0].iter().sum::<usize>(), rounds.len() * 28);
            let importance = vote.importance().unwrap();
            prop_assert!(importance.matrix()[0].iter().all(|score| *score > 0.0 && *score <= 1.0));
        }
    }
}
