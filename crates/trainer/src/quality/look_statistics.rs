//! Simple statistics of a picture's pixels: what styles differ in.

use std::collections::HashMap;

use pictures::RgbImage;

/// Spacings of the pixels that are compared.
const SPACINGS: [usize; 6] = [1, 2, 3, 4, 6, 8];
/// Differences above which two pixels are counted as different.
const DIFFERENT: [f64; 3] = [0.02, 0.05, 0.2];
/// Slopes that are told apart: differences to the right and below, summed.
const SLOPES: [f64; 8] = [0.004, 0.008, 0.016, 0.03, 0.06, 0.12, 0.25, 0.5];
/// Second differences that are told apart.
const BENDS: [f64; 7] = [0.004, 0.008, 0.016, 0.03, 0.06, 0.12, 0.25];
/// Least slope and greatest bend of what is shaded smoothly.
const SHADED: [[f64; 2]; 5] =
    [[0.01, 0.01], [0.02, 0.01], [0.02, 0.02], [0.04, 0.02], [0.04, 0.04]];
/// Least channel of a pixel that counts as background.
const BACKGROUND: f64 = 0.95;
/// Levels of each channel in which a picture's colours are counted, coarse to fine.
const PALETTES: [usize; 3] = [8, 16, 32];
/// Shares of the pixels that the most frequent colours have to make up.
const MADE_UP: [f64; 3] = [0.7, 0.9, 0.97];
/// Levels of each channel between which a pixel's colour is divided.
const LEVELS: usize = 7;

/// Values from 0 to 1 of a picture's channels, row by row.
struct Pixels {
    width: usize,
    values: Vec<[f64; 3]>,
}

impl Pixels {
    /// Mean distance of two pixels' channels.
    fn difference(&self, a: usize, b: usize) -> f64 {
        let channels = self.values[a].iter().zip(&self.values[b]);
        channels.map(|(a, b)| (a - b).abs()).sum::<f64>() / 3.0
    }

    /// How far a pixel is from the middle of its neighbours `step` before and behind it, times 2.
    fn bend(&self, at: usize, step: usize) -> f64 {
        let [before, here, behind] = [at - step, at, at + step].map(|i| self.values[i]);
        (0..3).map(|c| (before[c] - 2.0 * here[c] + behind[c]).abs()).sum::<f64>() / 3.0
    }
}

/// How much pixels differ from those some way off, how steep and how bent their neighbourhoods are;
/// brightness, saturation, mean of the channels; how many colours there are, how much of each.
pub(super) fn statistics(picture: &RgbImage) -> Vec<f64> {
    let channels = |value: &[u8]| [0, 1, 2].map(|i| f64::from(value[i]) / 255.0);
    let pixels = Pixels {
        width: picture.width,
        values: picture.rgb.chunks_exact(3).map(channels).collect(),
    };
    let mut found = differences(&pixels);
    found.extend(shading(&pixels));
    found.extend(brightness(&pixels));
    for levels in PALETTES {
        found.extend(palette(&pixels, levels));
    }
    found.extend(colours(&pixels));
    found
}

/// For each spacing, of a pixel and those to the right and below: mean difference, shares of
/// different ones, mean square.
fn differences(pixels: &Pixels) -> Vec<f64> {
    let (width, count) = (pixels.width, pixels.values.len());
    let mut found = Vec::new();
    for spacing in SPACINGS {
        let mut differences = Vec::new();
        for i in 0..count {
            if i % width + spacing < width {
                differences.push(pixels.difference(i, i + spacing));
            }
            if i + spacing * width < count {
                differences.push(pixels.difference(i, i + spacing * width));
            }
        }
        found.push(mean(differences.iter().copied()));
        found.extend(DIFFERENT.map(|least| share(&differences, |d| d > least)));
        found.push(mean(differences.iter().map(|difference| difference * difference)));
    }
    found
}

/// Shares of the pixels inside that are steeper than each slope, bent more than each bend, and
/// steep without being bent.
fn shading(pixels: &Pixels) -> Vec<f64> {
    let (width, count) = (pixels.width, pixels.values.len());
    let inside = (width..count.saturating_sub(width))
        .filter(|i| (1..width.saturating_sub(1)).contains(&(i % width)));
    let places: Vec<[f64; 3]> = inside
        .map(|i| {
            let slope = pixels.difference(i, i + 1) + pixels.difference(i, i + width);
            [slope, pixels.bend(i, 1), pixels.bend(i, width)]
        })
        .collect();
    let slopes: Vec<f64> = places.iter().map(|place| place[0]).collect();
    let bends: Vec<f64> = places.iter().flat_map(|place| [place[1], place[2]]).collect();
    let mut found: Vec<f64> = SLOPES.map(|least| share(&slopes, |slope| slope > least)).to_vec();
    found.extend(BENDS.map(|least| share(&bends, |bend| bend > least)));
    found.extend(SHADED.map(|[steeper, flatter]| {
        share(&places, |[slope, across, down]| slope > steeper && across + down < flatter)
    }));
    found
}

