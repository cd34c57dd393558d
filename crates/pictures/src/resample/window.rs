//! Which input positions an output position is made of, and with what weights.

use std::ops::Range;

/// Interpolation kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filter {
    /// Triangle of radius 1.
    Bilinear,
    /// Keys' cubic with a = −0.5, radius 2.
    Bicubic,
}

impl Filter {
    fn radius(self) -> f64 {
        match self {
            Self::Bilinear => 1.0,
            Self::Bicubic => 2.0,
        }
    }

    fn at(self, x: f64) -> f64 {
        const A: f64 = -0.5;
        let x = x.abs();
        match self {
            Self::Bilinear => (1.0 - x).max(0.0),
            Self::Bicubic if x < 1.0 => ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0,
            Self::Bicubic if x < 2.0 => (((x - 5.0) * x + 8.0) * x - 4.0) * A,
            Self::Bicubic => 0.0,
        }
    }
}

/// The window of one output position; its weights have the sum 1.
///
/// Where it begins and ends is that of Pillow's `precompute_coeffs`.
#[derive(Debug, Clone)]
pub(super) struct Window {
    /// The input positions.
    pub(super) range: Range<usize>,
    center: f64,
    stretch: f64,
    sum: f64,
    filter: Filter,
}

impl Window {
    /// The window of position `at` of `output` in all, over `input` positions.
    pub(super) fn new(input: usize, output: usize, at: usize, filter: Filter) -> Self {
        let scale = input as f64 / output as f64;
        let stretch = scale.max(1.0);
        let support = filter.radius() * stretch;
        let center = (at as f64 + 0.5) * scale;
        let first = (center - support + 0.5).max(0.0) as usize;
        let end = ((center + support + 0.5) as usize).min(input);
        let mut window = Self { range: first..end, center, stretch, sum: 1.0, filter };
        window.sum = window.weights().sum();
        window
    }

    /// The weight of an input position inside.
    pub(super) fn weight(&self, x: usize) -> f64 {
        self.filter.at((x as f64 - self.center + 0.5) / self.stretch) / self.sum
    }

    /// The weights, position by position.
    pub(super) fn weights(&self) -> impl Iterator<Item = f64> {
        self.range.clone().map(|x| self.weight(x))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_have_unit_sums_stay_inside_and_advance() {
        for filter in [Filter::Bilinear, Filter::Bicubic] {
            for (input, output) in [(7, 3), (3, 7), (64, 64), (301, 224), (1, 5), (100_000, 1)] {
                let mut before = 0..0;
                for at in 0..output {
                    let window = Window::new(input, output, at, filter);
                    let range = window.range.clone();
                    assert!(range.end <= input && !range.is_empty());
                    assert!(range.start >= before.start && range.end >= before.end);
                    assert!((window.weights().sum::<f64>() - 1.0).abs() < 1e-12);
                    before = range;
                }
            }
        }
    }
}
