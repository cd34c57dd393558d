//! The search without tensors, and with the shipped model.

use std::path::Path;

use burn::tensor::{Device, FloatDType};
use pipeline::{Guidance, Pipeline, SampleRequest, initial_noise};
use probe::{
    Candidate, CounterDraws, DrawAddress, Evaluator, PerStep, ProbeConfig, ProbeError, ProbeState,
    UNetEvaluator, UniformDraws, UpdateStrategy, energy, search, vote,
};
use proptest::prelude::*;
use scheduler::SchedulerKind;

/// Blocks matter by a known amount: the loss is `Σ importance_i (1 − effective weight_i)²`.
struct Known {
    importance: Vec<Vec<f64>>,
}

impl Evaluator for Known {
    fn batches(&self) -> usize {
        2
    }
    fn steps(&self) -> usize {
        self.importance.len()
    }
    fn blocks(&self) -> usize {
        self.importance[0].len()
    }
    fn losses(
        &mut self,
        _batch: usize,
        step: usize,
        candidates: &[Candidate<'_>],
    ) -> Result<Vec<f64>, ProbeError> {
        let loss = |candidate: &Candidate<'_>| {
            let each = candidate.weights.iter().zip(candidate.thresholds);
            each.zip(&self.importance[step])
                .map(|((w, q), importance)| {
                    let effective = if w + 1e-6 >= *q { *w } else { 0.0 };
                    importance * (1.0 - effective).powi(2)
                })
                .sum()
        };
        Ok(candidates.iter().map(loss).collect())
    }
}

fn config() -> ProbeConfig {
    ProbeConfig {
        rounds: 25,
        epochs: 80,
        loss_tolerance: PerStep::Linear { start: 0.02, end: 0.02 },
        ..ProbeConfig::paper()
    }
}

fn run(config: &ProbeConfig, importance: Vec<Vec<f64>>) -> ProbeState {
    let (steps, blocks) = (importance.len(), importance[0].len());
    let mut draws = CounterDraws::new(config.seed);
    let mut state = ProbeState::new(config, steps, blocks, &mut draws).unwrap();
    let mut evaluator = Known { importance };
    search(&mut state, &mut evaluator, &mut draws, &mut |_| {}, &mut |_| Ok(())).unwrap();
    state
}

/// The search as the paper tells it: one round after the other, one candidate at a time.
fn naive(config: &ProbeConfig, evaluator: &mut Known, round: usize) -> Vec<Vec<f64>> {
    let (steps, blocks) = (evaluator.steps(), evaluator.blocks());
    let (tolerance, bias) =
        (config.loss_tolerance.values(steps).unwrap(), config.weight_bias.values(steps).unwrap());
    let mut draws = CounterDraws::new(config.seed);
    let low = config.initial_low;
    let mut best: Vec<Vec<f64>> = (0..steps)
        .map(|t| draws.initial(round, t, blocks).iter().map(|u| low + (1.0 - low) * u).collect())
        .collect();
    let mut thresholds = vec![vec![0.0; blocks]; steps];
    for epoch in 0..config.epochs {
        let fixed = thresholds.clone();
        for batch in 0..evaluator.batches() {
            for step in 0..steps {
                let q = &fixed[step];
                let mut to_beat = blocks as f64 / energy(&best[step]);
                let mut winner = None;
                for candidate in 0..config.candidates {
                    let at = DrawAddress { round, epoch, batch, step, candidate };
                    let u = draws.perturbation(at, blocks);
                    let delta = bias[step].min((energy(&best[step]) / blocks as f64).sqrt());
                    let w: Vec<f64> = best[step]
                        .iter()
                        .zip(&u)
                        .map(|(b, u)| (b + (-delta + delta * u)).clamp(0.0, 1.0))
                        .collect();
                    let skipped = w.iter().zip(q).filter(|(w, q)| w < q).count() as f64;
                    let own = blocks as f64 / energy(&w) + skipped / blocks as f64;
                    let asked = [Candidate { weights: &w, thresholds: q }];
                    let loss = evaluator.losses(batch, step, &asked).unwrap()[0];
                    if loss <= tolerance[step] && own > to_beat {
                        to_beat = own;
                        winner = Some(w);
                    }
                }
                let accepted = winner.is_some();
                if let Some(w) = winner {
                    best[step] = w;
                }
                let s = (epoch + 1) as f64 / config.epochs as f64;
                for (q, p) in thresholds[step].iter_mut().zip(&best[step]) {
                    *q = config.update.update(*q, *p, accepted, s, config.weight_eps);
                }
            }
        }
    }
    thresholds
}

#[test]
fn search_in_lockstep_equals_the_naive_loop() {
    let importance = vec![vec![0.01, 0.5, 20.0, 0.1], vec![20.0, 0.01, 0.1, 3.0]];
    let config = ProbeConfig { rounds: 4, epochs: 12, ..config() };
    let state = run(&config, importance.clone());
    let accepted: usize = state.rounds.iter().map(|round| round.accepted[0]).sum();
    assert!(accepted > 0, "a search that accepts nothing shows nothing");
    for round in 0..4 {
        let mut evaluator = Known { importance: importance.clone() };
        assert_eq!(naive(&config, &mut evaluator, round), state.rounds[round].thresholds);
    }
    assert_eq!(vote(&state.thresholds(), 0).rounds, 4);
}

