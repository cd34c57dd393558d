//! The values of one tensor, in the type they are stored in as long as nobody asks for another.

use std::convert::Infallible;

use burn::tensor::{DType, FloatDType, TensorData};
use bytemuck::Pod;
use half::prelude::{HalfFloatSliceExt, HalfFloatVecExt};
use half::{bf16, f16};

/// The float types that weights are stored in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Float {
    F16,
    BF16,
    F32,
    F64,
}

impl Float {
    /// Bytes of one value.
    pub(crate) fn size(self) -> usize {
        match self {
            Self::F16 | Self::BF16 => 2,
            Self::F32 => 4,
            Self::F64 => 8,
        }
    }
}

/// Values of one of the types that weights are computed with.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Values {
    F16(Vec<f16>),
    BF16(Vec<bf16>),
    F32(Vec<f32>),
}

/// Runs `$body` on the vector of whatever type, and wraps it again where it is one.
macro_rules! each {
    ($values:expr, $vector:ident => $body:expr) => {
        match $values {
            Values::F16($vector) => $body,
            Values::BF16($vector) => $body,
            Values::F32($vector) => $body,
        }
    };
    ($values:expr, $vector:ident => wrap $body:expr) => {
        match $values {
            Values::F16($vector) => Values::F16($body),
            Values::BF16($vector) => Values::BF16($body),
            Values::F32($vector) => Values::F32($body),
        }
    };
}

impl Values {
    /// `count` values of type `float` whose little-endian bytes `fill` writes; f64 becomes f32, the
    /// widest type that is computed with.
    ///
    /// # Errors
    /// Those of `fill`.
    pub(crate) fn read<E>(
        float: Float,
        count: usize,
        fill: impl FnOnce(&mut [u8]) -> Result<(), E>,
    ) -> Result<Self, E> {
        fn filled<T: Pod, E>(
            count: usize,
            fill: impl FnOnce(&mut [u8]) -> Result<(), E>,
        ) -> Result<Vec<T>, E> {
            let mut values = vec![T::zeroed(); count];
            let bytes = bytemuck::cast_slice_mut(&mut values);
            fill(bytes)?;
            swap_bytes::<T>(bytes);
            Ok(values)
        }
        Ok(match float {
            Float::F16 => Self::F16(filled(count, fill)?),
            Float::BF16 => Self::BF16(filled(count, fill)?),
            Float::F32 => Self::F32(filled(count, fill)?),
            Float::F64 => {
                Self::F32(filled::<f64, E>(count, fill)?.into_iter().map(|v| v as f32).collect())
            }
        })
    }

    /// The values whose little-endian bytes are `bytes`; what is too short for one is left out.
    pub(crate) fn decode(float: Float, bytes: &[u8]) -> Self {
        let count = bytes.len() / float.size();
        let Ok(values) = Self::read(float, count, |out| -> Result<(), Infallible> {
            out.copy_from_slice(&bytes[..count * float.size()]);
            Ok(())
        });
        values
    }

    /// The values of a tensor that was read back from its device.
    pub(crate) fn of(data: TensorData) -> Self {
        match data.dtype() {
            DType::F16 => Self::F16(data.iter::<f16>().collect()),
            DType::BF16 => Self::BF16(data.iter::<bf16>().collect()),
            _ => Self::F32(data.iter::<f32>().collect()),
        }
    }

    /// Little-endian bytes.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        fn bytes<T: Pod>(values: &[T]) -> Vec<u8> {
            let mut bytes = bytemuck::cast_slice(values).to_vec();
            swap_bytes::<T>(&mut bytes);
            bytes
        }
        each!(self, values => bytes(values))
    }

    pub(crate) fn is_finite(&self) -> bool {
        each!(self, values => values.iter().all(|value| value.is_finite()))
    }

    /// `length` values from the `start`th on.
    ///
    /// # Panics
    /// Where there are fewer.
    pub(crate) fn part(&self, start: usize, length: usize) -> Self {
        each!(self, values => wrap values[start..start + length].to_vec())
    }

    /// `[rows, columns]` as `[columns, rows]`.
    pub(crate) fn transposed(&self, rows: usize, columns: usize) -> Self {
        each!(self, values => wrap transpose(values, rows, columns))
    }

    /// The values in the type that a parameter of type `dtype` is made from; unchanged where they
    /// have it.
    pub(crate) fn cast(self, dtype: FloatDType) -> Self {
        match (self, DType::from(dtype)) {
            (Self::F16(values), DType::F16) => Self::F16(values),
            (Self::BF16(values), DType::BF16) => Self::BF16(values),
            (values, DType::F16) => Self::F16(Vec::from_f32_slice(&values.into_f32())),
            (values, DType::BF16) => Self::BF16(Vec::from_f32_slice(&values.into_f32())),
            (values, _) => Self::F32(values.into_f32()),
        }
    }

    pub(crate) fn into_f32(self) -> Vec<f32> {
        match self {
            Self::F16(values) => values.to_f32_vec(),
            Self::BF16(values) => values.to_f32_vec(),
            Self::F32(values) => values,
        }
    }

    pub(crate) fn into_data(self, shape: Vec<usize>) -> TensorData {
        each!(self, values => TensorData::new(values, shape))
    }
}

/// Little-endian values to those of this machine, or back.
fn swap_bytes<T>(bytes: &mut [u8]) {
    if cfg!(target_endian = "big") {
        bytes.chunks_exact_mut(size_of::<T>()).for_each(<[u8]>::reverse);
    }
}

/// `[rows, columns]` to `[columns, rows]`, in tiles so that both sides stay in the cache.
fn transpose<T: Copy + Default>(values: &[T], rows: usize, columns: usize) -> Vec<T> {
    const TILE: usize = 32;
    let mut out = vec![T::default(); values.len()];
    for row0 in (0..rows).step_by(TILE) {
        for column0 in (0..columns).step_by(TILE) {
            for row in row0..(row0 + TILE).min(rows) {
                for column in column0..(column0 + TILE).min(columns) {
                    out[column * rows + row] = values[row * columns + column];
                }
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transpose_odd_sizes_round_trips() {
        let values: Vec<f32> = (0..35 * 67).map(|i| i as f32).collect();
        assert_eq!(transpose(&transpose(&values, 35, 67), 67, 35), values);
        assert_eq!(transpose(&[1., 2., 3., 4., 5., 6.], 2, 3), [1., 4., 2., 5., 3., 6.]);
    }

    #[test]
    fn halves_keep_every_bit_on_their_way_through() {
        // Among them a NaN with a payload, which a detour through f32 would quieten.
        let bytes: Vec<u8> = [0x7c01u16, 0x0001, 0x8000, 0x3c00]
            .iter()
            .flat_map(|bits| bits.to_le_bytes())
            .collect();
        for (float, dtype) in [(Float::F16, FloatDType::F16), (Float::BF16, FloatDType::BF16)] {
            let values = Values::decode(float, &bytes);
            let values = values.transposed(2, 2).transposed(2, 2);
            let data = values.cast(dtype).into_data(vec![2, 2]);
            assert_eq!(Values::of(data).to_bytes(), bytes);
        }
    }

    #[test]
    fn values_beyond_the_range_of_a_half_are_not_finite_after_the_cast() {
        let values = Values::F32(vec![65_504.0, 70_000.0]);
        assert!(values.is_finite() && !values.clone().cast(FloatDType::F16).is_finite());
        assert!(values.cast(FloatDType::BF16).is_finite());
    }
}
