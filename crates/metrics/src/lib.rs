//! How pictures and noise predictions are measured: the signal-to-noise ratio of the paper's Eq. 2,
//! PSNR, SSIM, HPS and other CLIP scores, LPIPS, FID and KID, and whether paired measurements
//! differ. What needs networks is in the feature `networks`, which is on unless turned off.
//!
//! ```
//! use metrics::{holm, paired_difference};
//!
//! let (ours, theirs) = ([0.31, 0.35, 0.29, 0.33], [0.30, 0.31, 0.27, 0.32]);
//! let difference = paired_difference(&ours, &theirs, 1000, 1)?;
//! assert!((difference.mean - 0.02).abs() < 1e-9 && difference.low > 0.0);
//! // Four pairs are too few for Wilcoxon's test, the more so where two tests are made.
//! assert_eq!(holm(&[difference.p_value, 0.5])[0], 0.25);
//! # Ok::<(), metrics::MetricsError>(())
//! ```
//!
//! The example `pairs` compares pictures.

#![warn(missing_docs)]

#[cfg(feature = "networks")]
mod clip_preprocess;
#[cfg(feature = "networks")]
mod clip_score;
mod error;
#[cfg(feature = "networks")]
mod frechet;
#[cfg(feature = "networks")]
mod networks;
pub mod number;
mod paired;
mod similarity;
mod snr;

#[cfg(feature = "networks")]
pub use clip_preprocess::{ClipPreprocess, Resampling, ResizeMode};
#[cfg(feature = "networks")]
pub use clip_score::ClipScorer;
pub use error::MetricsError;
#[cfg(feature = "networks")]
pub use frechet::{
    FeatureStatistics, Kid, frechet_distance, frechet_from_features, kernel_distance,
};
#[cfg(feature = "networks")]
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
