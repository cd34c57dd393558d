//! One result of a part, as its process prints it.

use std::time::Instant;

use burn::tensor::Device;
use serde::{Deserialize, Serialize};
use workloads::median;

/// A line of a part's output.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Row {
    /// Something that is said.
    Fact { name: String, text: String },
    /// How far a result is from the CPU's in f32, by the largest value of the latter.
    Error { name: String, error: f64, bound: f64 },
    /// Seconds of runs after the first, and bytes on the device.
    Time {
        name: String,
        seconds: Vec<f64>,
        first: f64,
        #[serde(skip_serializing_if = "Option::is_none")]
        bytes: Option<u64>,
    },
}

impl Row {
    /// Its name.
    pub fn name(&self) -> &str {
        match self {
            Self::Fact { name, .. } | Self::Error { name, .. } | Self::Time { name, .. } => name,
        }
    }

    /// Median of the timed runs, in seconds.
    pub fn median(&self) -> Option<f64> {
        let Self::Time { seconds, .. } = self else { return None };
        Some(median(seconds))
    }

    /// Whether a result is further from the CPU's than it may be.
    pub fn fails(&self) -> bool {
        // A NaN fails.
        matches!(self, Self::Error { error, bound, .. } if error.partial_cmp(bound).is_none_or(|order| order.is_gt()))
    }

    /// Prints it as a line of JSON.
    pub fn print(&self) -> anyhow::Result<()> {
        terminal::json(&serde_json::to_value(self)?)?;
        terminal::flush()
    }
}

/// Times `run`, which waits for its result: once to compile kernels, then up to five times or for
/// a second.
pub fn timed(
    name: impl Into<String>,
    device: &Device,
    mut run: impl FnMut() -> anyhow::Result<()>,
) -> anyhow::Result<Row> {
    let clock = Instant::now();
    run()?;
    let first = clock.elapsed().as_secs_f64();
    let mut seconds = Vec::new();
    while seconds.is_empty() || (seconds.len() < 5 && seconds.iter().sum::<f64>() < 1.0) {
        let clock = Instant::now();
        run()?;
        seconds.push(clock.elapsed().as_secs_f64());
    }
    let bytes = device.memory_pool_usage().map(|usage| usage.bytes_reserved);
    Ok(Row::Time { name: name.into(), seconds, first, bytes })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_that_is_no_number_fails() {
        let row = |error: f64| Row::Error { name: String::new(), error, bound: 1.0 };
        assert!(row(f64::NAN).fails() && row(1.1).fails() && !row(1.0).fails());
    }

    #[test]
    fn timed_runs_once_more_than_it_reports() {
        let mut runs = 0;
        let row = timed("a", &Device::flex(), || {
            runs += 1;
            Ok(())
        });
        let Row::Time { seconds, .. } = row.unwrap() else { panic!("expected times") };
        assert_eq!(runs, seconds.len() + 1);
    }
}
