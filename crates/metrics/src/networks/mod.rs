//! Networks that pictures are measured with.

mod checkpoint;
mod clip_features;
mod features;
mod inception;
mod inception_blocks;
mod lpips;
mod lpips_files;
mod lpips_trunk;

pub use checkpoint::Checkpoint;
pub use clip_features::ClipFeatures;
pub use features::{FeatureNetwork, Features, extract, stack};
pub use inception::{Inception, InceptionTap};
pub use lpips::{Lpips, LpipsDistances};
pub use lpips_trunk::LpipsNetwork;
