//! Whether paired measurements differ: intervals, a rank test, an effect size, and the correction
//! for many comparisons.

mod bootstrap;
mod holm;
mod wilcoxon;

pub use bootstrap::{MeanInterval, PairedDifference, mean_interval, paired_difference};
pub use holm::holm;
pub use wilcoxon::{Wilcoxon, wilcoxon};
