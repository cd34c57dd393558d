//! Whether seeds matter: how far pictures of one prompt lie apart, beside real pictures.

use serde::Serialize;

use super::recognition::cosine;

/// How far pictures of one vague prompt lie apart, as distances 1 − cosine of a scorer's vectors.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Diversity {
    /// The prompt.
    pub prompt: String,
    /// Mean distance between pictures of different seeds.
    pub between_seeds: f64,
    /// Mean distance between different real pictures that the prompt could mean.
    pub between_real: f64,
    /// The first divided by the second.
    pub ratio: f64,
}

impl Diversity {
    /// Compares the vectors of sampled and of real pictures, at least two of each.
    pub(super) fn new(prompt: String, sampled: &[Vec<f32>], real: &[Vec<f32>]) -> Self {
        let (between_seeds, between_real) = (mean_distance(sampled), mean_distance(real));
        Self { prompt, between_seeds, between_real, ratio: between_seeds / between_real }
    }
}

/// Mean of 1 − cosine over all pairs.
fn mean_distance(vectors: &[Vec<f32>]) -> f64 {
    let (mut sum, mut pairs) = (0.0, 0.0);
    for (i, a) in vectors.iter().enumerate() {
        for b in &vectors[..i] {
            sum += 1.0 - cosine(a, b);
            pairs += 1.0;
        }
    }
    sum / pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratio_is_that_of_the_mean_distances() {
        let [x, y, z] = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]].map(|v| v.to_vec());
        // Pairs of the seeds: the same twice over, two at right angles: 0, 1, 1.
        let seeds = [x.clone(), x.clone(), y.clone()];
        let diversity = Diversity::new("a bird".into(), &seeds, &[x, y, z]);
        assert!((diversity.between_seeds - 2.0 / 3.0).abs() < 1e-12);
        assert_eq!((diversity.between_real, diversity.prompt.as_str()), (1.0, "a bird"));
        assert!((diversity.ratio - 2.0 / 3.0).abs() < 1e-12);
    }
}
