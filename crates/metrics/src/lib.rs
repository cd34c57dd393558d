//! How pictures and noise predictions are measured: the signal-to-noise ratio of the paper's Eq. 2,
//! PSNR, SSIM, HPS and other CLIP scores, LPIPS, FID and KID, and whether paired measurements
//! differ.

#![warn(missing_docs)]

mod clip_preprocess;
mod clip_score;
mod error;
mod frechet;
mod networks;
pub mod number;
mod paired;
mod similarity;
mod snr;

pub use clip_preprocess::{ClipPreprocess, Resampling, ResizeMode};
pub use clip_score::ClipScorer;
pub use error::MetricsError;
pub use frechet::{
    FeatureStatistics, Kid, frechet_distance, frechet_from_features, kernel_distance,
};
pub use networks::{
    Checkpoint, ClipFeatures, FeatureNetwork, Features, Inception, InceptionTap, Lpips,
    LpipsDistances, LpipsNetwork, extract, stack,
};
pub use number::Number;
pub use paired::{
    MeanInterval, PairedDifference, Wilcoxon, holm, mean_interval, paired_difference, wilcoxon,
};
pub use similarity::{EQUAL_PSNR, mean_squared_error, psnr, ssim};
pub use snr::{decibels, snr};
