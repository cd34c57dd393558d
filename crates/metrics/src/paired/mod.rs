//! Whether paired measurements differ: intervals, a rank test and an effect size.

mod bootstrap;
mod wilcoxon;

pub use bootstrap::{MeanInterval, PairedDifference, mean_interval, paired_difference};
pub use wilcoxon::{Wilcoxon, wilcoxon};
