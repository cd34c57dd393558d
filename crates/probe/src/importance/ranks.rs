//! From values to ranks, scores and their intervals.

use reweight::StepMatrix;

use crate::Interval;
use crate::student::student_t;

/// The rank of every value, from 1 for the least; equal values share the mean of their ranks.
pub(crate) fn ranks(values: &[f64]) -> Vec<f64> {
    let rank = |value: &f64| {
        let below = values.iter().filter(|other| *other < value).count() as f64;
        let equal = values.iter().filter(|other| *other == value).count() as f64;
        below + (equal + 1.0) / 2.0
    };
    values.iter().map(rank).collect()
}

/// The mean of equally shaped matrices.
pub(super) fn mean(runs: &[StepMatrix]) -> StepMatrix {
    let count = runs.len() as f64;
    StepMatrix::from_fn(runs[0].steps(), runs[0].blocks(), |step, block| {
        runs.iter().map(|run| run[step][block]).sum::<f64>() / count
    })
}

/// The scores that each run gives: ranks among a step's blocks, divided by their number.
pub(super) fn run_scores(runs: &[StepMatrix]) -> Vec<StepMatrix> {
    let of_run = |run: &StepMatrix| {
        let ranks: Vec<Vec<f64>> = run.rows().map(ranks).collect();
        let blocks = run.blocks() as f64;
        StepMatrix::from_fn(run.steps(), run.blocks(), |step, block| ranks[step][block] / blocks)
    };
    runs.iter().map(of_run).collect()
}

/// Blocks of each step by score, least important first; equal scores by value, then by index.
pub(super) fn ranking(scores: &StepMatrix, values: &StepMatrix) -> StepMatrix<usize> {
    let orders: Vec<Vec<usize>> = (0..scores.steps())
        .map(|step| {
            let key = |block: usize| (scores[step][block], values[step][block]);
            let mut order: Vec<usize> = (0..scores.blocks()).collect();
            order.sort_by(|a, b| {
                let (a, b) = (key(*a), key(*b));
                a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1))
            });
            order
        })
        .collect();
    StepMatrix::from_fn(scores.steps(), scores.blocks(), |step, place| orders[step][place])
}

/// Student's 95 % intervals of the mean of scores from several seeds, within [0, 1]; `None` of a
/// single seed.
pub(super) fn student_intervals(scores: &[StepMatrix]) -> Option<StepMatrix<Interval>> {
    let count = scores.len();
    if count < 2 {
        return None;
    }
    let centre = mean(scores);
    let factor = student_t(count - 1) / (count as f64).sqrt();
    Some(StepMatrix::from_fn(centre.steps(), centre.blocks(), |step, block| {
        let centre = centre[step][block];
        let squares: f64 = scores.iter().map(|run| (run[step][block] - centre).powi(2)).sum();
        let half = factor * (squares / (count - 1) as f64).sqrt();
        Interval { low: (centre - half).max(0.0), high: (centre + half).min(1.0) }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matrix(rows: Vec<Vec<f64>>) -> StepMatrix {
        StepMatrix::from_rows(rows).unwrap()
    }

    #[test]
    fn ranks_equal_values_share_theirs() {
        assert_eq!(ranks(&[0.5, 0.1, 0.5, 0.9]), [2.5, 1.0, 2.5, 4.0]);
    }

    #[test]
    fn ranking_equal_scores_go_by_value_then_index() {
        let scores = matrix(vec![vec![0.5, 0.5, 0.2, 0.5]]);
        let values = matrix(vec![vec![3.0, 1.0, 9.0, 1.0]]);
        assert_eq!(ranking(&scores, &values)[0], [2, 1, 3, 0]);
    }

    #[test]
    fn student_intervals_are_the_textbook_ones() {
        // Mean 0.5, deviation √0.025, five runs: ± 2.776445 · √0.025 / √5.
        let runs: Vec<StepMatrix> =
            [0.3, 0.4, 0.5, 0.6, 0.7].map(|score| matrix(vec![vec![score]])).to_vec();
        let Interval { low, high } = student_intervals(&runs).unwrap()[0][0];
        let half = 2.776_445 * (0.025f64 / 5.0).sqrt();
        assert!((low - 0.5 + half).abs() < 1e-9 && (high - 0.5 - half).abs() < 1e-9);
        assert_eq!(student_intervals(&runs[..1]), None);
    }
}