/// Mean and deviation of brightness and saturation, shares of dark, bright and coloured pixels, mean
/// of each channel.
fn brightness(pixels: &Pixels) -> Vec<f64> {
    let values = &pixels.values;
    let bright: Vec<f64> = values.iter().map(|pixel| pixel.iter().sum::<f64>() / 3.0).collect();
    let least: Vec<f64> =
        values.iter().map(|pixel| pixel.iter().copied().fold(1.0, f64::min)).collect();
    let most = values.iter().map(|pixel| pixel.iter().copied().fold(0.0, f64::max));
    let saturation: Vec<f64> = most.zip(&least).map(|(most, least)| most - least).collect();
    let mut found = Vec::new();
    for values in [&bright, &saturation] {
        let middle = mean(values.iter().copied());
        found.push(middle);
        found.push(mean(values.iter().map(|value| (value - middle).powi(2))).sqrt());
    }
    found.extend([
        share(&bright, |b| b < 0.15),
        share(&bright, |b| b < 0.3),
        share(&bright, |b| b > 0.97),
        share(&least, |least| least < BACKGROUND),
    ]);
    found.extend([0, 1, 2].map(|i| mean(values.iter().map(|pixel| pixel[i]))));
    found
}

/// Logarithms of the number of colours, of so many levels a channel, and of one more than the
/// number of those that make up less than each share of the pixels.
fn palette(pixels: &Pixels, levels: usize) -> Vec<f64> {
    let level = |value: f64| ((value * levels as f64) as usize).min(levels - 1);
    let mut counts: HashMap<[usize; 3], usize> = HashMap::new();
    for pixel in &pixels.values {
        *counts.entry(pixel.map(level)).or_default() += 1;
    }
    let mut counts: Vec<usize> = counts.into_values().collect();
    counts.sort_unstable_by(|a, b| b.cmp(a));
    let mut found = vec![(counts.len().max(1) as f64).ln()];
    found.extend(MADE_UP.map(|wanted| {
        let wanted = wanted * pixels.values.len() as f64;
        let sums = counts.iter().scan(0, |sum, count| {
            *sum += count;
            Some(*sum)
        });
        (1.0 + sums.take_while(|sum| (*sum as f64) < wanted).count() as f64).ln()
    }));
    found
}

/// Square roots of the shares of each colour, a pixel being divided between the colours around its
/// own by how near it is to them.
fn colours(pixels: &Pixels) -> Vec<f64> {
    let mut amounts = vec![0.0; LEVELS.pow(3)];
    for pixel in &pixels.values {
        let places = pixel.map(|value| {
            let place = value * (LEVELS - 1) as f64;
            let below = (place as usize).min(LEVELS - 2);
            [(below, 1.0 - (place - below as f64)), (below + 1, place - below as f64)]
        });
        for (red, r) in places[0] {
            for (green, g) in places[1] {
                for (blue, b) in places[2] {
                    amounts[(red * LEVELS + green) * LEVELS + blue] += r * g * b;
                }
            }
        }
    }
    let count = pixels.values.len().max(1) as f64;
    amounts.iter().map(|amount| (amount / count).sqrt()).collect()
}

/// The share of the values of which something is true.
fn share<T: Copy>(values: &[T], is: impl Fn(T) -> bool) -> f64 {
    mean(values.iter().map(|value| f64::from(u8::from(is(*value)))))
}

/// The mean, 0 of no values.
pub(super) fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let count = values.len().max(1) as f64;
    values.sum::<f64>() / count
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Grey values, each as a pixel, `width` to a row.
    fn grey(width: usize, values: &[f64]) -> Pixels {
        Pixels { width, values: values.iter().map(|value| [*value; 3]).collect() }
    }

    #[test]
    fn shading_tells_a_slope_from_an_edge() {
        // Rows rise evenly by 0.1; in the other picture the same rise is one edge.
        let even: Vec<f64> = (0..16).map(|i| (i % 4) as f64 * 0.1).collect();
        let edge: Vec<f64> = (0..16).map(|i| f64::from(u8::from(i % 4 > 1)) * 0.3).collect();
        let [even, edge] = [even, edge].map(|values| shading(&grey(4, &values)));
        assert_eq!(even[..8], [1.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0]);
        assert_eq!(even[8..], [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0]);
        // Of the two columns inside the first is steep, and both bend across.
        assert_eq!(edge[..8], [0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.0]);
        assert_eq!(edge[8..], [0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.0, 0.0, 0.0, 0.0, 0.0]);
    }

    #[test]
    fn palette_counts_the_colours_that_make_up_a_picture() {
        // Eight of ten pixels have one colour, the ninth and tenth others.
        let values = [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.5, 1.0];
        let ln = |value: f64| value.ln();
        assert_eq!(palette(&grey(5, &values), 8), [ln(3.0), ln(1.0), ln(2.0), ln(3.0)]);
        // Coarse levels tell only two colours apart: eight pixels and two.
        assert_eq!(palette(&grey(5, &values), 2), [ln(2.0), ln(1.0), ln(2.0), ln(2.0)]);
    }

    #[test]
    fn colours_divide_a_pixel_between_its_neighbours() {
        // A quarter of the way from the first level to the second, in the red channel alone.
        let red = Pixels { width: 1, values: vec![[0.25 / 6.0, 0.0, 0.0]] };
        let found = colours(&red);
        assert!((found[0] - 0.75_f64.sqrt()).abs() < 1e-12);
        assert!((found[LEVELS * LEVELS] - 0.5).abs() < 1e-12);
        assert!((found.iter().map(|amount| amount * amount).sum::<f64>() - 1.0).abs() < 1e-12);
        let white = colours(&grey(1, &[1.0]));
        assert_eq!(white.last(), Some(&1.0));
    }
}
