//! Which blocks are skipped at which step so that a run stays within a budget, at the least loss
//! that importance estimates foresee.

mod costs;
mod greedy;
mod knapsack;
mod losses;
mod plan;
mod refresh;
mod reuse;
#[cfg(test)]
mod tests;
mod timing;

pub use costs::SkipCosts;
pub use losses::SkipLosses;
pub use plan::{Omission, SkipPlan};
pub use reuse::{MAX_AGE, ReuseLosses};
pub use timing::time_runs;
