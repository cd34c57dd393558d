//! How pictures and noise predictions are compared: the signal-to-noise ratio of the paper's
//! Eq. 2, PSNR, SSIM, and paired bootstrap intervals for the differences.

#![warn(missing_docs)]

mod bootstrap;
mod error;
mod picture;
mod snr;

pub use bootstrap::{PairedDifference, mean_interval, paired_difference};
pub use error::MetricsError;
pub use picture::{RgbView, psnr, ssim};
pub use snr::{decibels, snr};
