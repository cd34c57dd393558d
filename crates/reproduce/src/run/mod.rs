//! How it is done: units are run, and their results are stored by type.

mod context;
mod decoded;
mod estimate;
mod fit;
mod importance;
mod library;
mod probe;
mod rate;
mod request;
mod results;
mod sampling;
mod schedule;
mod scoring;
mod skipping;
mod snr;
mod store;
mod students;
#[cfg(test)]
mod tests;
mod work;

pub use context::{Context, RunOptions};
pub use estimate::{Estimate, Rate, estimate};
pub(crate) use library::Library;
pub use rate::MeasuredRate;
pub(crate) use results::{Likeness, MeasuredEffects};
pub(crate) use schedule::mean_weight;
pub(crate) use skipping::plan as skip_plan;
pub use store::Damage;
pub use work::{Event, Progress, prepare, work};
