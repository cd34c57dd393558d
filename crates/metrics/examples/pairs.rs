//! Whether one set of pictures is better than another: PSNR and SSIM of pairs, their mean difference
//! with its interval, and Wilcoxon's test. No network, no pipeline.
//!
//! `cargo run -p metrics --example pairs`

use metrics::{MetricsError, paired_difference, psnr, ssim};
use pictures::RgbImage;

/// A picture of waves, with noise of so many levels.
fn picture(seed: u32, noise: u32) -> RgbImage {
    let (width, height) = (48, 32);
    let mut state = seed;
    let value = |i: usize| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let wave = 128.0 + 90.0 * ((i / 3 % width) as f32 * 0.3 + seed as f32).sin();
        let shift = (state >> 16) % (2 * noise + 1);
        (wave + shift as f32 - noise as f32) as u8
    };
    RgbImage { width, height, rgb: (0..3 * width * height).map(value).collect() }
}

fn main() -> Result<(), MetricsError> {
    type Metric = fn(&RgbImage, &RgbImage) -> Result<f64, MetricsError>;
    for (name, metric) in [("PSNR", psnr as Metric), ("SSIM", ssim)] {
        let (mut slightly, mut strongly) = (Vec::new(), Vec::new());
        for seed in 0..30 {
            let clean = picture(seed, 0);
            slightly.push(metric(&clean, &picture(seed, 8 + seed % 5))?);
            strongly.push(metric(&clean, &picture(seed, 10 + seed % 3))?);
        }
        let difference = paired_difference(&slightly, &strongly, 10_000, 1)?;
        println!(
            "{name}: {:+.4} [{:+.4}, {:+.4}] over {} pairs, p = {:.3}, rank-biserial {:+.2}",
            difference.mean,
            difference.low,
            difference.high,
            difference.count,
            difference.p_value,
            difference.rank_biserial
        );
    }
    Ok(())
}
