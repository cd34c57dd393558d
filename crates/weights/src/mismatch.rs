//! Every disagreement between a file and a module, listed at once.

use std::fmt;

/// Every disagreement between a file and a module.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// Tensors the module needs and the file lacks.
    pub missing: Vec<String>,
    /// Tensors the file has and the module does not know.
    pub unexpected: Vec<String>,
    /// Name, expected shape, found shape.
    pub wrong_shape: Vec<(String, Vec<usize>, Vec<usize>)>,
    /// Name and data type of tensors that are not floats.
    pub wrong_dtype: Vec<(String, String)>,
    /// Tensors with values that are NaN, infinite, or beyond the range of the type asked for.
    pub not_finite: Vec<String>,
}

impl Mismatch {
    /// Whether nothing disagrees.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// At most this many names of a kind are printed; the rest is counted.
const SHOWN: usize = 20;

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quoted = |name: &String| format!("`{name}`");
        section(f, "missing tensors", self.missing.iter().map(quoted))?;
        section(f, "unexpected tensors", self.unexpected.iter().map(quoted))?;
        section(
            f,
            "tensors of a wrong shape",
            self.wrong_shape.iter().map(|(name, expected, found)| {
                format!("`{name}`: expected {expected:?}, found {found:?}")
            }),
        )?;
        section(
            f,
            "tensors of a data type other than F64, F32, F16, BF16",
            self.wrong_dtype.iter().map(|(name, dtype)| format!("`{name}` ({dtype})")),
        )?;
        section(
            f,
            "tensors with NaN or infinite values, or such beyond the range of the data type",
            self.not_finite.iter().map(quoted),
        )
    }
}

fn section(
    f: &mut fmt::Formatter<'_>,
    title: &str,
    entries: impl ExactSizeIterator<Item = String>,
) -> fmt::Result {
    let count = entries.len();
    if count == 0 {
        return Ok(());
    }
    write!(f, "\n  {title} ({count}):")?;
    for entry in entries.take(SHOWN) {
        write!(f, "\n    {entry}")?;
    }
    match count.checked_sub(SHOWN + 1) {
        Some(_) => write!(f, "\n    … and {} more", count - SHOWN),
        None => Ok(()),
    }
}
