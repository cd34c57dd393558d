//! CLIP towers, feature extraction, and weights out of PyTorch files.

use std::path::{Path, PathBuf};

use burn::tensor::{Device, FloatDType};
use clip::{OpenClipConfig, OpenClipVision};
use metrics::{
    Checkpoint, ClipFeatures, ClipPreprocess, FeatureNetwork, ResizeMode, extract,
    frechet_from_features, kernel_distance,
};
use pictures::RgbImage;

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

fn tower() -> ClipFeatures {
    let config = OpenClipConfig::from_file(data("clip_config.json")).unwrap();
    let (path, device) = (data("clip_visual_only.pt"), Device::flex());
    let tower = OpenClipVision::from_file(&config, &path, FloatDType::F32, &device).unwrap();
    let preprocess =
        ClipPreprocess { resize_mode: ResizeMode::Shortest, ..ClipPreprocess::hps(224) };
    ClipFeatures::new(tower, config.embed_dim, preprocess, Checkpoint::of(&path).unwrap())
}

fn pictures() -> Vec<RgbImage> {
    ["img1_100x70_RGB.png", "img6_90x61_RGBA.png", "img7_77x120_L.png"]
        .map(|name| RgbImage::open(data(name)).unwrap())
        .to_vec()
}

fn features(network: &dyn FeatureNetwork, batch: usize) -> Vec<f64> {
    let pictures = pictures();
    let open = |index: usize| Ok(pictures[index].clone());
    extract(network, pictures.len(), &open, batch, &mut |_| {}).unwrap().values
}

#[test]
fn picture_tower_out_of_a_pytorch_file_equals_open_clip() {
    let text = std::fs::read_to_string(data("clip_image_features.json")).unwrap();
    let expected: Vec<Vec<f64>> = serde_json::from_str(&text).unwrap();
    let values = features(&tower(), 3);
    for (value, expected) in values.iter().zip(expected.iter().flatten()) {
        assert!((value - expected).abs() < 1e-5, "{value} {expected}");
    }
}

#[test]
fn features_do_not_depend_on_the_batch() {
    let tower = tower();
    assert_eq!(features(&tower, 1), features(&tower, 2));
    assert_eq!(features(&tower, 1), features(&tower, 100));
}

#[test]
fn a_set_is_at_no_distance_from_itself() {
    let tower = tower();
    let pictures = pictures();
    let open = |index: usize| Ok(pictures[index % 3].clone());
    let features = extract(&tower, 6, &open, 4, &mut |_| {}).unwrap();
    assert!(frechet_from_features(&features, &features).unwrap().abs() < 1e-6);
    // The unbiased estimate of a set's distance from itself is below 0 by at most 2/n of the span of
    // the kernel, which for unit vectors is (1 + 1/d)³ - (1 - 1/d)³.
    let kid = kernel_distance(&features, &features, 1, 6, 1).unwrap().mean;
    let inverse = 1.0 / features.dims as f64;
    let span = (1.0 + inverse).powi(3) - (1.0 - inverse).powi(3);
    assert!(kid < 0.0 && kid >= -2.0 / 6.0 * span, "{kid}");
    let one = extract(&tower, 1, &open, 4, &mut |_| {}).unwrap();
    assert!(frechet_from_features(&one, &features).unwrap_err().to_string().contains("at least 2"));
}

#[test]
fn pytorch_files_that_are_broken_or_run_code_are_refused() {
    let config = OpenClipConfig::from_file(data("clip_config.json")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bad.pt");
    let whole = std::fs::read(data("clip_visual_only.pt")).unwrap();
    let mut corrupt = whole.clone();
    corrupt[700..740].fill(0xff);
    let system = b"\x80\x02cposix\nsystem\nX\x09\x00\x00\x00echo pwned\x85R.".to_vec();
    for content in [whole[..whole.len() / 2].to_vec(), whole[..100].to_vec(), corrupt, system] {
        std::fs::write(&path, &content).unwrap();
        let error = OpenClipVision::from_file(&config, &path, FloatDType::F32, &Device::flex());
        let text = error.unwrap_err().to_string();
        assert!(text.contains("bad.pt"), "{text}");
        assert!(!text.contains("safetensors") || text.contains("import"), "{text}");
    }
}
