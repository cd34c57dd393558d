//! Single layers as Stable Diffusion has them, forward, and the shipped model's, backward as well.
//!
//! Run with `cargo xtask bench kernels`.

use std::hint::black_box;

use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{GroupNormConfig, LinearConfig, PaddingConfig2d};
use burn::tensor::{Device, Tensor};
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use workloads::normal;

/// As the programs have it.
#[global_allocator]
static ALLOCATOR: allocator::Allocator = allocator::Allocator;

fn wait<const D: usize>(result: Tensor<D>) {
    black_box(result.into_data());
}

fn conv([input, output]: [usize; 2], kernel: usize, device: &Device) -> Conv2d {
    let pad = kernel / 2;
    Conv2dConfig::new([input, output], [kernel, kernel])
        .with_padding(PaddingConfig2d::Explicit(pad, pad, pad, pad))
        .init(device)
}

fn group<'a>(criterion: &'a mut Criterion, name: &str) -> BenchmarkGroup<'a, WallTime> {
    let mut group = criterion.benchmark_group(name);
    group.sample_size(10);
    group
}

/// Convolutions; throughput is in multiply-accumulates of the direct form.
fn convolutions(criterion: &mut Criterion) {
    let device = Device::flex();
    let mut group = group(criterion, "conv2d");
    for (batch, input, output, kernel, side) in [
        (1, 320, 320, 3, 64),
        (1, 640, 640, 3, 32),
        (1, 1280, 1280, 3, 16),
        (1, 1280, 1280, 3, 8),
        (1, 512, 512, 3, 128),
        (1, 128, 128, 3, 512),
        (1, 512, 256, 1, 256),
        (1, 128, 3, 3, 512),
        // Of the shipped U-Net.
        (32, 32, 32, 3, 16),
        (32, 64, 64, 3, 8),
        (32, 128, 128, 3, 4),
        (32, 256, 128, 3, 2),
    ] {
        let layer = conv([input, output], kernel, &device);
        let x = normal([batch, input, side, side], &device);
        group.throughput(Throughput::Elements(
            (batch * input * output * kernel * kernel * side * side) as u64,
        ));
        group.bench_function(
            format!("{batch} samples, {input} to {output}, {kernel}×{kernel}, {side}×{side}"),
            |b| {
                b.iter(|| wait(kernels::conv2d(&layer, x.clone())));
            },
        );
    }
    group.finish();
}

fn linear_layers(criterion: &mut Criterion) {
    let device = Device::flex();
    let mut group = group(criterion, "linear");
    for (rows, input, output) in [(77, 1024, 4096), (77, 4096, 1024), (4096, 320, 2560)] {
        let layer = LinearConfig::new(input, output).init(&device);
        let x = normal::<3>([1, rows, input], &device);
        group.throughput(Throughput::Elements((rows * input * output) as u64));
        group.bench_function(format!("{rows} rows, {input} to {output}"), |b| {
            b.iter(|| wait(kernels::linear(&layer, x.clone())));
        });
    }
    group.finish();
}

fn attention(criterion: &mut Criterion) {
    let device = Device::flex();
    let mut group = group(criterion, "attention");
    for (batch, tokens, context, heads, channels) in [
        (1, 4096, 4096, 5, 320),
        (1, 4096, 77, 5, 320),
        (1, 1024, 1024, 10, 640),
        (32, 256, 256, 1, 32),
        (1, 4096, 4096, 1, 512),
    ] {
        let query = normal([batch, tokens, channels], &device);
        let key = normal([batch, context, channels], &device);
        let name =
            format!("{batch} × {tokens} on {context}, {heads} heads of {}", channels / heads);
        group.bench_function(name, |b| {
            b.iter(|| {
                let (query, key) = (query.clone(), key.clone());
                wait(kernels::attention(query, key.clone(), key, heads, false));
            });
        });
    }
    group.finish();
}

fn norms_and_activations(criterion: &mut Criterion) {
    let device = Device::flex();
    let mut group = group(criterion, "elements");
    let norm = GroupNormConfig::new(32, 320).init(&device);
    let x = normal::<4>([1, 320, 64, 64], &device);
    group.throughput(Throughput::Elements(320 * 64 * 64));
    group.bench_function("GroupNorm and SiLU, 320 channels, 64×64", |b| {
        b.iter(|| wait(kernels::group_norm_silu(&norm, x.clone())));
    });
    let x = normal::<3>([1, 4096, 2560], &device);
    group.throughput(Throughput::Elements(4096 * 1280));
    group.bench_function("GEGLU, 4096 rows of 1280", |b| {
        b.iter(|| wait(kernels::geglu(x.clone())));
    });
    let layer = LinearConfig::new(320, 2560).init(&device);
    let x = normal::<3>([1, 4096, 320], &device);
    group.bench_function("linear layer and GEGLU, 4096 rows of 320 to 1280", |b| {
        b.iter(|| wait(kernels::linear_geglu(&layer, x.clone())));
    });
    group.bench_function("the same in two steps", |b| {
        b.iter(|| wait(kernels::geglu(kernels::linear(&layer, x.clone()))));
    });
    group.finish();
}

/// Forward and backward, 32 samples as in the shipped model's training.
fn gradients(criterion: &mut Criterion) {
    let device = Device::flex().autodiff();
    let mut group = group(criterion, "forward and backward, 32 samples");
    let layer = conv([128, 128], 3, &device);
    let x = normal::<4>([32, 128, 8, 8], &device).require_grad();
    group.bench_function("conv2d, 128 channels, 8×8", |b| {
        b.iter(|| black_box(kernels::conv2d(&layer, x.clone()).sum().backward()));
    });
    let layer = LinearConfig::new(32, 256).init(&device);
    let x = normal::<3>([32, 256, 32], &device).require_grad();
    group.bench_function("linear, 256 rows, 32 to 256", |b| {
        b.iter(|| black_box(kernels::linear(&layer, x.clone()).sum().backward()));
    });
    let norm = GroupNormConfig::new(16, 32).init(&device);
    let x = normal::<4>([32, 32, 16, 16], &device).require_grad();
    group.bench_function("GroupNorm and SiLU, 32 channels, 16×16", |b| {
        b.iter(|| black_box(kernels::group_norm_silu(&norm, x.clone()).sum().backward()));
    });
    let x = normal::<3>([32, 256, 32], &device).require_grad();
    group.bench_function("attention, 256 positions, one head of 32", |b| {
        b.iter(|| {
            let y = kernels::attention(x.clone(), x.clone(), x.clone(), 1, false);
            black_box(y.sum().backward())
        });
    });
    group.finish();
}

criterion_group!(benches, convolutions, linear_layers, attention, norms_and_activations, gradients);
criterion_main!(benches);
