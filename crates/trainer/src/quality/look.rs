//! Whether pictures look as others of their style do, told from simple statistics of their pixels.

use pictures::{Example, RgbImage};

use super::look_statistics::{mean, statistics};

const STEPS: usize = 300;
const LEARNING_RATE: f64 = 0.1;
const MOMENTUM: f64 = 0.9;
const WEIGHT_DECAY: f64 = 3e-3;
/// Least standard deviation that statistics are divided by, so that a colour that hardly any
/// training picture has decides nothing.
const LEAST_DEVIATION: f64 = 0.01;

/// A linear classifier of styles: softmax regression on standardised [`statistics`].
pub(super) struct Look {
    styles: Vec<String>,
    mean: Vec<f64>,
    deviation: Vec<f64>,
    /// One row for each style, the last of each for the constant 1.
    weights: Vec<Vec<f64>>,
}

impl Look {
    /// Learns what the pictures of each of the examples' styles have in common.
    pub(super) fn learn(examples: &[Example], pictures: &[RgbImage]) -> Self {
        let mut styles: Vec<String> = examples.iter().map(|e| e.style.clone()).collect();
        styles.sort();
        styles.dedup();
        let found: Vec<Vec<f64>> = pictures.iter().map(statistics).collect();
        let width = found.first().map_or(0, Vec::len);
        let means: Vec<f64> = (0..width).map(|i| mean(found.iter().map(|row| row[i]))).collect();
        let squares = |i: usize| mean(found.iter().map(|row| (row[i] - means[i]).powi(2)));
        let deviation = (0..width).map(|i| squares(i).sqrt().max(LEAST_DEVIATION)).collect();
        let weights = vec![vec![0.0; width + 1]; styles.len()];
        let mut look = Self { styles, mean: means, deviation, weights };
        let rows: Vec<Vec<f64>> = found.iter().map(|row| look.standardised(row)).collect();
        let wanted: Vec<usize> = examples
            .iter()
            .map(|e| look.styles.iter().position(|style| *style == e.style).unwrap_or_default())
            .collect();
        let mut velocity = look.weights.clone();
        for _ in 0..STEPS {
            look.descend(&rows, &wanted, &mut velocity);
        }
        look
    }

    /// A step down the gradient of the cross-entropy of all rows.
    fn descend(&mut self, rows: &[Vec<f64>], wanted: &[usize], velocity: &mut [Vec<f64>]) {
        let scale = 1.0 / rows.len().max(1) as f64;
        let mut gradient: Vec<Vec<f64>> =
            self.weights.iter().map(|row| row.iter().map(|w| WEIGHT_DECAY * w).collect()).collect();
        for (row, wanted) in rows.iter().zip(wanted) {
            let logits = self.logits(row);
            let most = logits.iter().copied().fold(f64::MIN, f64::max);
            let odds: Vec<f64> = logits.iter().map(|logit| (logit - most).exp()).collect();
            let sum: f64 = odds.iter().sum();
            for (style, odds) in odds.iter().enumerate() {
                let error = odds / sum - f64::from(u8::from(style == *wanted));
                for (gradient, value) in gradient[style].iter_mut().zip(row) {
                    *gradient += scale * error * value;
                }
            }
        }
        for style in 0..self.weights.len() {
            for (i, gradient) in gradient[style].iter().enumerate() {
                velocity[style][i] = MOMENTUM * velocity[style][i] - LEARNING_RATE * gradient;
                self.weights[style][i] += velocity[style][i];
            }
        }
    }

    fn standardised(&self, found: &[f64]) -> Vec<f64> {
        let scales = self.mean.iter().zip(&self.deviation);
        let values = found.iter().zip(scales).map(|(value, (mean, sd))| (value - mean) / sd);
        values.chain([1.0]).collect()
    }

    fn logits(&self, row: &[f64]) -> Vec<f64> {
        let product = |weights: &Vec<f64>| weights.iter().zip(row).map(|(w, x)| w * x).sum();
        self.weights.iter().map(product).collect()
    }

    /// Whether the picture looks most like those of `style`.
    fn is_of(&self, picture: &RgbImage, style: &str) -> bool {
        let logits = self.logits(&self.standardised(&statistics(picture)));
        let likeliest = self.styles.iter().zip(logits).max_by(|a, b| a.1.total_cmp(&b.1));
        likeliest.is_some_and(|(found, _)| found == style)
    }

    /// The share of the pictures that look most like those of their example's style.
    pub(super) fn share(&self, wanted: &[&Example], pictures: &[RgbImage]) -> f64 {
        let pairs = wanted.iter().zip(pictures);
        let right = pairs.filter(|(wanted, picture)| self.is_of(picture, &wanted.style)).count();
        right as f64 / wanted.len().max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example(style: &str) -> Example {
        Example {
            file_name: String::new(),
            text: String::new(),
            caption: String::new(),
            style: style.into(),
            pixels: Vec::new(),
        }
    }

    /// Squares of `side` pixels in two colours of their own.
    fn squares(side: usize, number: usize) -> RgbImage {
        let colour =
            |which: usize| [0, 1, 2].map(|i| ((number * 53 + which * 97 + i * 31) % 256) as u8);
        let rgb = (0..256).flat_map(|i| colour((i % 16 / side + i / 16 / side) % 2)).collect();
        RgbImage { width: 16, height: 16, rgb }
    }

    #[test]
    fn share_tells_pictures_by_what_their_style_has_in_common() {
        let sides = [("fine", 1), ("middle", 4), ("coarse", 8)];
        let set = |numbers: std::ops::Range<usize>| -> (Vec<Example>, Vec<RgbImage>) {
            let of = |(style, side)| {
                numbers.clone().map(move |number| (example(style), squares(side, number)))
            };
            sides.into_iter().flat_map(of).unzip()
        };
        let (examples, pictures) = set(0..12);
        let look = Look::learn(&examples, &pictures);
        let (others, unseen) = set(100..110);
        let others: Vec<&Example> = others.iter().collect();
        assert_eq!(look.share(&others, &unseen), 1.0);
        // Asked for what they are not.
        let wrong = [example("fine")];
        assert_eq!(look.share(&[&wrong[0]], &[squares(8, 200)]), 0.0);
    }
}
