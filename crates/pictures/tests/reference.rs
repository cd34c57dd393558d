//! Pixels as Pillow and torch have them (`data/make_reference.py`).

use std::path::{Path, PathBuf};

use pictures::{Filter, Frame, RgbImage, resize_antialiased, resize_like_pillow};
use serde_json::Value;

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data")
}

fn reference() -> Value {
    let text = std::fs::read_to_string(data().join("reference.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    serde_json::from_value(value.clone()).unwrap()
}

fn largest_difference(a: impl IntoIterator<Item = f64>, b: &[f64]) -> f64 {
    let a: Vec<f64> = a.into_iter().collect();
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

/// The pattern of `make_reference.py`.
fn pattern(seed: usize, width: usize, height: usize) -> RgbImage {
    let value = |x: usize, y: usize, c: usize| {
        (x * (3 + c) + y * (5 + seed) + (x * y * (seed + c + 1)) / 16) % 256
    };
    let positions = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
    let rgb = positions.flat_map(|(x, y)| [0, 1, 2].map(|c| value(x, y, c) as u8)).collect();
    RgbImage { width, height, rgb }
}

#[test]
fn pictures_are_read_as_pillow_reads_them() {
    for (name, facts) in reference()["pictures"].as_object().unwrap() {
        let picture = RgbImage::open(data().join(name)).unwrap();
        let pixels = picture.rgb.iter().map(|value| f64::from(*value));
        let difference = largest_difference(pixels, &numbers(&facts["rgb"]));
        // libjpeg's inverse transform may differ from another in its last bit, which the change of
        // colour space multiplies by up to 1.8.
        let tolerance = if name.ends_with(".jpg") { 3.0 } else { 0.0 };
        assert!(difference <= tolerance, "{name}: {difference}");
        let bytes = std::fs::read(data().join(name)).unwrap();
        assert_eq!(RgbImage::decode(&bytes).unwrap(), picture);
    }
}

#[test]
fn resizing_equals_pillow_and_torch() {
    let source = pattern(4, 37, 23);
    for case in reference()["resize"].as_array().unwrap() {
        let filter = if case["filter"] == "bicubic" { Filter::Bicubic } else { Filter::Bilinear };
        let size = numbers(&case["size"]);
        let frame = Frame::whole([size[1] as usize, size[0] as usize]);
        let pillow = resize_like_pillow(&source, frame, filter).unwrap();
        let pixels = pillow.rgb.iter().step_by(5).map(|value| f64::from(*value));
        let difference = largest_difference(pixels, &numbers(&case["pillow"]));
        assert_eq!(difference, 0.0, "{size:?} {filter:?}");
        let torch = resize_antialiased(&source.to_unit(), frame, filter).unwrap();
        let values = torch.values.iter().step_by(5).map(|value| f64::from(*value));
        let difference = largest_difference(values, &numbers(&case["torch"]));
        assert!(difference < 1e-5, "{size:?} {filter:?} {difference}");
    }
}
