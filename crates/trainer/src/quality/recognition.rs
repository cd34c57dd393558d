//! Whether a scorer recognises concept and style of sampled pictures among real ones.

use metrics::{ClipScorer, MetricsError};
use pictures::{Dataset, Example, RgbImage};
use serde::Serialize;

/// How often a scorer recognises what was asked for, as shares in [0, 1].
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Recognition {
    /// Pictures sampled.
    pub pictures: usize,
    /// Those nearest to a real picture of their concept, among all concepts in their style.
    pub concept_top1: f64,
    /// Those with a picture of their concept among the five nearest.
    pub concept_top5: f64,
    /// Those whose nearest real picture, among all concepts and styles, has their style.
    pub style: f64,
    /// Those that look most like the training pictures of their style, by simple statistics of their
    /// pixels (colours and their number, differences near and far, shading) and a linear classifier.
    pub style_by_look: f64,
    /// Mean cosine with their prompt.
    pub score: f64,
}

/// Real pictures and their unit vectors.
pub(super) struct Gallery<'a> {
    pub(super) examples: Vec<&'a Example>,
    pub(super) vectors: Vec<Vec<f32>>,
}

impl<'a> Gallery<'a> {
    /// All pictures of `sets`, seen by `scorer`.
    pub(super) fn new(sets: &[&'a Dataset], scorer: &ClipScorer) -> Result<Self, MetricsError> {
        let mut gallery = Self { examples: Vec::new(), vectors: Vec::new() };
        for set in sets {
            for chunk in set.examples.chunks(64) {
                let pictures: Vec<RgbImage> = chunk.iter().map(|e| picture(e, set.size)).collect();
                gallery.vectors.extend(scorer.embed(&pictures)?);
                gallery.examples.extend(chunk);
            }
        }
        Ok(gallery)
    }

    /// The vectors of the pictures that `of` chooses.
    pub(super) fn of(&self, of: impl Fn(&Example) -> bool) -> Vec<Vec<f32>> {
        let pairs = self.examples.iter().zip(&self.vectors);
        pairs.filter(|(example, _)| of(example)).map(|(_, vector)| vector.clone()).collect()
    }

    /// The share of the pictures that `of` chooses whose nearest other picture has their style: what
    /// [`Recognition::style`] is for pictures that copy none.
    pub(super) fn style_of_neighbours(&self, of: impl Fn(&Example) -> bool) -> f64 {
        let chosen: Vec<usize> =
            (0..self.examples.len()).filter(|i| of(self.examples[*i])).collect();
        let alike = chosen.iter().filter(|i| {
            let others = (0..self.examples.len()).filter(|other| other != *i);
            let nearest = others
                .map(|other| (cosine(&self.vectors[**i], &self.vectors[other]), other))
                .max_by(|a, b| a.0.total_cmp(&b.0));
            nearest.is_some_and(|(_, other)| self.examples[other].style == self.examples[**i].style)
        });
        alike.count() as f64 / chosen.len().max(1) as f64
    }

    /// Recognises sampled pictures, given by their unit vectors, their scores and the share that
    /// looks as its style does.
    pub(super) fn recognise(
        &self,
        wanted: &[&Example],
        vectors: &[Vec<f32>],
        scores: &[f64],
        style_by_look: f64,
    ) -> Recognition {
        let mut hits = [0usize; 3];
        for (wanted, vector) in wanted.iter().zip(vectors) {
            let mut ranked: Vec<(f64, &Example)> = self
                .vectors
                .iter()
                .map(|other| cosine(vector, other))
                .zip(self.examples.iter().copied())
                .collect();
            ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
            hits[2] += usize::from(ranked.first().is_some_and(|(_, e)| e.style == wanted.style));
            let place = ranked
                .iter()
                .filter(|(_, example)| example.style == wanted.style)
                .position(|(_, example)| example.caption == wanted.caption);
            hits[0] += usize::from(place.is_some_and(|place| place < 1));
            hits[1] += usize::from(place.is_some_and(|place| place < 5));
        }
        let count = wanted.len().max(1) as f64;
        let [concept_top1, concept_top5, style] = hits.map(|hits| hits as f64 / count);
        let score = scores.iter().sum::<f64>() / count;
        let pictures = wanted.len();
        Recognition { pictures, concept_top1, concept_top5, style, style_by_look, score }
    }
}

/// The picture of an example, which was read from 8-bit pixels.
pub(super) fn picture(example: &Example, side: usize) -> RgbImage {
    let plane = side * side;
    let byte = |value: f32| ((value + 1.0) * 127.5).round() as u8;
    let rgb = (0..3 * plane).map(|i| byte(example.pixels[i % 3 * plane + i / 3])).collect();
    RgbImage { width: side, height: side, rgb }
}

/// The cosine of two unit vectors.
pub(super) fn cosine(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example(caption: &str, style: &str) -> Example {
        Example {
            file_name: String::new(),
            text: String::new(),
            caption: caption.into(),
            style: style.into(),
            pixels: Vec::new(),
        }
    }

    #[test]
    fn recognise_ranks_concepts_within_the_style() {
        let unit = |degrees: f32| vec![degrees.to_radians().cos(), degrees.to_radians().sin()];
        let real: Vec<Example> =
            [("cat", "flat"), ("dog", "flat"), ("cat", "pixel"), ("dog", "pixel")]
                .map(|(caption, style)| example(caption, style))
                .to_vec();
        let gallery = Gallery {
            examples: real.iter().collect(),
            vectors: [0.0, 20.0, 60.0, 80.0].map(unit).to_vec(),
        };
        let wanted = [&real[0], &real[1], &real[2]];
        // The first is right; the second is nearest to a flat cat, the dog comes next; the third
        // is nearer to a flat dog than to any pixel picture, and of those nearest to the cat.
        let recognition =
            gallery.recognise(&wanted, &[unit(1.0), unit(2.0), unit(30.0)], &[0.1, 0.2, 0.6], 0.5);
        assert_eq!(recognition.pictures, 3);
        let third = 1.0 / 3.0;
        assert_eq!((recognition.concept_top1, recognition.concept_top5), (2.0 * third, 1.0));
        assert_eq!(recognition.style, 2.0 * third);
        assert!((recognition.score - 0.3).abs() < 1e-12);
    }

    #[test]
    fn style_of_neighbours_leaves_the_picture_itself_out() {
        let unit = |degrees: f32| vec![degrees.to_radians().cos(), degrees.to_radians().sin()];
        let real = [("cat", "flat"), ("dog", "flat"), ("cat", "pixel")]
            .map(|(caption, style)| example(caption, style));
        let gallery = Gallery {
            examples: real.iter().collect(),
            vectors: [0.0, 10.0, 13.0].map(unit).to_vec(),
        };
        // The cat is nearest to the flat dog, the dog to the pixel cat.
        assert_eq!(gallery.style_of_neighbours(|e| e.style == "flat"), 0.5);
        assert_eq!(gallery.style_of_neighbours(|e| e.style == "pixel"), 0.0);
    }

    #[test]
    fn picture_gives_back_the_pixels_that_were_read() {
        let original = RgbImage { width: 2, height: 2, rgb: (0..12).map(|i| i * 21).collect() };
        let pixels = original.to_signed().values;
        let example = Example { pixels, ..example("cat", "flat") };
        assert_eq!(picture(&example, 2), original);
    }
}
