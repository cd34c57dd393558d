//! The translated network gives what onnxruntime gives (`model/make_tiny.py`).

use burn::tensor::Device;
use metrics::{extract, frechet_from_features};
use onnx_backbone::OnnxBackbone;
use pictures::RgbImage;

fn pictures() -> Vec<RgbImage> {
    let bytes: Vec<u8> = (0..2 * 3 * 16 * 16usize).map(|i| (i * 37 % 256) as u8).collect();
    bytes
        .chunks(3 * 16 * 16)
        .map(|rgb| RgbImage { width: 16, height: 16, rgb: rgb.into() })
        .collect()
}

#[test]
fn features_equal_onnxruntime() {
    let network = OnnxBackbone::new([16, 16], [0.5; 3], [0.5; 3], &Device::flex());
    let pictures = pictures();
    let open = |index: usize| Ok(pictures[index].clone());
    let features = extract(&network, 2, &open, 2, &mut |_| {}).unwrap();
    let expected: Vec<Vec<f64>> = serde_json::from_str(include_str!("../model/tiny.json")).unwrap();
    assert_eq!(features.dims, 8);
    for (value, expected) in features.values.iter().zip(expected.iter().flatten()) {
        assert!((value - expected).abs() < 1e-5, "{value} {expected}");
    }
    assert!(frechet_from_features(&features, &features).unwrap().abs() < 1e-6);
}
