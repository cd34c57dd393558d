//! Resizing without antialiasing.

use super::Frame;
use crate::{Planes, SizeError};

/// Resizes channels of floats to `size` (height, width) without antialiasing, corners not aligned
/// (torch `interpolate(mode="bilinear", align_corners=False)`).
///
/// # Errors
/// [`SizeError`] for a picture without pixels and for a result of more than 512 MiB.
pub fn resize_bilinear(picture: &Planes, size: [usize; 2]) -> Result<Planes, SizeError> {
    picture.check()?;
    Frame::whole(size).check(size_of::<f32>())?;
    let [height, width] = size;
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
    Ok(Planes { width, height, values })
}

/// For each output position its two neighbours and how much of the second is taken.
fn taps(input: usize, output: usize) -> Vec<(usize, usize, f32)> {
    let scale = input as f32 / output as f32;
    let tap = |i: usize| {
        let at = ((i as f32 + 0.5) * scale - 0.5).max(0.0);
        let first = (at as usize).min(input - 1);
        (first, (first + 1).min(input - 1), at - first as f32)
    };
    (0..output).map(tap).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn between_two_pixels_lie_a_quarter_and_three() {
        let planes = Planes { width: 2, height: 1, values: vec![0.0, 1.0, 4.0, 8.0, 2.0, 2.0] };
        let wide = resize_bilinear(&planes, [1, 4]).unwrap();
        assert_eq!(wide.values[..8], [0.0, 0.25, 0.75, 1.0, 4.0, 5.0, 7.0, 8.0]);
        assert_eq!(wide.values[8..], [2.0; 4]);
        assert!(resize_bilinear(&planes, [0, 4]).is_err());
        assert!(resize_bilinear(&planes, [usize::MAX, 4]).is_err());
    }
}
