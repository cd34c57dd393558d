//! Pictures as the metrics' original implementations read, resize and compare them.

mod folder;
mod resample;
mod rgb;
mod similarity;

pub use folder::{list_pictures, pair_by_name};
pub use resample::{Filter, center_crop, resize_antialiased, resize_like_pillow};
pub(crate) use resample::{crop_origin, resize_bilinear, shortest_to};
pub use rgb::{Planes, RgbImage};
pub use similarity::{RgbView, psnr, ssim};
