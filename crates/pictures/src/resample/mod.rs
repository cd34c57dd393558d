//! Resizing as Pillow and torch do it: the same windows and weights, in 8-bit fixed point for the
//! one and in floats for the other. Only the part that is wanted is computed, row by row, so that
//! memory is that of the result whatever the shapes.

mod bilinear;
mod frame;
mod stream;
mod window;

use crate::{Planes, RgbImage, SizeError};

pub use bilinear::resize_bilinear;
pub use frame::Frame;
use stream::{Source, resample};
pub use window::Filter;

/// Resizes 8-bit pixels exactly as Pillow's `Image.resize` does, rounding after each direction.
///
/// # Errors
/// [`SizeError`] for a picture without pixels and for a result of more than 512 MiB.
pub fn resize_like_pillow(
    picture: &RgbImage,
    frame: Frame,
    filter: Filter,
) -> Result<RgbImage, SizeError> {
    picture.check()?;
    frame.check(size_of::<u8>())?;
    let [height, width] = frame.part();
    let source = Source { values: &picture.rgb, size: picture.size(), channels: 3 };
    let mut rgb = Vec::with_capacity(3 * height * width);
    resample(source, frame, filter, &mut rgb);
    Ok(RgbImage { width, height, rgb })
}

/// Resizes channels of floats with antialiasing (torch `interpolate(…, antialias=True)`); values
/// may leave the range they had.
///
/// # Errors
/// [`SizeError`] for a picture without pixels and for a result of more than 512 MiB.
pub fn resize_antialiased(
    picture: &Planes,
    frame: Frame,
    filter: Filter,
) -> Result<Planes, SizeError> {
    picture.check()?;
    frame.check(size_of::<f32>())?;
    let [height, width] = frame.part();
    let mut values = Vec::with_capacity(3 * height * width);
    for plane in picture.values.chunks_exact(picture.width * picture.height) {
        let source = Source { values: plane, size: picture.size(), channels: 1 };
        resample(source, frame, filter, &mut values);
    }
    Ok(Planes { width, height, values })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(width: usize, height: usize) -> RgbImage {
        let rgb = (0..3 * width * height).map(|i| (i * i / 7 % 256) as u8).collect();
        RgbImage { width, height, rgb }
    }

    #[test]
    fn constant_pictures_stay_constant() {
        let picture = RgbImage { width: 9, height: 5, rgb: vec![77; 135] };
        let frame = Frame::whole([3, 4]);
        let small = resize_like_pillow(&picture, frame, Filter::Bicubic).unwrap();
        assert!(small.rgb.iter().all(|value| *value == 77) && small.size() == [3, 4]);
        let unit = resize_antialiased(&picture.to_unit(), frame, Filter::Bilinear).unwrap();
        assert!(unit.values.iter().all(|value| (value - 77.0 / 255.0).abs() < 1e-6));
    }

    #[test]
    fn a_size_that_stays_changes_nothing() {
        let picture = pattern(7, 5);
        let frame = Frame::whole([5, 7]);
        for filter in [Filter::Bilinear, Filter::Bicubic] {
            assert_eq!(resize_like_pillow(&picture, frame, filter).unwrap(), picture);
            let unit = picture.to_unit();
            assert_eq!(resize_antialiased(&unit, frame, filter).unwrap(), unit);
        }
    }

    #[test]
    fn a_part_is_what_is_cut_out_of_the_whole() {
        for (width, height) in [(31, 8), (8, 31), (20, 20), (5, 90)] {
            let picture = pattern(width, height);
            let part = Frame::middle(picture.size(), 11).unwrap();
            let whole = Frame::whole(part.size());
            let parts = resize_like_pillow(&picture, part, Filter::Bicubic).unwrap();
            let wholes = resize_like_pillow(&picture, whole, Filter::Bicubic).unwrap();
            let [top, left] = part.origin();
            let rows = wholes.rgb.chunks_exact(3 * wholes.width).skip(top).take(11);
            let cut: Vec<u8> = rows.flat_map(|row| &row[3 * left..][..3 * 11]).copied().collect();
            assert_eq!(parts, RgbImage { width: 11, height: 11, rgb: cut });
        }
    }

    #[test]
    fn thin_pictures_take_little_and_results_too_large_are_refused() {
        // Whole, the resized picture would have 200 × 20,000,000 pixels.
        let thin = RgbImage { width: 1, height: 100_000, rgb: vec![9; 300_000] };
        let frame = Frame::middle(thin.size(), 200).unwrap();
        let square = resize_like_pillow(&thin, frame, Filter::Bicubic).unwrap();
        assert!(square.rgb.iter().all(|value| *value == 9));
        let stretched = Frame::whole([200, 200]);
        let unit = resize_antialiased(&thin.to_unit(), stretched, Filter::Bicubic).unwrap();
        assert_eq!(unit.size(), [200, 200]);
        let small = pattern(2, 3);
        for side in [100_000, usize::MAX / 2, usize::MAX] {
            let message = match Frame::middle(small.size(), side) {
                Ok(frame) => resize_like_pillow(&small, frame, Filter::Bilinear).unwrap_err(),
                Err(error) => error,
            };
            assert!(message.to_string().contains("larger than allowed"), "{message}");
        }
        let empty = RgbImage { width: 0, height: 3, rgb: Vec::new() };
        assert!(resize_like_pillow(&empty, stretched, Filter::Bilinear).is_err());
        assert!(resize_like_pillow(&small, Frame::whole([0, 3]), Filter::Bilinear).is_err());
    }
}
