//! One measured value of a table.

use metrics::{PairedDifference, paired_difference};
use serde::Serialize;

use crate::ReproduceError;

/// Resamples of every bootstrap interval, and their seed.
pub(crate) const RESAMPLES: usize = 2000;
pub(crate) const SEED: u64 = 1;

/// One measured value.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Cell {
    /// Mean.
    #[serde(serialize_with = "metrics::number::serialize")]
    pub value: f64,
    /// Mean difference to the vanilla schedule, or to what the column names, over the same pictures,
    /// with its interval.
    pub difference: Option<PairedDifference>,
    /// The difference's p, corrected by Holm for all comparisons of the table.
    pub p_holm: Option<f64>,
    /// 95 % bootstrap interval of the value itself.
    pub interval: Option<[f64; 2]>,
    /// What the paper prints for the same model, where it prints it.
    pub printed: Option<f64>,
}

impl Cell {
    /// A value alone.
    pub fn plain(value: f64) -> Self {
        Self { value, difference: None, p_holm: None, interval: None, printed: None }
    }

    /// The mean of some values.
    pub(crate) fn mean(values: &[f64]) -> Self {
        Self::plain(values.iter().sum::<f64>() / values.len().max(1) as f64)
    }

    /// The mean of some values beside its difference to those of a reference.
    pub(crate) fn paired(values: &[f64], reference: &[f64]) -> Result<Self, ReproduceError> {
        let difference = paired_difference(values, reference, RESAMPLES, SEED)?;
        Ok(Self { difference: Some(difference), ..Self::mean(values) })
    }

    /// 1 where the value is above the reference's beyond the interval, -1 where it is below, else 0.
    pub(crate) fn direction(&self) -> i8 {
        match self.difference {
            Some(difference) if difference.low > 0.0 => 1,
            Some(difference) if difference.high < 0.0 => -1,
            _ => 0,
        }
    }

    /// As people read it.
    pub(crate) fn text(&self) -> String {
        let value = match (&self.difference, &self.interval) {
            (None, None) => format!("{:.3}", self.value),
            (None, Some([low, high])) => format!("{:.3} [{low:.3}, {high:.3}]", self.value),
            (Some(d), _) => {
                let mark = match self.direction() {
                    1 => " ↑",
                    -1 => " ↓",
                    _ => "",
                };
                let holm = self.p_holm.map_or_else(String::new, |p| format!(", Holm {p:.3}"));
                format!(
                    "{:.3} ({:+.3} [{:+.3}, {:+.3}], p {:.3}{holm}){mark}",
                    self.value, d.mean, d.low, d.high, d.p_value
                )
            }
        };
        match self.printed {
            Some(printed) => format!("{value} [paper {printed:.2}]"),
            None => value,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn infinite_values_have_a_name_everywhere() {
        let cell = Cell::plain(f64::INFINITY);
        assert_eq!(cell.text(), "inf");
        let json = serde_json::to_string(&cell).unwrap();
        assert!(json.starts_with("{\"value\":\"inf\","), "{json}");
        assert!(serde_json::to_string(&Cell::plain(1.5)).unwrap().starts_with("{\"value\":1.5,"));
    }
}
