//! The two passes of a separable filter, row by row: a row of the source is resized once and added
//! to every row of the result whose window it lies in.

use std::collections::VecDeque;

use super::window::Window;
use super::{Filter, Frame};

/// Values row by row, `channels` of them to a pixel.
#[derive(Clone, Copy)]
pub(super) struct Source<'a, T> {
    pub(super) values: &'a [T],
    /// Height and width.
    pub(super) size: [usize; 2],
    pub(super) channels: usize,
}

/// How values are weighted, summed and rounded.
pub(super) trait Sample: Copy {
    type Weight: Copy;
    type Sum: Copy + Default;
    fn weight(weight: f64) -> Self::Weight;
    fn add(sum: Self::Sum, value: Self, weight: Self::Weight) -> Self::Sum;
    fn finish(sum: Self::Sum) -> Self;
}

/// Bits of Pillow's fixed-point weights (`PRECISION_BITS` of its `Resample.c`).
const PRECISION: u32 = 22;

impl Sample for u8 {
    type Weight = i64;
    type Sum = i64;

    fn weight(weight: f64) -> i64 {
        (weight * f64::from(1u32 << PRECISION)).round() as i64
    }

    fn add(sum: i64, value: u8, weight: i64) -> i64 {
        sum + weight * i64::from(value)
    }

    fn finish(sum: i64) -> u8 {
        ((sum + (1 << (PRECISION - 1))) >> PRECISION).clamp(0, 255) as u8
    }
}

impl Sample for f32 {
    type Weight = f32;
    type Sum = f32;

    fn weight(weight: f64) -> f32 {
        weight as f32
    }

    fn add(sum: f32, value: f32, weight: f32) -> f32 {
        sum + value * weight
    }

    fn finish(sum: f32) -> f32 {
        sum
    }
}

/// Appends the frame's part of the resized source to `output`, row by row.
pub(super) fn resample<T: Sample>(
    source: Source<'_, T>,
    frame: Frame,
    filter: Filter,
    output: &mut Vec<T>,
) {
    let Source { values, size: [input_height, input_width], channels } = source;
    let ([height, width], [top, left], [rows, columns]) =
        (frame.size(), frame.origin(), frame.part());
    let window = |x| Window::new(input_width, width, left + x, filter);
    let taps: Vec<(usize, Vec<T::Weight>)> = (0..columns)
        .map(window)
        .map(|window| (window.range.start, window.weights().map(T::weight).collect()))
        .collect();
    let window = |y| Window::new(input_height, height, top + y, filter);
    let mut coming = (0..rows).map(window).peekable();
    let first = coming.peek().map_or(0, |window| window.range.start);
    // The rows of the result that are begun, from the top; windows begin and end in order.
    let mut begun: VecDeque<(Window, Vec<T::Sum>)> = VecDeque::new();
    let mut resized = Vec::with_capacity(columns * channels);
    for (y, row) in values.chunks_exact(input_width * channels).enumerate().skip(first) {
        while let Some(window) = coming.next_if(|window| window.range.start <= y) {
            begun.push_back((window, vec![T::Sum::default(); columns * channels]));
        }
        if begun.is_empty() {
            return;
        }
        narrow(row, channels, &taps, &mut resized);
        for (window, sums) in &mut begun {
            let weight = T::weight(window.weight(y));
            for (sum, value) in sums.iter_mut().zip(&resized) {
                *sum = T::add(*sum, *value, weight);
            }
        }
        while let Some((_, sums)) = begun.pop_front_if(|(window, _)| window.range.end == y + 1) {
            output.extend(sums.into_iter().map(T::finish));
        }
    }
}

/// A row resized to as many columns as there are taps.
fn narrow<T: Sample>(
    row: &[T],
    channels: usize,
    taps: &[(usize, Vec<T::Weight>)],
    resized: &mut Vec<T>,
) {
    resized.clear();
    for (first, weights) in taps {
        for channel in 0..channels {
            let values = row[first * channels + channel..].iter().step_by(channels);
            let sum = values
                .zip(weights)
                .fold(T::Sum::default(), |sum, (value, weight)| T::add(sum, *value, *weight));
            resized.push(T::finish(sum));
        }
    }
}
