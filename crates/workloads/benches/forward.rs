//! U-Net forward pass and its parts on the CPU, on random weights.
//!
//! Run with `cargo xtask bench forward`.

use std::hint::black_box;

use burn::tensor::Device;
use criterion::{Criterion, criterion_group, criterion_main};
use layers::Transformer2DModelConfig;
use unet_core::{BlockAction, BlockMode, BlockSite, Intervention, UNet2DConditionConfig};
use workloads::{SHIPPED_UNET, normal};

/// As the programs have it.
#[global_allocator]
static ALLOCATOR: allocator::Allocator = allocator::Allocator;

/// Skips every second block.
struct SkipHalf;

impl Intervention for SkipHalf {
    fn attention_block(&self, site: BlockSite, batch: usize) -> BlockAction {
        let mode = if site.index.is_multiple_of(2) { BlockMode::Run } else { BlockMode::Skip };
        BlockAction { mode: Some(vec![mode; batch]), ..BlockAction::default() }
    }
}

fn unet_forward(criterion: &mut Criterion) {
    let device = Device::flex();
    let config = UNet2DConditionConfig::from_json(SHIPPED_UNET, "the shipped model's")
        .expect("the configuration is valid");
    let unet = config.init(&device);
    let mut group = criterion.benchmark_group("unet_forward");
    group.sample_size(10);
    for batch in [1, 8, 32] {
        let (sample, context) =
            (normal([batch, 4, 16, 16], &device), normal([batch, 24, 128], &device));
        let forward = |intervention: Option<&dyn Intervention>| {
            let out = unet.forward(sample.clone(), &[500.0], context.clone(), None, intervention);
            black_box(out.sum().into_scalar::<f32>())
        };
        group.bench_function(format!("shipped/batch {batch}"), |b| b.iter(|| forward(None)));
        group.bench_function(format!("shipped/batch {batch}, half skipped"), |b| {
            b.iter(|| forward(Some(&SkipHalf)));
        });
    }
    group.finish();
}

fn attention_block(criterion: &mut Criterion) {
    let device = Device::flex();
    let mut group = criterion.benchmark_group("attention_block");
    group.sample_size(10);
    // Sizes of SD 2.1's blocks at 512×512 pixels: channels, heads, side.
    for (channels, heads, side) in [(320, 5, 64), (640, 10, 32), (1280, 20, 16)] {
        let block = Transformer2DModelConfig {
            channels,
            heads,
            layers: 1,
            cross_attention_dim: 1024,
            norm_num_groups: 32,
            upcast_attention: false,
        }
        .init(&device);
        let (hidden, context) =
            (normal([1, channels, side, side], &device), normal([1, 77, 1024], &device));
        group.bench_function(format!("{channels} channels, {side}×{side}"), |b| {
            b.iter(|| {
                black_box(block.forward(hidden.clone(), &context).sum().into_scalar::<f32>())
            });
        });
    }
    group.finish();
}

criterion_group!(benches, unet_forward, attention_block);
criterion_main!(benches);
