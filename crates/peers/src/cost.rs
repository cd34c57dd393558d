//! Time and memory of the shipped U-Net over batches and sizes of latents, of this project alone.

use std::fmt;
use std::process::Command;
use std::str::FromStr;
use std::time::{Duration, Instant};

use anyhow::Context;
use burn::tensor::Device;
use serde::Serialize;
use unet_core::UNet2DConditionConfig;
use workloads::{SHIPPED_UNET, median, normal};

use crate::ours::wait;
use crate::pairs::{Run, measured, peak_bytes};

/// Batches and sizes whose whole table takes minutes.
pub const DEFAULT: &str = "1x16,4x16,16x16,64x16,1x32,4x32,16x32,64x32,1x64,4x64,16x64,1x128,4x128";

/// Timed runs of a cell go on for about so long, three at least.
const LONG_ENOUGH: Duration = Duration::from_secs(3);

/// A batch and the side of its square latents, `BATCHxSIDE`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cell {
    batch: usize,
    side: usize,
}

impl FromStr for Cell {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected =
            || format!("expected BATCHxSIDE such as 8x32, a side divisible by 8, found `{text}`");
        let (batch, side) = text.split_once('x').ok_or_else(expected)?;
        let number = |text: &str, most: usize| {
            text.parse().ok().filter(|number| (1..=most).contains(number)).ok_or_else(expected)
        };
        let cell = Self { batch: number(batch, 1024)?, side: number(side, 1024)? };
        if cell.side.is_multiple_of(8) { Ok(cell) } else { Err(expected()) }
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.batch, self.side)
    }
}

impl Cell {
    /// Runs the U-Net in this process.
    pub fn here(self) -> anyhow::Result<Run> {
        let device = Device::flex();
        let config = UNet2DConditionConfig::from_json(SHIPPED_UNET, "the shipped model's")?;
        let model = config.init(&device);
        let sample = normal([self.batch, 4, self.side, self.side], &device);
        let context = normal([self.batch, 24, config.cross_attention_dim], &device);
        let run = || wait(model.forward(sample.clone(), &[500.0], context.clone(), None, None));
        run();
        let begin = Instant::now();
        let mut seconds = Vec::new();
        while seconds.len() < 3 || begin.elapsed() < LONG_ENOUGH {
            let start = Instant::now();
            run();
            seconds.push(start.elapsed().as_secs_f64());
        }
        Ok(Run { seconds, peak_bytes: peak_bytes()? })
    }

    /// Runs the U-Net in a process of its own.
    pub fn apart(self) -> anyhow::Result<Row> {
        let program = std::env::current_exe().context("the path of this program")?;
        let mut command = Command::new(program);
        command.args(["--cell", &self.to_string()]);
        let run = measured(command, "")?;
        Ok(Row {
            batch: self.batch,
            side: self.side,
            seconds_per_sample: median(&run.seconds) / self.batch as f64,
            peak_bytes: run.peak_bytes,
        })
    }
}

/// What a cell costs.
#[derive(Debug, Serialize)]
pub struct Row {
    batch: usize,
    side: usize,
    seconds_per_sample: f64,
    peak_bytes: u64,
}

/// The first line of the table.
pub fn header() -> String {
    format!("{:>6} {:>8} {:>14} {:>12}", "batch", "latents", "ms per sample", "peak, MiB")
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = format!("{0}×{0}", self.side);
        let (milliseconds, mebibytes) =
            (self.seconds_per_sample * 1e3, self.peak_bytes as f64 / f64::from(1 << 20));
        write!(f, "{:>6} {side:>8} {milliseconds:>14.2} {mebibytes:>12.0}", self.batch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_read_as_they_are_written_and_others_refused() {
        for text in DEFAULT.split(',') {
            assert_eq!(text.parse::<Cell>().map(|cell| cell.to_string()), Ok(text.to_string()));
        }
        for text in ["", "8", "0x16", "8x12", "8x-16", "8x16x1", "2000x16", "1xNaN"] {
            assert!(text.parse::<Cell>().is_err(), "{text}");
        }
    }
}
