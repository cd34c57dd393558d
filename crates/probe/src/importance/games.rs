//! Blocks as players of a game: what skipping a set of them costs, told by block and by pair.
//!
//! A game of `m` players is the loss of each of the 2^m sets; bit i of a set's number is player i.

use reweight::StepMatrix;
use serde::{Deserialize, Serialize};

/// A set of blocks, and the loss where it is skipped.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SkipSet {
    /// The blocks, ascending.
    pub blocks: Vec<usize>,
    /// The loss.
    pub loss: f64,
}

/// The sets without any of the players in `without`.
fn sets_without(players: usize, without: usize) -> impl Iterator<Item = usize> {
    (0..1usize << players).filter(move |set| set & without == 0)
}

/// The share that a set of `size` of the `others` has where players come in a random order:
/// `size! (others − size)! / (others + 1)!`.
fn order_share(size: usize, others: usize) -> f64 {
    // 1 / ((others + 1) · C(others, size))
    let choose = (0..size).fold(1.0, |c, i| c * (others - i) as f64 / (i + 1) as f64);
    1.0 / ((others + 1) as f64 * choose)
}

/// The Shapley value of every player: what it adds to the loss, mean over all orders in which the
/// players come.
pub(super) fn shapley(game: &[f64], players: usize) -> Vec<f64> {
    let value = |player: usize| {
        let bit = 1 << player;
        sets_without(players, bit)
            .map(|set| {
                let share = order_share(set.count_ones() as usize, players - 1);
                share * (game[set | bit] - game[set])
            })
            .sum()
    };
    (0..players).map(value).collect()
}

/// The Banzhaf value of every player: what it adds to the loss, mean over all sets of the others.
pub(super) fn banzhaf(game: &[f64], players: usize) -> Vec<f64> {
    let value = |player: usize| {
        let bit = 1 << player;
        let sum: f64 = sets_without(players, bit).map(|set| game[set | bit] - game[set]).sum();
        sum / (1usize << (players - 1)) as f64
    };
    (0..players).map(value).collect()
}

/// The Shapley interaction index of every pair: what two players add together beyond what they add
/// alone, mean over all orders; above 0 where skipping both is worse than the sum. 0 on the
/// diagonal.
pub(super) fn interactions(game: &[f64], players: usize) -> StepMatrix {
    StepMatrix::from_fn(players, players, |a, b| {
        if a == b {
            return 0.0;
        }
        let (a, b) = (1usize << a.min(b), 1usize << a.max(b));
        sets_without(players, a | b)
            .map(|set| {
                let share = order_share(set.count_ones() as usize, players - 2);
                let together = game[set | a | b] - game[set | a] - game[set | b] + game[set];
                share * together
            })
            .sum()
    })
}

/// For every number of skipped blocks, from none to all, the set of least loss; of equal ones that
/// of the lowest number.
pub(super) fn best_sets(game: &[f64], players: usize) -> Vec<SkipSet> {
    let best = |size: usize| {
        let sets = (0..game.len()).filter(|set| set.count_ones() as usize == size);
        sets.min_by(|a, b| game[*a].total_cmp(&game[*b])).map(|set| SkipSet {
            blocks: (0..players).filter(|player| set >> player & 1 == 1).collect(),
            loss: game[set],
        })
    };
    (0..=players).filter_map(best).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The glove game: a pair of one left glove (player 0) and one of two right gloves is worth 1.
    const GLOVES: [f64; 8] = [0.0, 0.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0];

    #[test]
    fn values_of_the_glove_game_are_the_textbook_ones() {
        let near = |found: &[f64], expected: &[f64]| {
            found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12)
        };
        assert!(near(&shapley(&GLOVES, 3), &[2.0 / 3.0, 1.0 / 6.0, 1.0 / 6.0]));
        assert!(near(&banzhaf(&GLOVES, 3), &[0.75, 0.25, 0.25]));
        // Left and right: (1 + 0) / 2. Two rights: 0 without the left one, −1 with it.
        let pairs = interactions(&GLOVES, 3);
        assert!(near(pairs.values(), &[0.0, 0.5, 0.5, 0.5, 0.0, -0.5, 0.5, -0.5, 0.0]));
        assert_eq!(shapley(&[0.0, 3.0], 1), [3.0]);
    }

    #[test]
    fn best_sets_are_the_cheapest_of_each_size() {
        let blocks: Vec<Vec<usize>> =
            best_sets(&GLOVES, 3).into_iter().map(|set| set.blocks).collect();
        assert_eq!(blocks, [vec![], vec![0], vec![1, 2], vec![0, 1, 2]]);
    }
}
