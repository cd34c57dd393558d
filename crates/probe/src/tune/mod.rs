//! Which way to turn for a score of pictures: a search of few weights, of blocks in windows of steps,
//! chosen on training samples and told by how they do on others.

mod ledger;
mod report;
mod search;

pub use ledger::{Evaluation, SampleSet, ScoreEvaluator, TuneState};
pub use report::{TuneReport, Tuned};
pub use search::{Trial, TuneSettings};
