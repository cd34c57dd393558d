//! The evaluator on the shipped model.

use std::path::{Path, PathBuf};

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Device, FloatDType, Tensor};
use pipeline::{Guidance, Pipeline, SampleRequest, initial_noise};
use probe::{
    Candidate, CounterDraws, Estimates, Estimator, Evaluator, PerStep, ProbeConfig, ProbeState,
    UNetEvaluator, search,
};
use scheduler::SchedulerKind;

/// Two samples of the shipped model, guided, in two steps.
fn request(pipeline: &Pipeline) -> SampleRequest {
    let prompts = vec!["a cartoon of a dragon".to_string(), "pixel art of a compass".to_string()];
    let prompts = pipeline.encode_prompts(&prompts).unwrap();
    let negative = pipeline.encode_negative(None, &prompts).unwrap();
    SampleRequest {
        prompts,
        guidance: Some(Guidance { scale: 3.0, negative }),
        noise: initial_noise(&[1, 2], [4, 16, 16], pipeline.device()),
        fresh_noise: None,
        scheduler: SchedulerKind::Ddim,
        scheduler_config: pipeline.scheduler_config().clone(),
        steps: 2,
        sizes: None,
    }
}

fn shipped_model() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/emoji-sd")
}

/// Makes NaN of the parameters under a path.
struct Broken {
    path: Vec<String>,
    broken: &'static str,
}

impl ModuleMapper for Broken {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.into());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, parameter: Param<Tensor<D>>) -> Param<Tensor<D>> {
        match self.path.join(".").starts_with(self.broken) {
            true => parameter.map(|values| values * f32::NAN),
            false => parameter,
        }
    }
}

#[test]
fn unet_evaluator_a_model_with_nan_is_an_error_that_names_step_and_block() {
    let shipped = Pipeline::from_folder(shipped_model(), FloatDType::F32, &Device::flex()).unwrap();
    let batches = [request(&shipped)];
    for (broken, place) in [
        ("mid_block.attentions.0.proj_out", "from block 3 (`mid_block`) on"),
        ("conv_out", "after the last block"),
    ] {
        let unet = shipped.unet().clone().map(&mut Broken { path: Vec::new(), broken });
        let pipeline = shipped.with_unet(unet);
        let error = UNetEvaluator::new(&pipeline, &batches, 8).err().unwrap().to_string();
        assert!(error.contains("step 0: the teacher's prediction"), "{error}");
        assert!(error.contains(place), "{error}");
    }
}

#[test]
fn unet_evaluator_results_do_not_depend_on_the_batch() {
    let pipeline =
        Pipeline::from_folder(shipped_model(), FloatDType::F32, &Device::flex()).unwrap();
    let request = request(&pipeline);
    let loss_tolerance = PerStep::Linear { start: 0.02, end: 0.02 };
    let config =
        ProbeConfig { rounds: 2, epochs: 2, candidates: 2, loss_tolerance, ..ProbeConfig::paper() };
    let run = |unet_batch: usize| {
        let batches = [request.clone()];
        let mut evaluator = UNetEvaluator::new(&pipeline, &batches, unet_batch).unwrap();
        let mut draws = CounterDraws::new(config.seed);
        let mut state = ProbeState::new(&config, 2, 7, &mut draws).unwrap();
        search(&mut state, &mut evaluator, &mut draws, &mut |_| {}, &mut |_| Ok(())).unwrap();
        let mixed = [
            Candidate { weights: &[1.0; 7], thresholds: &[0.0; 7] },
            Candidate { weights: &[0.9; 7], thresholds: &[0.0, 1.5, 0.0, 1.5, 0.0, 0.0, 1.5] },
            Candidate { weights: &[0.7; 7], thresholds: &[1.5; 7] },
        ];
        let losses = evaluator.losses(0, 1, &mixed).unwrap();
        assert_eq!(losses[0], 0.0, "the teacher's own weights");
        // Without its three blocks, or without any, the model predicts something else by far more
        // than the 1e-4 that the paper tolerates.
        assert!(losses[1] > 1e-3 && losses[2] > losses[1], "{losses:?}");
        (state, losses)
    };
    let first = run(1);
    for unet_batch in [3, 8, 64] {
        assert_eq!(first, run(unet_batch), "batch {unet_batch}");
    }
}

#[test]
fn estimates_of_the_shipped_model_do_not_depend_on_the_batch() {
    let pipeline =
        Pipeline::from_folder(shipped_model(), FloatDType::F32, &Device::flex()).unwrap();
    let prompts = pipeline.encode_prompts(&["a cartoon of a dragon".to_string()]).unwrap();
    let negative = pipeline.encode_negative(None, &prompts).unwrap();
    let one = |seed: u64, steps: usize| SampleRequest {
        prompts: prompts.clone(),
        guidance: Some(Guidance { scale: 3.0, negative: negative.clone() }),
        noise: initial_noise(&[seed], [4, 16, 16], pipeline.device()),
        steps,
        ..request(&pipeline)
    };
    for (estimator, seeds, steps) in
        [(Estimator::Derivative, 2, 2), (Estimator::Skip, 2, 2), (Estimator::Masks, 1, 1)]
    {
        let requests: Vec<SampleRequest> = (0..seeds).map(|seed| one(seed, steps)).collect();
        let run = |unet_batch: usize| {
            let mut evaluator = UNetEvaluator::new(&pipeline, &requests, unet_batch).unwrap();
            let mut estimates = Estimates::new(estimator);
            estimates.complete(&mut evaluator, &mut |_| Ok(())).unwrap();
            let samples = seeds as usize * steps * 2;
            assert_eq!(evaluator.unet_samples(), samples * estimator.predictions(7));
            let levels = evaluator.levels();
            assert!(levels.len() == steps && levels.iter().all(|level| level.sigma > 0.0));
            assert!(levels.windows(2).all(|pair| pair[0].sigma > pair[1].sigma));
            estimates
        };
        let first = run(1);
        let positive = |values: &[f64]| values.iter().filter(|value| **value > 0.0).count() >= 7;
        assert!(first.measured.iter().flatten().all(|values| positive(values)));
        for unet_batch in [3, 8] {
            assert!(first == run(unet_batch), "{estimator:?}, batch {unet_batch}");
        }
    }
}
