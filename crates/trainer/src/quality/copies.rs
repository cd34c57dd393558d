//! How much is copied: the distance of sampled pictures to the nearest training picture.

use pictures::{Dataset, RgbImage};
use rayon::prelude::*;
use serde::Serialize;

use super::nearest::squared_distance;

/// Distances to the nearest training picture: root mean squared differences of pixels in [0, 1].
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Copies {
    /// Median of the sampled pictures.
    pub sampled: f64,
    /// Median of real pictures that are no training pictures.
    pub real: f64,
    /// Share of the sampled pictures that lie nearer to a training picture than all but one in
    /// twenty of the real ones: 0.05 where nothing is copied.
    pub copied: f64,
}

impl Copies {
    /// Compares sampled pictures, and real ones that are not in `train`, with those of `train`;
    /// `None` where either is empty.
    pub(super) fn new(sampled: &[RgbImage], real: &[&Dataset], train: &Dataset) -> Option<Self> {
        let distances = |pictures: Vec<Vec<f32>>| -> Vec<f64> {
            let nearest = |pixels: &Vec<f32>| {
                let distances = train.examples.iter().map(|e| squared_distance(pixels, &e.pixels));
                // Values span 2.
                (distances.fold(f64::INFINITY, f64::min) / pixels.len() as f64).sqrt() / 2.0
            };
            let mut distances: Vec<f64> = pictures.par_iter().map(nearest).collect();
            distances.sort_by(f64::total_cmp);
            distances
        };
        let sampled = distances(sampled.iter().map(|p| p.to_signed().values).collect());
        let examples = real.iter().flat_map(|set| &set.examples);
        let real = distances(examples.map(|e| e.pixels.clone()).collect());
        let (near, middle) = (real.get(real.len() / 20)?, real.get(real.len() / 2)?);
        let copied = sampled.iter().filter(|distance| *distance < near).count();
        Some(Self {
            sampled: *sampled.get(sampled.len() / 2)?,
            real: *middle,
            copied: copied as f64 / sampled.len() as f64,
        })
    }
}

#[cfg(test)]
mod tests {
    use pictures::Example;

    use super::super::recognition::picture;
    use super::*;

    #[test]
    fn copied_counts_what_lies_nearer_than_real_pictures_do() {
        let set = |values: &[f32]| {
            let example = |value: &f32| Example {
                file_name: String::new(),
                text: String::new(),
                caption: String::new(),
                style: String::new(),
                pixels: vec![*value; 3],
            };
            Dataset { examples: values.iter().map(example).collect(), size: 1 }
        };
        let train = set(&[-1.0, 1.0]);
        let real = set(&[-0.6, 0.0, 0.6]);
        let sampled: Vec<RgbImage> =
            set(&[-1.0, 0.0, 0.9, 1.0]).examples.iter().map(|e| picture(e, 1)).collect();
        let copies = Copies::new(&sampled, &[&real], &train).unwrap();
        // All but the one in the middle are nearer than 0.2, the nearest of the real ones.
        assert_eq!(copies.copied, 0.75);
        assert!((copies.real - 0.2).abs() < 1e-6, "{copies:?}");
        assert!((copies.sampled - 0.05).abs() < 0.01, "{copies:?}");
        assert_eq!(Copies::new(&[], &[&real], &train), None);
    }
}
