//! What reuse is measured to do, against runs that do it.

use std::path::Path;

use burn::tensor::{Device, FloatDType};
use pipeline::{Control, Guidance, Pipeline, SampleRequest, initial_noise};
use pruning::{ReuseLosses, SkipCosts, SkipPlan, SkipSets};
use reweight::{BlockWeights, Policy, StepMatrix};
use scheduler::SchedulerKind;
use unet_core::BlockMode;

const STEPS: usize = 3;

fn load() -> Pipeline {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/emoji-sd");
    Pipeline::from_folder(folder, FloatDType::F32, &Device::flex()).unwrap()
}

fn request(pipeline: &Pipeline, scale: f64) -> SampleRequest {
    let prompts = pipeline.encode_prompts(&["a cartoon of a dragon".into()]).unwrap();
    let negative = pipeline.encode_negative(None, &prompts).unwrap();
    SampleRequest {
        prompts,
        guidance: Some(Guidance { scale, negative }),
        noise: initial_noise(&[3], [4, 16, 16], pipeline.device()),
        fresh_noise: None,
        scheduler: SchedulerKind::Ddim,
        scheduler_config: pipeline.scheduler_config().clone(),
        steps: STEPS,
        sizes: None,
    }
}

/// The raw predictions of each step.
fn raw(pipeline: &Pipeline, request: &SampleRequest, policy: &Policy) -> Vec<Vec<f32>> {
    let mut raw = Vec::new();
    let mut see = |step: &pipeline::TrajectoryStep| {
        raw.push(step.prediction.raw.clone().into_data().iter::<f32>().collect());
        Control::Continue
    };
    pipeline.sample(request, &policy.into(), &mut see).unwrap();
    raw
}

#[test]
fn measure_gives_the_losses_of_runs_in_which_a_block_reuses_once() {
    let pipeline = load();
    for scale in [3.0, 0.0] {
        let request = request(&pipeline, scale);
        let losses = ReuseLosses::measure(&pipeline, &request, 32).unwrap();
        assert_eq!(losses, ReuseLosses::measure(&pipeline, &request, 1).unwrap());
        assert_eq!((losses.steps(), losses.blocks(), losses.loss(0, 0, 1)), (STEPS, 7, None));
        let vanilla = raw(&pipeline, &request, &Policy::default());
        for (step, block) in [(1, 0), (2, 6)] {
            let modes =
                StepMatrix::from_fn(STEPS, 7, |at, other| match (at, other) == (step, block) {
                    true => BlockMode::Reuse,
                    false => BlockMode::Run,
                });
            let policy = BlockWeights::vanilla(STEPS, 7).with_modes(modes).unwrap().into();
            let reused = &raw(&pipeline, &request, &policy)[step];
            let pairs = reused.iter().zip(&vanilla[step]);
            let squares = pairs.map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2));
            let expected = squares.sum::<f64>() / reused.len() as f64;
            let found = losses.loss(step, block, 1).unwrap();
            // The same values, added in another order.
            assert!(expected > 0.0 && (found / expected - 1.0).abs() < 1e-9, "{found} {expected}");
        }
        // What is older is further away.
        let of_age = |age| -> f64 { (0..7).map(|b| losses.loss(2, b, age).unwrap()).sum() };
        assert!(of_age(2) > of_age(1));
        let costs = SkipCosts::macs(pipeline.unet().config(), [16, 16], 24).unwrap();
        // It is no worse than the last two blocks at the last step, which save as much.
        let last = SkipSets::new(7, vec![vec![], vec![], vec![5, 6]]).unwrap();
        let plan = SkipPlan::reusing(&losses, &costs, costs.share(&last)).unwrap();
        assert!(plan.share <= costs.share(&last) + 1e-9 && plan.skips.steps()[0].is_empty());
        assert!(losses.total(&plan.skips).unwrap() <= losses.total(&last).unwrap());
    }
}
