//! Pictures per second of every network of the metrics, random weights, f32.
//!
//! Run with `cargo xtask bench networks`.

use std::hint::black_box;

use burn::tensor::{DType, Device, Tensor};
use clip::OpenClipConfig;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use metrics::{FeatureNetwork, Inception, InceptionTap, Lpips, LpipsNetwork};
use pictures::RgbImage;

/// As the programs have it.
#[global_allocator]
static ALLOCATOR: allocator::Allocator = allocator::Allocator;

const BATCH: usize = 4;

fn networks(criterion: &mut Criterion) {
    let device = Device::flex();
    let mut group = criterion.benchmark_group("pictures");
    group.sample_size(10).throughput(Throughput::Elements(BATCH as u64));
    let noise = |side: usize| {
        let shape = [BATCH, 3, side, side];
        Tensor::<4>::random(shape, burn::tensor::Distribution::Default, (&device, DType::F32))
    };
    let run = |output: Tensor<2>| black_box(output.into_data());

    let inception = Inception::init(InceptionTap::D2048, &device);
    let pixels = noise(299);
    group.bench_function("inception", |b| b.iter(|| run(inception.forward(pixels.clone()))));

    let small = OpenClipConfig {
        embed_dim: 128,
        vision_cfg: clip::OpenClipVisionConfig {
            image_size: 64,
            layers: 4,
            width: 128,
            head_width: 32,
            patch_size: 8,
            mlp_ratio: 4.0,
        },
        ..OpenClipConfig::vit_h_14()
    };
    for (name, config) in [("shipped scorer", small), ("vit_h_14", OpenClipConfig::vit_h_14())] {
        let tower = config.init_vision(&device);
        let pixels = noise(config.vision_cfg.image_size);
        group.bench_function(name, |b| b.iter(|| run(tower.forward(pixels.clone()))));
    }

    let pattern = |offset: usize| RgbImage {
        width: 256,
        height: 256,
        rgb: (0..3 * 256 * 256).map(|i| ((i * 37 + offset) % 251) as u8).collect(),
    };
    let (left, right): (Vec<_>, Vec<_>) = (0..BATCH).map(|i| (pattern(i), pattern(i + 9))).unzip();
    for network in [LpipsNetwork::Alex, LpipsNetwork::Vgg, LpipsNetwork::Squeeze] {
        let lpips = Lpips::init(network, &device);
        let name = format!("lpips {} 256x256 pairs", network.name());
        group.bench_function(name, |b| b.iter(|| black_box(lpips.distances(&left, &right))));
    }
    group.finish();
}

criterion_group!(benches, networks);
criterion_main!(benches);
