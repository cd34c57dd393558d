//! Broken weight files give clear errors, and everything that is wrong at once.

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, FloatDType};
use weights::{KeyMap, LoadOptions, StoredDtype, WeightsError, WeightsFile, load, save};

#[derive(Module, Debug)]
struct Two {
    first: Linear,
    second: Linear,
}

fn two(width: usize) -> Two {
    let device = Device::flex();
    Two {
        first: LinearConfig::new(3, width).init(&device),
        second: LinearConfig::new(width, 2).init(&device),
    }
}

fn options() -> LoadOptions {
    LoadOptions::new(FloatDType::F32)
}

#[test]
fn save_then_load_gives_the_same_parameters() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.safetensors");
    let model = two(4);
    save(&model, &path, StoredDtype::F32).unwrap();
    let loaded = load(two(4), &WeightsFile::open(&path).unwrap(), &options()).unwrap();
    assert_eq!(model.first.weight.val().into_data(), loaded.first.weight.val().into_data());
}

#[test]
fn open_truncated_and_oversized_headers_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.safetensors");
    save(&two(4), &path, StoredDtype::F16).unwrap();
    let whole = std::fs::read(&path).unwrap();
    let mut oversized = whole.clone();
    oversized[..8].copy_from_slice(&u64::MAX.to_le_bytes());
    for bytes in [&whole[..0], &whole[..7], &whole[..40], &whole[..whole.len() - 1], &oversized] {
        std::fs::write(&path, bytes).unwrap();
        let error = WeightsFile::open(&path).unwrap_err();
        let named = matches!(error, WeightsError::Format { .. } | WeightsError::Kind { .. });
        assert!(named, "{error}");
        assert!(error.to_string().contains("weights.safetensors"), "{error}");
    }
    assert!(matches!(
        WeightsFile::open(folder.path().join("absent.safetensors")),
        Err(WeightsError::File(error)) if error.is_not_found()
    ));
}

#[test]
fn load_everything_that_does_not_fit_is_listed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.safetensors");
    save(&two(4), &path, StoredDtype::F32).unwrap();
    let file = WeightsFile::open(&path).unwrap();
    // Another width: three shapes differ.
    let Err(WeightsError::Mismatch { mismatch, .. }) = load(two(5), &file, &options()) else {
        panic!("a wrong shape was loaded")
    };
    assert_eq!(mismatch.wrong_shape.len(), 3);
    assert!(mismatch.missing.is_empty() && mismatch.unexpected.is_empty());
    // Another name: missing here, unexpected there.
    let renamed = options().with_names(KeyMap::new().rename("second.bias", "second.biass"));
    let Err(error) = load(two(4), &file, &renamed) else { panic!("a missing key was loaded") };
    let text = error.to_string();
    assert!(text.contains("missing tensors (1):\n    `second.bias`"), "{text}");
    assert!(text.contains("unexpected tensors (1):\n    `second.biass`"), "{text}");
}

#[test]
fn load_nan_weights_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.safetensors");
    save(&two(4), &path, StoredDtype::F32).unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    let last = bytes.len() - 4;
    bytes[last..].copy_from_slice(&f32::NAN.to_le_bytes());
    std::fs::write(&path, bytes).unwrap();
    let Err(error) = load(two(4), &WeightsFile::open(&path).unwrap(), &options()) else {
        panic!("NaN was loaded")
    };
    assert!(error.to_string().contains("(1):\n    `second.weight`"), "{error}");
}
