//! One sample under many policies, against each of them by itself.

use std::path::Path;

use burn::tensor::{Device, FloatDType};
use pipeline::{Control, NoiseKind, NoiseSource, Pipeline, Precision};
use reweight::{BatchPolicy, BlockWeights, FreeU, Policy, StepMatrix};
use scheduler::SchedulerKind;

use crate::support::{self, bits};

#[test]
fn sample_branches_are_the_samples_of_each_policy_alone() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/emoji-sd");
    let pipeline = Pipeline::from_folder(folder, FloatDType::F32, &Device::flex()).unwrap();
    let at = |value: f64, step, block| {
        StepMatrix::from_fn(3, 7, |s, b| if (s, b) == (step, block) { value } else { 1.0 })
    };
    let zero = |value: f64, step, block| {
        StepMatrix::from_fn(3, 7, |s, b| if (s, b) == (step, block) { value } else { 0.0 })
    };
    let lowered = |step, block| Policy::from(BlockWeights::new(at(0.9, step, block)).unwrap());
    let skipped = BlockWeights::vanilla(3, 7).with_thresholds(zero(2.0, 1, 4)).unwrap();
    let policies =
        [lowered(0, 6), lowered(2, 0), skipped.into(), Policy::default(), FreeU::SD21.into()];
    for (scale, scheduler) in [
        (3.0, SchedulerKind::Ddim),
        (1.0, SchedulerKind::Ddim),
        (3.0, SchedulerKind::EulerAncestral),
    ] {
        let mut request = support::request(&pipeline, scale, 3);
        request.scheduler = scheduler;
        request.fresh_noise =
            Some(NoiseSource { kind: NoiseKind::Counter, dtype: Precision::F32, seeds: vec![7] });
        let alone = |policy: BatchPolicy| {
            let latents = pipeline.sample(&request, &policy, &mut |_| Control::Continue);
            bits(latents.unwrap())
        };
        let mut expected = alone(BatchPolicy::vanilla());
        policies.iter().for_each(|policy| expected.extend(alone(policy.into())));
        let doubled = if scale > 1.0 { 2 } else { 1 };
        for unet_batch in [1, 3, 64] {
            let (latents, samples) =
                pipeline.sample_branches(&request, &policies, unet_batch, &mut |_| {}).unwrap();
            assert_eq!(latents.dims()[0], 6);
            assert!(bits(latents) == expected, "guidance {scale}, {scheduler}, {unet_batch}");
            // Vanilla and FreeU 3, lowered 3 and 1, skipped 2, the empty one none.
            assert_eq!(samples, doubled * (3 + 3 + 1 + 2 + 3));
        }
        let two = request.repeated(2);
        let error = pipeline.sample_branches(&two, &policies, 8, &mut |_| {}).unwrap_err();
        assert!(error.to_string().contains("expected one sample, found 2"), "{error}");
        let misfit = [Policy::from(BlockWeights::vanilla(2, 7))];
        assert!(pipeline.sample_branches(&request, &misfit, 8, &mut |_| {}).is_err());
    }
}
