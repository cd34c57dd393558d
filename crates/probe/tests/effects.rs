//! Measured effects on the shipped model.

use std::path::Path;

use burn::tensor::{Device, FloatDType};
use pipeline::{Control, Guidance, Pipeline, SampleRequest, initial_noise};
use probe::{Effect, Effects, LOWERED};
use reweight::{BlockWeights, StepMatrix};
use scheduler::SchedulerKind;

#[test]
fn effects_are_those_of_the_block_at_that_step_alone() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/emoji-sd");
    let pipeline = Pipeline::from_folder(folder, FloatDType::F32, &Device::flex()).unwrap();
    let prompts = pipeline.encode_prompts(&["a cartoon of a dragon".to_string()]).unwrap();
    let negative = pipeline.encode_negative(None, &prompts).unwrap();
    let request = SampleRequest {
        prompts,
        guidance: Some(Guidance { scale: 3.0, negative }),
        noise: initial_noise(&[1], [4, 16, 16], pipeline.device()),
        fresh_noise: None,
        scheduler: SchedulerKind::Ddim,
        scheduler_config: pipeline.scheduler_config().clone(),
        steps: 2,
        sizes: None,
    };
    let values = |weights: BlockWeights| -> Vec<f32> {
        let latents =
            pipeline.sample(&request, &reweight::Policy::from(weights).into(), &mut |_| {
                Control::Continue
            });
        latents.unwrap().into_data().iter::<f32>().collect()
    };
    let vanilla = values(BlockWeights::vanilla(2, 7));
    let only = |value: f64, otherwise: f64| {
        StepMatrix::from_fn(2, 7, |s, b| if (s, b) == (1, 3) { value } else { otherwise })
    };
    for (effect, weights) in [
        (Effect::Lower, BlockWeights::new(only(LOWERED, 1.0)).unwrap()),
        (Effect::Skip, BlockWeights::vanilla(2, 7).with_thresholds(only(2.0, 0.0)).unwrap()),
    ] {
        let effects = Effects::measure(&pipeline, &request, effect, 8, &mut |_| {}).unwrap();
        let moved = values(weights);
        let squares = moved.iter().zip(&vanilla).map(|(a, b)| f64::from(a - b).powi(2));
        let expected = squares.sum::<f64>() / vanilla.len() as f64;
        let found = effects.distances[1][3];
        assert!((found / expected - 1.0).abs() < 1e-5, "{effect:?}: {found}, {expected}");
        assert!(effects.distances.values().iter().all(|distance| *distance > 0.0));
        assert_eq!(effects.latents.dims()[0], 1 + 2 * 7);
        // Vanilla and the first step's seven at both steps, the second step's at one: guided.
        assert_eq!(effects.unet_samples, 2 * (2 + 2 * 7 + 7));
    }
}
