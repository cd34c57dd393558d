//! The search on tables against the search itself.

use std::path::Path;

use burn::tensor::{Device, FloatDType};
use pipeline::{Pipeline, SampleRequest, initial_noise};
use probe::{
    Candidate, CounterDraws, Evaluator, FastEvaluator, FastSearch, ProbeConfig, ProbeError,
    ProbeState, UNetEvaluator, UpdateStrategy, search,
};
use proptest::prelude::*;
use scheduler::SchedulerKind;

use crate::support::{Linear, diagonal};

fn searched(config: &ProbeConfig, evaluator: &mut dyn Evaluator) -> ProbeState {
    let mut draws = CounterDraws::new(config.seed);
    let (steps, blocks) = (evaluator.steps(), evaluator.blocks());
    let mut state = ProbeState::new(config, steps, blocks, &mut draws).unwrap();
    search(&mut state, evaluator, &mut draws, &mut |_| {}, &mut |_| Ok(())).unwrap();
    state
}

proptest! {
    /// Blocks that do not touch each other: table and form are exact, sum for sum.
    #[test]
    fn losses_are_exact_where_predictions_are_linear_and_blocks_apart(
        known in proptest::collection::vec(0.0f64..1.0, 4),
        weights in proptest::collection::vec(0.8f64..1.0, 4),
        skipped in proptest::collection::vec(any::<bool>(), 4),
    ) {
        let thresholds: Vec<f64> = skipped.iter().map(|s| if *s { 1.5 } else { 0.0 }).collect();
        let candidate = [Candidate { weights: &weights, thresholds: &thresholds }];
        let mut exact = Linear { jacobians: vec![diagonal(&known)], steps: 1 };
        let expected = exact.losses(0, 0, &candidate).unwrap()[0];
        let found = FastEvaluator::new(&mut exact).losses(0, 0, &candidate).unwrap()[0];
        prop_assert!((found - expected).abs() < 1e-9, "{} {}", found, expected);
    }
}

#[test]
fn losses_of_blocks_that_touch_are_exact_without_skips() {
    let jacobian = vec![vec![1.0, 1.0, 0.0], vec![0.0, 1.0, 2.0]];
    let mut exact = Linear { jacobians: vec![jacobian], steps: 1 };
    let candidate = [Candidate { weights: &[0.9, 0.8, 0.95], thresholds: &[0.0; 3] }];
    let expected = exact.losses(0, 0, &candidate).unwrap()[0];
    let mut fast = FastEvaluator::new(&mut exact);
    assert!((fast.losses(0, 0, &candidate).unwrap()[0] - expected).abs() < 1e-9);
    assert_eq!(fast.skip_sets(), 0, "nothing was skipped, nothing measured");
}

#[test]
fn search_on_tables_decides_as_the_search_itself() {
    let jacobians = vec![diagonal(&[0.03, 0.9, 0.002, 0.3]), diagonal(&[0.02, 0.5, 0.004, 0.1])];
    let mut exact = Linear { jacobians, steps: 2 };
    for update in [UpdateStrategy::default(), UpdateStrategy::Hard, UpdateStrategy::Soft] {
        let config = ProbeConfig { rounds: 6, epochs: 8, update, ..ProbeConfig::both_ways() };
        let expected = searched(&config, &mut exact);
        let mut fast = FastEvaluator::new(&mut exact);
        let found = searched(&config, &mut fast);
        // At most one table of 2⁴ − 1 sets for each of two batches and two steps.
        assert!(fast.skip_sets() <= 4 * 15);
        assert_eq!(found.thresholds(), expected.thresholds(), "{update:?}");
        for (found, expected) in found.rounds.iter().zip(&expected.rounds) {
            assert_eq!(found.accepted_at, expected.accepted_at);
            assert_eq!(found.accepted_at.iter().flatten().sum::<usize>(), found.accepted[0]);
        }
    }
}

#[test]
fn an_interrupted_search_on_tables_ends_as_a_whole_one_and_tells_the_same_cost() {
    let mut exact = Linear { jacobians: vec![diagonal(&[0.03, 0.9, 0.002, 0.3])], steps: 2 };
    // Of these settings blocks are skipped.
    let update = UpdateStrategy::Hard;
    let config = ProbeConfig { rounds: 6, epochs: 8, update, ..ProbeConfig::both_ways() };
    let mut draws = CounterDraws::for_prompt(&config, "a");
    let begun = FastSearch::new(&config, 2, 4, &mut draws).unwrap();
    let mut whole = begun.clone();
    whole.complete(&mut exact, &mut draws, &mut |_| {}, &mut |_| Ok(())).unwrap();
    assert!(whole.predictions() > 2 * (4 + 1), "no set was skipped");
    for epoch in 1..config.epochs {
        let (mut run, mut saved) = (begun.clone(), String::new());
        let mut draws = CounterDraws::for_prompt(&config, "a");
        let stopped = run.complete(&mut exact, &mut draws, &mut |_| {}, &mut |fast| {
            saved = serde_json::to_string(fast).unwrap();
            let reason = "stopped".to_string();
            if fast.state.epoch == epoch {
                return Err(ProbeError::Interrupted { epoch, reason });
            }
            Ok(())
        });
        assert!(stopped.is_err());
        let mut resumed: FastSearch = serde_json::from_str(&saved).unwrap();
        let mut draws = CounterDraws::for_prompt(&config, "a");
        resumed.complete(&mut exact, &mut draws, &mut |_| {}, &mut |_| Ok(())).unwrap();
        assert_eq!(resumed, whole);
        assert_eq!(resumed.predictions(), whole.predictions());
    }
}

/// On a real U-Net the form is an approximation: nearly all decisions stay the same.
#[test]
fn search_on_tables_of_the_shipped_model_decides_as_the_search_itself() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/emoji-sd");
    let pipeline = Pipeline::from_folder(folder, FloatDType::F32, &Device::flex()).unwrap();
    let prompts = pipeline.encode_prompts(&["a cartoon of a dragon".to_string()]).unwrap();
    let request = SampleRequest {
        prompts,
        guidance: None,
        noise: initial_noise(&[42], [4, 16, 16], pipeline.device()),
        fresh_noise: None,
        scheduler: SchedulerKind::Ddim,
        scheduler_config: pipeline.scheduler_config().clone(),
        steps: 2,
        sizes: None,
    };
    let config = ProbeConfig { rounds: 8, epochs: 12, ..ProbeConfig::paper() };
    let mut exact = UNetEvaluator::new(&pipeline, &[request], 32).unwrap();
    let before = exact.unet_samples();
    let found = searched(&config, &mut FastEvaluator::new(&mut exact));
    let tables = exact.unet_samples() - before;
    let expected = searched(&config, &mut exact);
    let searches = exact.unet_samples() - before - tables;
    assert_eq!(searches, config.evaluations(2, 1));
    assert!(10 * tables < searches, "{tables} of {searches} samples");
    let decisions = |state: &ProbeState| -> Vec<usize> {
        let rounds = state.rounds.iter();
        rounds.flat_map(|round| round.accepted_at.concat()).collect()
    };
    let (found, expected) = (decisions(&found), decisions(&expected));
    let equal = found.iter().zip(&expected).filter(|(a, b)| a == b).count();
    let accepted = expected.iter().sum::<usize>();
    assert!(accepted > 5 && accepted < expected.len(), "{accepted} of {}", expected.len());
    assert!(equal * 100 >= 95 * expected.len(), "{equal} of {}", expected.len());
}
