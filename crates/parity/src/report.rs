//! What was compared so far, printed line by line and counted.

use burn::tensor::Tensor;

/// The lines printed so far, and what failed.
pub struct Report<'a> {
    print: &'a mut dyn FnMut(&str),
    compared: usize,
    failed: usize,
    not_run: usize,
    bound: Bound,
}

/// How far what a model computed may lie from the reference.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Bound {
    /// As far as the comparison's own tolerance.
    Tolerance,
    /// As far as this part of the largest expected value, where that is more.
    Largest(f64),
    /// So far that the root of the mean squared error is this part of that of the expected values.
    RootMeanSquare(f64),
}

impl<'a> Report<'a> {
    pub(crate) fn new(print: &'a mut dyn FnMut(&str)) -> Self {
        Self { print, compared: 0, failed: 0, not_run: 0, bound: Bound::Tolerance }
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

    /// Sets what holds from here on for what a model computed.
    pub(crate) fn allow(&mut self, bound: Bound) {
        self.bound = bound;
    }

    /// As [`Self::compare`], for what was computed on the device that is compared.
    pub(crate) fn computed(&mut self, name: &str, found: &[f64], expected: &[f64], tolerance: f64) {
        match self.bound {
            Bound::RootMeanSquare(part) if found.len() == expected.len() => {
                let errors: Vec<f64> = found.iter().zip(expected).map(|(a, b)| a - b).collect();
                let (error, size) = (root_mean_square(&errors), root_mean_square(expected));
                let name = format!("{name} (root mean square)");
                self.compare(&name, &[error], &[0.0], tolerance.max(part * size));
            }
            Bound::Largest(part) => {
                let tolerance = tolerance.max(part * magnitude(expected));
                self.compare(name, found, expected, tolerance);
            }
            _ => self.compare(name, found, expected, tolerance),
        }
    }

    /// As [`Self::computed`], for a tensor.
    pub(crate) fn tensor<const D: usize>(
        &mut self,
        name: &str,
        found: Tensor<D>,
        expected: &[f64],
        tolerance: f64,
    ) {
        self.computed(name, &values(found), expected, tolerance);
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

fn root_mean_square(values: &[f64]) -> f64 {
    (values.iter().map(|value| value * value).sum::<f64>() / values.len().max(1) as f64).sqrt()
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
    fn computed_values_may_lie_as_far_as_the_bound_or_the_tolerance() {
        let mut print = |_: &str| {};
        let mut report = Report::new(&mut print);
        let mut failed = |bound, found: [f64; 2], tolerance| {
            report.allow(bound);
            let before = report.failed();
            report.computed("values", &found, &[3.0, -4.0], tolerance);
            report.failed() > before
        };
        assert!(failed(Bound::Tolerance, [3.0, -4.1], 0.05));
        assert!(!failed(Bound::Largest(0.03), [3.0, -4.1], 0.05));
        assert!(failed(Bound::Largest(0.02), [3.0, -4.1], 0.05));
        assert!(!failed(Bound::Largest(0.02), [3.0, -4.1], 0.2));
        // The errors 0.1 and 0 have 0.071, the values 3.54.
        assert!(!failed(Bound::RootMeanSquare(0.021), [3.0, -4.1], 0.05));
        assert!(failed(Bound::RootMeanSquare(0.019), [3.0, -4.1], 0.05));
        assert!(failed(Bound::RootMeanSquare(0.5), [f64::NAN, -4.0], 0.05));
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
