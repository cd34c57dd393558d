//! The two forms of a picture: 8-bit pixels row by row, and channels of floats.

use crate::SizeError;

/// An RGB picture with 8 bits per channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RgbImage {
    /// Width in pixels.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
    /// `3 · width · height` bytes, row by row.
    pub rgb: Vec<u8>,
}

/// Channels of floats, one after the other.
#[derive(Debug, Clone, PartialEq)]
pub struct Planes {
    /// Width in pixels.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
    /// `3 · height · width` values, channel by channel.
    pub values: Vec<f32>,
}

impl RgbImage {
    /// Height and width in pixels.
    pub fn size(&self) -> [usize; 2] {
        [self.height, self.width]
    }

    /// Checks that there are as many bytes as the size says, and at least one pixel.
    ///
    /// # Errors
    /// [`SizeError`] with both numbers.
    pub fn check(&self) -> Result<(), SizeError> {
        check(self.width, self.height, self.rgb.len())
    }

    /// Its channels, each value divided by 255 (torchvision `ToTensor`): in [0, 1].
    pub fn to_unit(&self) -> Planes {
        self.channels(|value| f32::from(value) / 255.0)
    }

    /// Its channels, each value divided by 127.5 and reduced by 1 (diffusers' training scripts):
    /// in [-1, 1].
    pub fn to_signed(&self) -> Planes {
        self.channels(|value| f32::from(value) / 127.5 - 1.0)
    }

    fn channels(&self, convert: impl Fn(u8) -> f32) -> Planes {
        let count = self.width * self.height;
        let mut values = vec![0.0; 3 * count];
        for (i, pixel) in self.rgb.chunks_exact(3).enumerate() {
            for (channel, value) in pixel.iter().enumerate() {
                values[channel * count + i] = convert(*value);
            }
        }
        Planes { width: self.width, height: self.height, values }
    }
}

impl Planes {
    /// Height and width in pixels.
    pub fn size(&self) -> [usize; 2] {
        [self.height, self.width]
    }

    /// Checks that there are as many values as the size says, and at least one pixel.
    ///
    /// # Errors
    /// [`SizeError`] with both numbers.
    pub fn check(&self) -> Result<(), SizeError> {
        check(self.width, self.height, self.values.len())
    }

    /// Every value multiplied by `factor` of its channel, then increased by its `shift`.
    pub fn affine(mut self, factor: [f32; 3], shift: [f32; 3]) -> Self {
        let count = self.width * self.height;
        for (channel, values) in self.values.chunks_exact_mut(count.max(1)).enumerate() {
            values.iter_mut().for_each(|value| *value = *value * factor[channel] + shift[channel]);
        }
        self
    }

    /// `(value − mean) / deviation` for each channel (torchvision `Normalize`).
    pub fn normalize(mut self, mean: [f32; 3], deviation: [f32; 3]) -> Self {
        let count = self.width * self.height;
        for (channel, values) in self.values.chunks_exact_mut(count.max(1)).enumerate() {
            let (mean, deviation) = (mean[channel], deviation[channel]);
            values.iter_mut().for_each(|value| *value = (*value - mean) / deviation);
        }
        self
    }
}

fn check(width: usize, height: usize, found: usize) -> Result<(), SizeError> {
    if width == 0 || height == 0 {
        return Err(SizeError::Empty { width, height });
    }
    let expected = width.saturating_mul(height).saturating_mul(3);
    match found == expected {
        true => Ok(()),
        false => Err(SizeError::Values { width, height, expected, found }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_are_in_order_and_in_range() {
        let picture = RgbImage { width: 2, height: 1, rgb: vec![0, 255, 51, 255, 0, 102] };
        assert_eq!(picture.to_unit().values, [0.0, 1.0, 1.0, 0.0, 0.2, 0.4]);
        assert_eq!(picture.to_signed().values[..4], [-1.0, 1.0, 1.0, -1.0]);
    }

    #[test]
    fn bytes_that_do_not_fit_the_size_are_counted() {
        let short = RgbImage { width: 2, height: 2, rgb: vec![0; 11] };
        let message = short.check().unwrap_err().to_string();
        assert!(message.contains("12") && message.contains("11"), "{message}");
        let empty = RgbImage { width: 2, height: 0, rgb: Vec::new() };
        assert_eq!(empty.check(), Err(SizeError::Empty { width: 2, height: 0 }));
    }
}
