//! One epoch of a probe of the shipped model.
//!
//! Run with `cargo bench --profile dev --workspace --bench epoch`: the development profile is optimised.

use std::path::Path;

use burn::tensor::{Device, FloatDType};
use criterion::{Criterion, criterion_group, criterion_main};
use pipeline::{Guidance, Pipeline, SampleRequest, initial_noise};
use probe::{CounterDraws, ProbeConfig, ProbeState, UNetEvaluator, search};
use scheduler::SchedulerKind;

fn probe_epoch(criterion: &mut Criterion) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/emoji-sd");
    let device = Device::flex();
    let pipeline =
        Pipeline::from_folder(folder, FloatDType::F32, &device).expect("the model ships");
    let prompts = pipeline.encode_prompts(&["a cartoon of a dragon".into()]).expect("one prompt");
    let negative = pipeline.encode_negative(None, &prompts).expect("one prompt");
    let request = SampleRequest {
        prompts,
        guidance: Some(Guidance { scale: 3.0, negative }),
        noise: initial_noise(&[42], [4, 16, 16], &device),
        fresh_noise: None,
        scheduler: SchedulerKind::Ddim,
        scheduler_config: pipeline.scheduler_config().clone(),
        steps: 4,
        sizes: None,
    };
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
