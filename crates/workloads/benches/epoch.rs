//! One epoch of a probe of the shipped model.
//!
//! Run with `cargo xtask bench epoch`.

use criterion::{Criterion, criterion_group, criterion_main};
use probe::{CounterDraws, ProbeConfig, ProbeState, UNetEvaluator, search};
use workloads::{probe_request, shipped_pipeline};

/// As the programs have it.
#[global_allocator]
static ALLOCATOR: allocator::Allocator = allocator::Allocator;

fn probe_epoch(criterion: &mut Criterion) {
    let pipeline = shipped_pipeline().expect("the model ships");
    let request = probe_request(&pipeline, 4).expect("one prompt");
    // 15 rounds of 4 candidates at 4 guided steps: 480 U-Net samples.
    let config = ProbeConfig { epochs: 1, ..ProbeConfig::paper() };
    let mut group = criterion.benchmark_group("probe_epoch");
    group.sample_size(10);
    for unet_batch in [8, 32, 120] {
        let mut evaluator =
            UNetEvaluator::new(&pipeline, std::slice::from_ref(&request), unet_batch)
                .expect("a valid request");
        group.bench_function(format!("480 samples, U-Net batch {unet_batch}"), |b| {
            b.iter(|| {
                let mut draws = CounterDraws::new(42);
                let mut state =
                    ProbeState::new(&config, 4, 7, &mut draws).expect("a valid configuration");
                search(&mut state, &mut evaluator, &mut draws, &mut |_| {}, &mut |_| Ok(()))
                    .expect("the search runs");
                state
            });
        });
    }
    group.finish();
}

criterion_group!(benches, probe_epoch);
criterion_main!(benches);
