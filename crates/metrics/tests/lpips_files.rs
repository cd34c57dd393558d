//! LPIPS from files as they are published, and which file is named when something is absent.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use burn::tensor::{Device, FloatDType};
use metrics::{Lpips, LpipsNetwork, MetricsError};
use pictures::RgbImage;
use safetensors::{Dtype, serialize, tensor::TensorView};

/// Name and shape of a tensor.
type Entry = (String, Vec<usize>);

/// torchvision's SqueezeNet 1.1 without its classifier.
fn backbone() -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut conv = |name: String, shape: [usize; 4]| {
        entries.push((format!("{name}.weight"), shape.to_vec()));
        entries.push((format!("{name}.bias"), vec![shape[0]]));
    };
    conv("features.0".into(), [64, 3, 3, 3]);
    let mut input = 64;
    for (at, narrow) in [(3, 16), (4, 16), (6, 32), (7, 32), (9, 48), (10, 48), (11, 64), (12, 64)]
    {
        conv(format!("features.{at}.squeeze"), [narrow, input, 1, 1]);
        conv(format!("features.{at}.expand1x1"), [4 * narrow, narrow, 1, 1]);
        conv(format!("features.{at}.expand3x3"), [4 * narrow, narrow, 3, 3]);
        input = 8 * narrow;
    }
    entries
}

fn linear_layers() -> Vec<Entry> {
    let channels = [64, 128, 256, 384, 384, 512, 512];
    let layer = |(i, channels)| (format!("lin{i}.model.1.weight"), vec![1, channels, 1, 1]);
    channels.into_iter().enumerate().map(layer).collect()
}

/// Values that tell tensors apart by their place in the list.
fn write(path: &Path, entries: &[Entry]) {
    let bytes: Vec<Vec<u8>> = entries
        .iter()
        .enumerate()
        .map(|(place, (_, shape))| {
            let count = shape.iter().product::<usize>();
            let value = |i: usize| ((i * 31 + place * 7) % 23) as f32 / 230.0;
            (0..count).flat_map(|i| value(i).to_le_bytes()).collect()
        })
        .collect();
    let views: BTreeMap<&str, TensorView<'_>> = entries
        .iter()
        .zip(&bytes)
        .map(|((name, shape), bytes)| {
            (name.as_str(), TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap())
        })
        .collect();
    std::fs::write(path, serialize(views, None).unwrap()).unwrap();
}

fn load(files: &[&PathBuf]) -> Result<Lpips, MetricsError> {
    let files: Vec<PathBuf> = files.iter().map(|path| (*path).clone()).collect();
    Lpips::from_files(LpipsNetwork::Squeeze, &files, FloatDType::F32, &Device::flex())
}

#[test]
fn published_files_are_accepted_in_any_order_and_the_faulty_one_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, entries: &[Entry]| {
        let path = folder.path().join(name);
        write(&path, entries);
        path
    };
    let trunk = backbone();
    let cut: Vec<Entry> =
        trunk.iter().map(|(name, shape)| (name.replace("features.", ""), shape.clone())).collect();
    let whole = file("torchvision.safetensors", &trunk);
    let alone = file("features_alone.safetensors", &cut);
    let linear = file("squeeze.safetensors", &linear_layers());
    let pictures = [3, 5].map(|step| {
        [RgbImage {
            width: 40,
            height: 40,
            rgb: (0..4800).map(|i| (i * step % 251) as u8).collect(),
        }]
    });
    let distance = |files: &[&PathBuf]| {
        load(files).unwrap().distances(&pictures[0], &pictures[1]).unwrap().total[0]
    };
    let expected = distance(&[&whole, &linear]);
    assert!(expected > 0.0);
    assert_eq!(distance(&[&alone, &linear]), expected);
    assert_eq!(distance(&[&linear, &alone]), expected);

    let short = file("short.safetensors", &cut[..cut.len() - 1]);
    let few = file("few.safetensors", &linear_layers()[..6]);
    let other = file("resnet.safetensors", &[("layer1.0.conv1.weight".into(), vec![1])]);
    let flat = file("flat.safetensors", &[("lin0.model.1.weight".into(), vec![64])]);
    for (files, named, what) in [
        (vec![&short, &linear], vec!["short"], "features.12.expand3x3.bias"),
        (vec![&linear, &short], vec!["short"], "features.12.expand3x3.bias"),
        (vec![&whole, &few], vec!["few"], "lin6.model.1.weight"),
        (vec![&few, &whole], vec!["few"], "lin6.model.1.weight"),
        (vec![&whole, &flat], vec!["flat"], "lin0.model.1.weight"),
        (vec![&other, &linear], vec!["resnet"], "layer1.0.conv1.weight"),
        (vec![&whole], vec!["torchvision"], "lin0.model.1.weight"),
        (vec![&linear], vec!["squeeze"], "features.0.weight"),
        (vec![&whole, &alone], vec!["torchvision", "features_alone"], "lin0.model.1.weight"),
    ] {
        let message = load(&files).unwrap_err().to_string();
        assert!(message.contains(what), "{message}");
        for name in ["short", "few", "resnet", "flat", "torchvision", "features_alone", "squeeze"] {
            let file = format!("{name}.safetensors");
            assert_eq!(message.contains(&file), named.contains(&name), "{message}");
        }
    }
}
