//! What was compared so far, printed line by line and counted.

use burn::tensor::Tensor;

/// The lines printed so far, and what failed.
pub struct Report<'a> {
    print: &'a mut dyn FnMut(&str),
    compared: usize,
    failed: usize,
    not_run: usize,
}

impl<'a> Report<'a> {
    pub(crate) fn new(print: &'a mut dyn FnMut(&str)) -> Self {
        Self { print, compared: 0, failed: 0, not_run: 0 }
    }

    /// Values compared.
    pub fn compared(&self) -> usize {
        self.compared
    }

    /// Comparisons beyond their tolerance.
    pub fn failed(&self) -> usize {
        self.failed
    }

    /// Reference outputs that belong to an implemented part and were not run.
    pub fn not_run(&self) -> usize {
        self.not_run
    }

    /// Whether everything was run and passed.
    pub fn passed(&self) -> bool {
        self.failed == 0 && self.not_run == 0 && self.compared > 0
    }

    /// One line: the largest error of a tensor against its tolerance.
    pub(crate) fn compare(&mut self, name: &str, found: &[f64], expected: &[f64], tolerance: f64) {
        self.compared += 1;
        if found.len() != expected.len() {
            self.failed += 1;
            let text = format!("FAIL {name}: {} values, expected {}", found.len(), expected.len());
            return (self.print)(&text);
        }
        let largest = found.iter().zip(expected).map(|(a, b)| error(*a, *b)).fold(0.0, f64::max);
        // An infinite or undefined tolerance would follow from a broken reference and pass anything.
        let passed = tolerance.is_finite() && largest <= tolerance;
        self.failed += usize::from(!passed);
        let verdict = if passed { "ok  " } else { "FAIL" };
        (self.print)(&format!(
            "{verdict} {name}: largest error {largest:.2e}, tolerance {tolerance:.2e}"
        ));
    }

    /// As [`Self::compare`], for a tensor.
    pub(crate) fn tensor<const D: usize>(
        &mut self,
        name: &str,
        found: Tensor<D>,
        expected: &[f64],
        tolerance: f64,
    ) {
        self.compare(name, &values(found), expected, tolerance);
    }

    /// One line for something that is equal or not.
    pub(crate) fn equal<T: PartialEq + std::fmt::Debug>(
        &mut self,
        name: &str,
        found: &T,
        expected: &T,
    ) {
        self.compared += 1;
        if found == expected {
            return (self.print)(&format!("ok   {name}: equal"));
        }
        self.failed += 1;
        let text = format!("FAIL {name}: found {found:?}, expected {expected:?}");
        (self.print)(&text.chars().take(600).collect::<String>());
    }

    /// One line for a reference output that nothing compared.
    pub(crate) fn missed(&mut self, name: &str, why: &str) {
        self.not_run += 1;
        (self.print)(&format!("FAIL {name}: not run: {why}"));
    }

    /// A remark that is neither success nor failure.
    pub(crate) fn note(&mut self, text: &str) {
        (self.print)(&format!("note {text}"));
    }
}

/// How far two values lie apart; infinitely far where either is no number or they are different
/// infinities.
fn error(a: f64, b: f64) -> f64 {
    let error = (a - b).abs();
    if a == b {
        0.0
    } else if error.is_nan() {
        f64::INFINITY
    } else {
        error
    }
}

/// The largest magnitude among values, to which relative tolerances refer.
pub(crate) fn magnitude(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |largest, value| largest.max(value.abs()))
}

/// All values of a tensor.
pub(crate) fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    tensor.into_data().iter::<f64>().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compare_fails_beyond_the_tolerance_and_for_whatever_is_no_number() {
        let mut lines = Vec::new();
        let mut print = |line: &str| lines.push(line.to_string());
        let mut report = Report::new(&mut print);
        report.compare("near", &[1.0, 2.0], &[1.0, 2.1], 0.2);
        report.compare("infinite alike", &[f64::INFINITY], &[f64::INFINITY], 0.0);
        assert!(report.passed());
        report.compare("far", &[1.0, 2.0], &[1.0, 2.1], 0.05);
        report.compare("longer", &[1.0, 2.0], &[1.0], 1.0);
        report.compare("nan", &[f64::NAN], &[0.0], 1.0);
        report.compare("nan expected", &[0.0], &[f64::NAN], 1.0);
        report.compare("infinite tolerance", &[0.0], &[f64::INFINITY], f64::INFINITY);
        report.compare("no tolerance", &[0.0], &[0.0], f64::NAN);
        assert_eq!((report.compared(), report.failed()), (8, 6));
        assert_eq!(lines.iter().filter(|line| line.starts_with("FAIL")).count(), 6);
    }

    #[test]
    fn passed_needs_something_compared_and_nothing_left_out() {
        let mut print = |_: &str| {};
        let mut report = Report::new(&mut print);
        assert!(!report.passed());
        report.equal("same", &1, &1);
        assert!(report.passed());
        report.missed("tensor", "nobody asks for it");
        assert!(!report.passed() && report.not_run() == 1);
    }
}