#[test]
fn search_interrupted_after_any_epoch_resumes_to_the_same_result() {
    let config = ProbeConfig { rounds: 3, epochs: 5, ..config() };
    let importance = vec![vec![0.1, 0.5, 2.0]; 2];
    let whole = run(&config, importance.clone());
    for stop in 1..5 {
        let mut draws = CounterDraws::new(config.seed);
        let mut state = ProbeState::new(&config, 2, 3, &mut draws).unwrap();
        let mut saved = String::new();
        let mut evaluator = Known { importance: importance.clone() };
        let interrupted =
            search(&mut state, &mut evaluator, &mut draws, &mut |_| {}, &mut |state| {
                saved = serde_json::to_string(state).unwrap();
                if state.epoch < stop {
                    return Ok(());
                }
                Err(ProbeError::Interrupted { epoch: state.epoch, reason: "test".into() })
            });
        assert!(interrupted.is_err());
        let mut resumed: ProbeState = serde_json::from_str(&saved).unwrap();
        assert_eq!(resumed.epoch, stop);
        resumed.check_continues(&config, 2, 3).unwrap();
        let mut draws = CounterDraws::new(config.seed);
        search(&mut resumed, &mut evaluator, &mut draws, &mut |_| {}, &mut |_| Ok(())).unwrap();
        assert_eq!(resumed, whole);
    }
}

#[test]
fn check_bad_settings_are_refused() {
    let paper = ProbeConfig::paper;
    for bad in [
        ProbeConfig { rounds: 0, ..paper() },
        ProbeConfig { candidates: 0, ..paper() },
        ProbeConfig { initial_low: 1.5, ..paper() },
        ProbeConfig { weight_eps: -1.0, ..paper() },
        ProbeConfig { loss_tolerance: PerStep::List(vec![0.1; 3]), ..paper() },
        ProbeConfig { weight_bias: PerStep::Linear { start: -0.1, end: 0.1 }, ..paper() },
    ] {
        assert!(matches!(bad.check(2), Err(ProbeError::Config(_))), "{bad:?}");
    }
    assert!(paper().check(0).is_err() && paper().check(2).is_ok());
    assert!(ProbeConfig::reference().check(15).is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn search_bounds_and_energy_hold(
        importance in proptest::collection::vec(0.0f64..5.0, 5),
        seed: u64,
        hard: bool,
    ) {
        let update = if hard { UpdateStrategy::Hard } else { UpdateStrategy::Soft };
        let config = ProbeConfig { rounds: 2, epochs: 4, seed, update, ..config() };
        let state = run(&config, vec![importance]);
        for round in &state.rounds {
            for rows in [&round.best, &round.thresholds] {
                prop_assert!(rows.iter().flatten().all(|value| (0.0..=1.0).contains(value)));
            }
            // With the energy drop no weight ever rises above where it began.
            prop_assert!(energy(&round.best[0]) <= 5.0);
            prop_assert_eq!(round.history.len(), 5);
        }
    }
}

/// The shipped model and a request of two guided samples in two steps.
fn shipped() -> (Pipeline, SampleRequest) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/emoji-sd");
    let device = Device::flex();
    let pipeline = Pipeline::from_folder(folder, FloatDType::F32, &device).unwrap();
    let prompts = vec!["a cartoon of a dragon".to_string(), "pixel art of a compass".to_string()];
    let prompts = pipeline.encode_prompts(&prompts).unwrap();
    let negative = pipeline.encode_negative(None, &prompts).unwrap();
    let request = SampleRequest {
        prompts,
        guidance: Some(Guidance { scale: 3.0, negative }),
        noise: initial_noise(&[1, 2], [4, 16, 16], &device),
        fresh_noise: None,
        scheduler: SchedulerKind::Ddim,
        scheduler_config: pipeline.scheduler_config().clone(),
        steps: 2,
        sizes: None,
    };
    (pipeline, request)
}

#[test]
fn unet_evaluator_a_teacher_that_predicts_nan_is_refused() {
    let (pipeline, mut request) = shipped();
    // Text that is not a number makes predictions that are none, at the first step already.
    request.prompts.embeds = request.prompts.embeds * f32::NAN;
    let error = UNetEvaluator::new(&pipeline, &[request], 8).err().unwrap().to_string();
    assert!(error.contains("step 0: the U-Net's prediction"), "{error}");
}

#[test]
fn unet_evaluator_results_do_not_depend_on_the_batch() {
    let (pipeline, request) = shipped();
    let config = ProbeConfig { rounds: 2, epochs: 2, candidates: 2, ..config() };
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
        assert!(losses[1] > 0.0 && losses[2] > 0.0);
        (state, losses)
    };
    let first = run(1);
    for unet_batch in [3, 8, 64] {
        assert_eq!(first, run(unet_batch), "batch {unet_batch}");
    }
}
