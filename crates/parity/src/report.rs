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
        let mut largest = 0.0f64;
        for (a, b) in found.iter().zip(expected) {
            let error = (a - b).abs();
            if !error.is_finite() && !(a == b) {
                largest = f64::INFINITY;
            } else if a != b {
                largest = largest.max(error);
            }
        }
        let verdict = if largest <= tolerance { "ok  " } else { "FAIL" };
        self.failed += usize::from(largest > tolerance);
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

/// All values of a tensor.
pub(crate) fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    tensor.into_data().iter::<f64>().collect()
}
