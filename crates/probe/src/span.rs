//! Which inference steps share their weights.

use serde::{Deserialize, Serialize};

/// Windows that a run is divided into: early, middle and late.
const WINDOWS: usize = 3;

/// Which inference steps share their weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Span {
    /// None: every step has its own.
    Step,
    /// Those of a window: the early, the middle and the late third of the steps. Runs of fewer
    /// than three steps have a window for each.
    Window,
}

impl Span {
    /// The steps of every group that shares weights, in order, none empty.
    pub fn groups(self, steps: usize) -> Vec<Vec<usize>> {
        let count = match self {
            Self::Step => steps,
            Self::Window => WINDOWS.min(steps),
        };
        let group = |at: usize| (0..steps).filter(move |step| step * count / steps == at);
        (0..count).map(|at| group(at).collect()).collect()
    }

    /// What a group is called: `step 3`, or `early`, `middle`, `late`.
    pub fn name(self, group: usize, steps: usize) -> String {
        const NAMES: [&str; WINDOWS] = ["early", "middle", "late"];
        match self {
            Self::Window if steps >= WINDOWS => NAMES[group.min(WINDOWS - 1)].into(),
            _ => format!("step {group}"),
        }
    }

    /// Rows of weights for `steps` steps from a row for every group.
    pub fn spread<T: Clone>(self, groups: &[T], steps: usize) -> Vec<T> {
        let mut rows = Vec::with_capacity(steps);
        for (row, steps) in groups.iter().zip(self.groups(steps)) {
            rows.extend(std::iter::repeat_n(row.clone(), steps.len()));
        }
        rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_divide_the_steps_in_order() {
        assert_eq!(Span::Window.groups(10), [vec![0, 1, 2, 3], vec![4, 5, 6], vec![7, 8, 9]]);
        assert_eq!(Span::Window.groups(2), [[0], [1]]);
        assert_eq!(Span::Window.groups(1), [[0]]);
        assert_eq!(Span::Step.groups(3), [[0], [1], [2]]);
        for steps in 1..40 {
            let groups = Span::Window.groups(steps);
            assert_eq!(groups.concat(), (0..steps).collect::<Vec<_>>());
            assert!(groups.iter().all(|group| !group.is_empty()));
        }
    }

    #[test]
    fn spread_gives_every_step_the_row_of_its_group() {
        assert_eq!(Span::Window.spread(&["a", "b", "c"], 5).concat(), "aabbc");
        assert_eq!(Span::Step.spread(&["a", "b"], 2).concat(), "ab");
        assert_eq!(Span::Window.name(2, 10), "late");
        assert_eq!([Span::Window.name(1, 2), Span::Step.name(4, 10)], ["step 1", "step 4"]);
    }
}
