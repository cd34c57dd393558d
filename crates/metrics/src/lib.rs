//! How pictures and noise predictions are measured: the signal-to-noise ratio of the paper's Eq. 2,
//! PSNR, SSIM, HPS and other CLIP scores, LPIPS, FID and KID, and whether paired measurements
//! differ.

#![warn(missing_docs)]

mod clip_preprocess;
mod clip_score;
mod error;
mod frechet;
mod networks;
mod paired;
mod pictures;
mod snr;

pub use clip_preprocess::{ClipPreprocess, ResizeMode};
pub use clip_score::ClipScorer;
pub use error::MetricsError;
pub use frechet::{
    FeatureStatistics, Kid, frechet_distance, frechet_from_features, kernel_distance,
};
pub use networks::{
    Checkpoint, ClipFeatures, FeatureNetwork, Features, Inception, InceptionTap, Lpips,
    LpipsDistances, LpipsNetwork, extract, stack,
};
pub use paired::{
    MeanInterval, PairedDifference, Wilcoxon, mean_interval, paired_difference, wilcoxon,
};
pub use pictures::{
    Filter, Planes, RgbImage, RgbView, center_crop, list_pictures, pair_by_name, psnr,
    resize_antialiased, resize_like_pillow, ssim,
};
pub use snr::{decibels, snr};
