//! Collects what is wrong with the fields of a recipe.

use std::fmt::{self, Display};
use std::ops::{Bound, RangeBounds, RangeInclusive};
use std::path::Path;

use crate::TrainError;

/// A field of a recipe that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// The field with its tables, for example `autoencoder.optimizer.warmup`.
    pub field: String,
    /// The values that can be used.
    pub expected: String,
    /// The value that stands there.
    pub found: String,
}

impl Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: expected {}, found {}", self.field, self.expected, self.found)
    }
}

/// The errors of a recipe's fields, and the table that is being looked at.
#[derive(Default)]
pub(super) struct Fields {
    table: String,
    errors: Vec<FieldError>,
}

impl Fields {
    /// Looks at the fields of the table `name`.
    pub(super) fn table(&mut self, name: &str, check: impl FnOnce(&mut Self)) {
        let length = self.table.len();
        self.table.push_str(name);
        self.table.push('.');
        check(self);
        self.table.truncate(length);
    }

    /// Notes an error of `field` unless `valid`.
    pub(super) fn require(
        &mut self,
        valid: bool,
        field: &str,
        expected: impl Display,
        found: impl Display,
    ) {
        if !valid {
            self.errors.push(FieldError {
                field: format!("{}{field}", self.table),
                expected: expected.to_string(),
                found: found.to_string(),
            });
        }
    }

    /// A whole number within `range`.
    pub(super) fn count(&mut self, field: &str, value: usize, range: RangeInclusive<usize>) {
        let words = format!("{} to {}", range.start(), range.end());
        self.require(range.contains(&value), field, words, value);
    }

    /// A finite number within `range`.
    pub(super) fn number(&mut self, field: &str, value: f64, range: impl RangeBounds<f64>) {
        let lower = match range.start_bound() {
            Bound::Included(bound) => Some(format!("at least {bound}")),
            Bound::Excluded(bound) => Some(format!("above {bound}")),
            Bound::Unbounded => None,
        };
        let upper = match range.end_bound() {
            Bound::Included(bound) => Some(format!("at most {bound}")),
            Bound::Excluded(bound) => Some(format!("below {bound}")),
            Bound::Unbounded => None,
        };
        let words: Vec<String> = lower.into_iter().chain(upper).collect();
        let valid = value.is_finite() && range.contains(&value);
        self.require(valid, field, format!("a number {}", words.join(" and ")), value);
    }

    /// A whole number that the field `by` divides.
    pub(super) fn divisible(&mut self, field: &str, value: usize, by: &str, divisor: usize) {
        let valid = divisor != 0 && value.is_multiple_of(divisor);
        self.require(valid, field, format!("a multiple of `{by}` = {divisor}"), value);
    }

    /// The errors, as those of the recipe in `path`.
    pub(super) fn finish(self, path: &Path) -> Result<(), TrainError> {
        if self.errors.is_empty() {
            return Ok(());
        }
        Err(TrainError::Recipe { path: path.into(), fields: self.errors })
    }
}
