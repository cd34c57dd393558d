//! Resizing as Pillow and torch do it with antialiasing: the same windows and weights, in 8-bit
//! fixed point for the one and in floats for the other.

use super::{Planes, RgbImage};

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

/// For each output position the first input position and the weights from there on.
type Windows = Vec<(usize, Vec<f64>)>;

fn windows(input: usize, output: usize, filter: Filter) -> Windows {
    let scale = input as f64 / output as f64;
    let stretch = scale.max(1.0);
    let support = filter.radius() * stretch;
    (0..output)
        .map(|i| {
            let center = (i as f64 + 0.5) * scale;
            let first = (center - support + 0.5).max(0.0) as usize;
            let end = ((center + support + 0.5) as usize).min(input);
            let weight = |x: usize| filter.at((x as f64 - center + 0.5) / stretch);
            let weights: Vec<f64> = (first..end).map(weight).collect();
            let sum: f64 = weights.iter().sum();
            (first, weights.into_iter().map(|weight| weight / sum).collect())
        })
        .collect()
}

/// Resizes channels of floats with antialiasing (torch `interpolate(…, antialias=True)`); values
/// may leave the range they had.
pub fn resize_antialiased(picture: &Planes, size: [usize; 2], filter: Filter) -> Planes {
    let [height, width] = size;
    if [picture.height, picture.width] == size {
        return picture.clone();
    }
    let (columns, rows) =
        (windows(picture.width, width, filter), windows(picture.height, height, filter));
    let mut values = Vec::with_capacity(3 * height * width);
    for plane in picture.values.chunks_exact(picture.width * picture.height) {
        let mut narrow = vec![0.0; picture.height * width];
        for (row, out) in plane.chunks_exact(picture.width).zip(narrow.chunks_exact_mut(width)) {
            for (out, (first, weights)) in out.iter_mut().zip(&columns) {
                *out = row[*first..].iter().zip(weights).map(|(v, w)| v * *w as f32).sum();
            }
        }
        for (first, weights) in &rows {
            values.extend((0..width).map(|x| -> f32 {
                let column = weights.iter().enumerate();
                column.map(|(i, w)| narrow[(first + i) * width + x] * *w as f32).sum()
            }));
        }
    }
    Planes { width, height, values }
}

/// Bits of Pillow's fixed-point weights.
const PRECISION: u32 = 22;

/// Resizes 8-bit pixels exactly as Pillow's `Image.resize` does, rounding after each direction.
pub fn resize_like_pillow(picture: &RgbImage, size: [usize; 2], filter: Filter) -> RgbImage {
    let [height, width] = size;
    let fixed = |windows: Windows| -> Vec<(usize, Vec<i64>)> {
        let fix = |weight: f64| (weight * f64::from(1u32 << PRECISION)).round() as i64;
        windows.into_iter().map(|(first, w)| (first, w.into_iter().map(fix).collect())).collect()
    };
    let clip = |sum: i64| ((sum + (1 << (PRECISION - 1))) >> PRECISION).clamp(0, 255) as u8;
    let mut rgb = picture.rgb.clone();
    if picture.width != width {
        let columns = fixed(windows(picture.width, width, filter));
        let at = |y: usize, x: usize, c: usize| i64::from(rgb[(y * picture.width + x) * 3 + c]);
        let mut narrow = Vec::with_capacity(3 * width * picture.height);
        for y in 0..picture.height {
            for (first, weights) in &columns {
                for c in 0..3 {
                    let taps = weights.iter().enumerate();
                    narrow.push(clip(taps.map(|(i, w)| w * at(y, first + i, c)).sum()));
                }
            }
        }
        rgb = narrow;
    }
    if picture.height != height {
        let rows = fixed(windows(picture.height, height, filter));
        let mut low = Vec::with_capacity(3 * width * height);
        for (first, weights) in &rows {
            for i in 0..3 * width {
                let taps = weights.iter().enumerate();
                let sum = taps.map(|(k, w)| w * i64::from(rgb[(first + k) * 3 * width + i])).sum();
                low.push(clip(sum));
            }
        }
        rgb = low;
    }
    RgbImage { width, height, rgb }
}

