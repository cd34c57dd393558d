//! Squares as open_clip makes them of pictures of odd sizes (`data/make_preprocess.py`).

use metrics::{ClipPreprocess, Resampling, ResizeMode};
use pictures::RgbImage;
use serde_json::Value;

/// The pattern of `make_preprocess.py`.
fn picture(width: usize, height: usize) -> RgbImage {
    let value = |x: usize, y: usize, c: usize| (x * (3 + c) + y * 9 + (x * y * (5 + c)) / 16) % 256;
    let positions = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
    let rgb = positions.flat_map(|(x, y)| [0, 1, 2].map(|c| value(x, y, c) as u8)).collect();
    RgbImage { width, height, rgb }
}

#[test]
fn squares_equal_open_clip() {
    let rows: Vec<Value> =
        serde_json::from_str(include_str!("data/open_clip_preprocess.json")).unwrap();
    for row in rows {
        let [width, height]: [usize; 2] = serde_json::from_value(row["picture"].clone()).unwrap();
        let size = row["size"].as_u64().unwrap() as usize;
        let resize_mode = serde_json::from_value(row["mode"].clone()).unwrap();
        let resampling = Resampling::Pixels;
        let preprocess =
            ClipPreprocess { size, mean: [0.0; 3], std: [1.0; 3], resize_mode, resampling };
        let square = preprocess.apply(&picture(width, height)).unwrap();
        assert_eq!(square.size(), [size; 2]);
        let byte = |i: usize| (square.values[i % 3 * size * size + i / 3] * 255.0).round() as u64;
        let bytes: Vec<u64> = (0..3 * size * size).map(byte).collect();
        let expected: Vec<u64> = serde_json::from_value(row["rgb"].clone()).unwrap();
        let sparse: Vec<u64> = bytes.iter().copied().step_by(5).collect();
        // Pillow 13 shrinks some tall pictures top to bottom first; the rounding in between then
        // differs by one step.
        let step = u64::from(height > 2 * width);
        assert_eq!(sparse.len(), expected.len());
        for (byte, expected) in sparse.iter().zip(&expected) {
            assert!(byte.abs_diff(*expected) <= step, "{width}×{height} {resize_mode:?} {size}");
        }
        let difference = bytes.iter().sum::<u64>().abs_diff(row["sum"].as_u64().unwrap());
        assert!(difference <= step * bytes.len() as u64);
    }
}

#[test]
fn hpsv2_does_not_round_in_between() {
    let floats = ClipPreprocess::hps(16);
    let pixels = ClipPreprocess { resampling: Resampling::Pixels, ..floats };
    assert_eq!(floats.resize_mode, ResizeMode::Longest);
    let picture = picture(37, 23);
    let [floats, pixels] = [floats, pixels].map(|p| p.apply(&picture).unwrap().values);
    let largest = floats.iter().zip(&pixels).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    // An 8-bit step is 0.0039 / 0.26 after normalisation; overshoot is cut off in pixels only.
    assert!(largest > 0.002, "{largest}");
}
