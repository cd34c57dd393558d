//! What is shown of it: tables, figures and a page, from stored results alone.

mod build;
mod cell;
mod chart;
mod comparison;
mod controls;
mod fewer_steps;
mod grid;
mod identity;
mod measure;
mod output;
mod page;
mod paper;
mod pruned;
mod ranking;
mod seeds;
mod skipping;
mod summary;
mod table;
mod tradeoff;
mod verdict;

pub use cell::Cell;
pub use output::{Outcome, run};
pub use table::Table;
