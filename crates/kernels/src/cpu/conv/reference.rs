//! What the tests of convolutions compare with.

use super::ConvShape;

/// Values in [-1, 1), the same for the same seed.
pub(super) fn values(count: usize, seed: u64) -> Vec<f32> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

/// The convolution in f64.
pub(super) fn reference(x: &[f32], w: &[f32], b: &[f32], shape: ConvShape) -> Vec<f64> {
    let ([channels, height, width], [outputs, _, out_width]) = (shape.input, shape.output);
    let [taps_y, taps_x] = shape.kernel;
    let value = |index: usize| {
        let (place, position) = (index / shape.positions(), index % shape.positions());
        let (sample, output) = (place / outputs, place % outputs);
        let (top, left) = (position / out_width, position % out_width);
        let mut sum = f64::from(b[output]);
        for weight in 0..shape.depth() {
            let (channel, tap) = (weight / (taps_y * taps_x), weight % (taps_y * taps_x));
            let row = (top * shape.stride + tap / taps_x).wrapping_sub(shape.padding[0]);
            let column = (left * shape.stride + tap % taps_x).wrapping_sub(shape.padding[1]);
            if row < height && column < width {
                let at = ((sample * channels + channel) * height + row) * width + column;
                sum += f64::from(x[at]) * f64::from(w[output * shape.depth() + weight]);
            }
        }
        sum
    };
    (0..shape.batch * shape.output_len()).map(value).collect()
}
