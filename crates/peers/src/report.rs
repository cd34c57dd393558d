//! What was measured, as a row of a table.

use std::fmt;

use serde::Serialize;
use workloads::median;

use crate::pairs::Run;
use crate::work::Work;

/// One work's times: medians over the pairs of each process's median.
#[derive(Debug, Serialize)]
pub struct Row {
    work: String,
    /// Seconds.
    ours: f64,
    /// Seconds.
    pytorch: f64,
    /// Median over the pairs of ours by PyTorch's; below 1 ours is faster.
    ratio: f64,
    /// Smallest and largest ratio of a pair.
    ratios: [f64; 2],
    ours_peak_bytes: u64,
    pytorch_peak_bytes: u64,
    pairs: Vec<(Run, Run)>,
}

impl Row {
    /// Sums up the pairs of a work.
    pub fn new(work: Work, pairs: Vec<(Run, Run)>) -> Self {
        let of = |value: &dyn Fn(&(Run, Run)) -> f64| pairs.iter().map(value).collect::<Vec<_>>();
        let ratios = of(&|(ours, theirs)| ours.median() / theirs.median());
        Self {
            work: work.name(),
            ours: median(&of(&|(ours, _)| ours.median())),
            pytorch: median(&of(&|(_, theirs)| theirs.median())),
            ratio: median(&ratios),
            ratios: [
                ratios.iter().copied().fold(f64::INFINITY, f64::min),
                ratios.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            ],
            ours_peak_bytes: pairs.iter().map(|(run, _)| run.peak_bytes).max().unwrap_or(0),
            pytorch_peak_bytes: pairs.iter().map(|(_, run)| run.peak_bytes).max().unwrap_or(0),
            pairs,
        }
    }
}

/// What the columns are.
pub fn header() -> String {
    format!(
        "{:<9} {:>10} {:>10} {:>6}  {:<13} {:>9} {:>9}",
        "work", "ours, s", "torch, s", "ratio", "(from to)", "ours, GiB", "torch"
    )
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let gibibytes = |bytes: u64| bytes as f64 / f64::from(1 << 30);
        let [low, high] = self.ratios;
        write!(
            f,
            "{:<9} {:>10.4} {:>10.4} {:>6.2}  {:<13} {:>9.2} {:>9.2}",
            self.work,
            self.ours,
            self.pytorch,
            self.ratio,
            format!("({low:.2} {high:.2})"),
            gibibytes(self.ours_peak_bytes),
            gibibytes(self.pytorch_peak_bytes)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_those_of_pairs_and_peaks_are_the_largest() {
        let run = |seconds: f64, peak_bytes| Run { seconds: vec![seconds], peak_bytes };
        let pairs = vec![
            (run(1.0, 5), run(2.0, 7)),
            (run(3.0, 6), run(3.0, 8)),
            (run(4.0, 4), run(5.0, 9)),
        ];
        let row = Row::new(Work::Unet1, pairs);
        assert_eq!((row.ours, row.pytorch, row.ratio, row.ratios), (3.0, 3.0, 0.8, [0.5, 1.0]));
        assert_eq!((row.ours_peak_bytes, row.pytorch_peak_bytes), (6, 9));
    }
}