/// Resizes channels of floats without antialiasing, corners not aligned
/// (torch `interpolate(mode="bilinear", align_corners=False)`).
pub(crate) fn resize_bilinear(picture: &Planes, size: [usize; 2]) -> Planes {
    let [height, width] = size;
    let taps = |input: usize, output: usize| -> Vec<(usize, usize, f32)> {
        let scale = input as f32 / output as f32;
        let tap = |i: usize| {
            let at = ((i as f32 + 0.5) * scale - 0.5).max(0.0);
            let first = (at as usize).min(input - 1);
            (first, (first + 1).min(input - 1), at - first as f32)
        };
        (0..output).map(tap).collect()
    };
    let (columns, rows) = (taps(picture.width, width), taps(picture.height, height));
    let mut values = Vec::with_capacity(3 * height * width);
    for plane in picture.values.chunks_exact(picture.width * picture.height) {
        for (top, bottom, down) in &rows {
            let (upper, lower) = (&plane[top * picture.width..], &plane[bottom * picture.width..]);
            values.extend(columns.iter().map(|(left, right, along)| {
                let mix = |row: &[f32]| row[*left] * (1.0 - along) + row[*right] * along;
                mix(upper) * (1.0 - down) + mix(lower) * down
            }));
        }
    }
    Planes { width, height, values }
}

/// The middle `side`×`side` of a picture at least that large (torchvision `CenterCrop`).
pub fn center_crop(picture: &RgbImage, side: usize) -> RgbImage {
    let [top, left] = crop_origin([picture.height, picture.width], side);
    let mut rgb = Vec::with_capacity(3 * side * side);
    for y in top..top + side {
        rgb.extend_from_slice(&picture.rgb[(y * picture.width + left) * 3..][..3 * side]);
    }
    RgbImage { width: side, height: side, rgb }
}

/// Where a centred square begins; halves are rounded to even, as Python does.
pub(crate) fn crop_origin(size: [usize; 2], side: usize) -> [usize; 2] {
    size.map(|length| (length.saturating_sub(side) as f64 / 2.0).round_ties_even() as usize)
}

/// Height and width scaled so that the shorter is `side`, the longer rounded down
/// (torchvision `Resize` with one number).
pub(crate) fn shortest_to([height, width]: [usize; 2], side: usize) -> [usize; 2] {
    let longer = |long: usize, short: usize| (side as f64 * long as f64 / short as f64) as usize;
    if height <= width { [side, longer(width, height)] } else { [longer(height, width), side] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_have_unit_sums_and_stay_inside() {
        for filter in [Filter::Bilinear, Filter::Bicubic] {
            for (input, output) in [(7, 3), (3, 7), (64, 64), (301, 224), (1, 5)] {
                for (first, weights) in windows(input, output, filter) {
                    assert!(first + weights.len() <= input && !weights.is_empty());
                    assert!((weights.iter().sum::<f64>() - 1.0).abs() < 1e-12);
                }
            }
        }
    }

    #[test]
    fn constant_pictures_stay_constant() {
        let picture = RgbImage { width: 9, height: 5, rgb: vec![77; 135] };
        let small = resize_like_pillow(&picture, [3, 4], Filter::Bicubic);
        assert_eq!(small.rgb, vec![77; 36]);
        let planes = resize_bilinear(&picture.to_unit(), [11, 13]);
        assert!(planes.values.iter().all(|v| (v - 77.0 / 255.0).abs() < 1e-6));
    }

    #[test]
    fn sizes_follow_python() {
        assert_eq!(shortest_to([70, 100], 224), [224, 320]);
        assert_eq!(shortest_to([57, 33], 224), [386, 224]);
        assert_eq!(crop_origin([229, 224], 224), [2, 0]);
        assert_eq!(crop_origin([227, 224], 224), [2, 0]);
    }
}
