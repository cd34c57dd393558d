//! Values of lpips and scipy (`data/make_reference.py`).

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use metrics::{Lpips, LpipsNetwork, wilcoxon};
use pictures::RgbImage;
use serde_json::Value;
use weights::{StoredTensor, Tensors};

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
fn picture(seed: usize, width: usize, height: usize) -> RgbImage {
    let value = |x: usize, y: usize, c: usize| {
        (x * (3 + c) + y * (5 + seed) + (x * y * (seed + c + 1)) / 16) % 256
    };
    let positions = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
    let rgb = positions.flat_map(|(x, y)| [0, 1, 2].map(|c| value(x, y, c) as u8)).collect();
    RgbImage { width, height, rgb }
}

/// The generator of `make_reference.py`.
fn draw(name: &str, shape: &[usize]) -> StoredTensor<'static> {
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    let fan_in: usize = shape.iter().skip(1).product();
    let values = (1..=shape.iter().product::<usize>() as u64).map(|i| {
        let mut x = (hash ^ 0x0bad_5eed).wrapping_add(i.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^= x >> 31;
        let u = 2.0 * ((x >> 40) as f64 / (1u64 << 24) as f64) - 1.0;
        (match shape.len() {
            _ if name.starts_with("lin") => 0.5 * (u + 1.0),
            0 | 1 => 0.1 * u,
            _ => u * (6.0 / fan_in as f64).sqrt(),
        }) as f32
    });
    StoredTensor::Owned { shape: shape.to_vec(), values: values.collect() }
}

/// Names and shapes of a trunk's convolutions, and the channels of its taps.
type Layout = (Vec<(String, Vec<usize>)>, Vec<usize>);

fn layout(network: LpipsNetwork) -> Layout {
    let plain = |layers: &[(usize, usize, usize, usize)]| {
        let name = |at: &usize| format!("features.{at}");
        layers.iter().map(|(at, out, input, k)| (name(at), vec![*out, *input, *k, *k])).collect()
    };
    match network {
        LpipsNetwork::Alex => {
            let layers = [
                (0, 64, 3, 11),
                (3, 192, 64, 5),
                (6, 384, 192, 3),
                (8, 256, 384, 3),
                (10, 256, 256, 3),
            ];
            (plain(&layers), vec![64, 192, 384, 256, 256])
        }
        LpipsNetwork::Vgg => {
            let positions = [0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28];
            let widths = [64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512];
            let mut input = 3;
            let mut layers = Vec::new();
            for (at, out) in positions.into_iter().zip(widths) {
                layers.push((at, out, input, 3));
                input = out;
            }
            (plain(&layers), vec![64, 128, 256, 512, 512])
        }
        LpipsNetwork::Squeeze => {
            let mut layers = plain(&[(0, 64, 3, 3)]);
            let mut input = 64;
            for (at, squeeze, expand) in [
                (3, 16, 64),
                (4, 16, 64),
                (6, 32, 128),
                (7, 32, 128),
                (9, 48, 192),
                (10, 48, 192),
                (11, 64, 256),
                (12, 64, 256),
            ] {
                layers.push((format!("features.{at}.squeeze"), vec![squeeze, input, 1, 1]));
                layers.push((format!("features.{at}.expand1x1"), vec![expand, squeeze, 1, 1]));
                layers.push((format!("features.{at}.expand3x3"), vec![expand, squeeze, 3, 3]));
                input = 2 * expand;
            }
            (layers, vec![64, 128, 256, 384, 384, 512, 512])
        }
    }
}

fn lpips(network: LpipsNetwork) -> Lpips {
    let (convs, taps) = layout(network);
    let mut tensors = Tensors::new();
    for (name, shape) in convs {
        let (weight, bias) = (format!("{name}.weight"), format!("{name}.bias"));
        tensors.insert(weight.clone(), draw(&weight, &shape));
        tensors.insert(bias.clone(), draw(&bias, &shape[..1]));
    }
    for (i, channels) in taps.into_iter().enumerate() {
        let name = format!("lin{i}.model.1.weight");
        tensors.insert(name.clone(), draw(&name, &[1, channels, 1, 1]));
    }
    Lpips::from_tensors(network, tensors, Path::new("generated"), &Device::flex()).unwrap()
}

#[test]
fn lpips_equals_the_original_for_every_network() {
    let reference = reference();
    for network in [LpipsNetwork::Alex, LpipsNetwork::Vgg, LpipsNetwork::Squeeze] {
        let lpips = lpips(network);
        for row in reference[network.name()].as_array().unwrap() {
            let size = numbers(&row["size"]);
            let (width, height) = (size[0] as usize, size[1] as usize);
            let [a, b] = [1, 2].map(|seed| [picture(seed, width, height)]);
            let distances = lpips.distances(&a, &b).unwrap();
            let total = row["total"].as_f64().unwrap();
            assert!(
                (distances.total[0] - total).abs() < 1e-5,
                "{network:?} {} {total}",
                distances.total[0]
            );
            let layers = largest_difference(distances.layers.concat(), &numbers(&row["layers"]));
            assert!(layers < 1e-5, "{network:?} {layers}");
            let map = &lpips.maps(&a, &b).unwrap()[0];
            assert_eq!(map.len(), width * height);
            let first_row = map[..width].iter().step_by(7).map(|value| f64::from(*value));
            let map = largest_difference(first_row, &numbers(&row["map_first_row"]));
            assert!(map < 1e-4, "{network:?} {map}");
        }
    }
}

#[test]
fn lpips_is_a_distance_whatever_the_batch() {
    let lpips = lpips(LpipsNetwork::Squeeze);
    let pictures: Vec<RgbImage> = (1..=4).map(|seed| picture(seed, 40, 36)).collect();
    let reversed: Vec<RgbImage> = pictures.iter().rev().cloned().collect();
    let together = lpips.distances(&pictures, &reversed).unwrap().total;
    for (i, (a, b)) in pictures.iter().zip(&reversed).enumerate() {
        let (a, b) = ([a.clone()], [b.clone()]);
        assert_eq!(lpips.distances(&a, &b).unwrap().total[0], together[i]);
        assert_eq!(lpips.distances(&b, &a).unwrap().total[0], together[i]);
        assert_eq!(lpips.distances(&a, &a).unwrap().total[0], 0.0);
        assert!(together[i] > 0.0);
    }
    let small = [picture(1, 8, 8)];
    assert!(lpips.distances(&small, &small).unwrap_err().to_string().contains("8×8"));
    assert!(lpips.distances(&pictures[..1], &small).is_err());
    assert!(lpips.distances(&pictures, &small).is_err());
}

#[test]
fn wilcoxon_agrees_with_scipy() {
    for case in reference()["wilcoxon"].as_array().unwrap() {
        let test = wilcoxon(&numbers(&case["values"])).unwrap();
        assert_eq!(test.statistic, case["statistic"].as_f64().unwrap());
        let p = case["p"].as_f64().unwrap();
        assert!((test.p_value - p).abs() < 1e-9, "{} {p}", test.p_value);
    }
}
