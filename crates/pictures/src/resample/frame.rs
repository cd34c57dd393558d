//! How large the resized picture is, and which part of it is wanted.

use crate::SizeError;

/// Most bytes of a resized picture: as many as a decoded one may have.
const MOST: usize = 512 << 20;

/// What of a resized picture is computed: the size that the whole has, and the part that is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame {
    size: [usize; 2],
    origin: [usize; 2],
    part: [usize; 2],
}

impl Frame {
    /// All of a picture of `size` (height, width).
    pub fn whole(size: [usize; 2]) -> Self {
        Self { size, origin: [0, 0], part: size }
    }

    /// The middle square of a picture of `size` (height, width) whose shorter side becomes `side`
    /// (torchvision `Resize(side)` and `CenterCrop(side)`): the longer side is rounded down, half
    /// pixels beside the square are rounded to even, as Python does.
    ///
    /// # Errors
    /// [`SizeError`] for a picture without pixels and for a side that cannot be.
    pub fn middle(size: [usize; 2], side: usize) -> Result<Self, SizeError> {
        let [height, width] = size;
        if height == 0 || width == 0 || side == 0 {
            return Err(SizeError::Empty { width: width.min(side), height: height.min(side) });
        }
        let (short, long) = (height.min(width), height.max(width));
        let longer = (side as f64 * long as f64 / short as f64) as usize;
        // Above this a float no longer counts pixel by pixel.
        if longer >= 1 << f64::MANTISSA_DIGITS {
            return Err(SizeError::TooLarge { width: side, height: longer, limit: MOST });
        }
        let size = if height <= width { [side, longer] } else { [longer, side] };
        Ok(Self { size, origin: crop_origin(size, side), part: [side; 2] })
    }

    /// Height and width of the whole.
    pub fn size(&self) -> [usize; 2] {
        self.size
    }

    /// Where the part begins: row and column.
    pub fn origin(&self) -> [usize; 2] {
        self.origin
    }

    /// Height and width of the part.
    pub fn part(&self) -> [usize; 2] {
        self.part
    }

    /// Checks that the part has pixels, and no more than are allowed.
    pub(super) fn check(&self, bytes_per_value: usize) -> Result<(), SizeError> {
        let [height, width] = self.part;
        if height == 0 || width == 0 {
            return Err(SizeError::Empty { width, height });
        }
        match height.saturating_mul(width).saturating_mul(3 * bytes_per_value) {
            bytes if bytes <= MOST => Ok(()),
            _ => Err(SizeError::TooLarge { width, height, limit: MOST }),
        }
    }
}

/// Where a centred square begins; halves are rounded to even, as Python does.
fn crop_origin(size: [usize; 2], side: usize) -> [usize; 2] {
    size.map(|length| (length.saturating_sub(side) as f64 / 2.0).round_ties_even() as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_is_where_torchvision_has_it() {
        // int(10 * 7 / 3) = 23; round(6.5) = 6.
        let frame = Frame::middle([3, 7], 10).unwrap();
        assert_eq!((frame.size(), frame.origin(), frame.part()), ([10, 23], [0, 6], [10, 10]));
        assert_eq!(Frame::middle([7, 3], 10).unwrap().size(), [23, 10]);
        assert!(Frame::middle([0, 3], 10).is_err() && Frame::middle([3, 3], 0).is_err());
    }
}
