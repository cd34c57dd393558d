//! The search without tensors, against an independent naive loop.

use probe::{
    Candidate, CounterDraws, DrawAddress, Evaluator, PerStep, ProbeConfig, ProbeError, ProbeState,
    UniformDraws, UpdateStrategy, energy, search, vote,
};
use proptest::prelude::*;
use reweight::StepMatrix;

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
fn naive(config: &ProbeConfig, evaluator: &mut Known, round: usize) -> StepMatrix {
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
                    let fitness = blocks as f64 / energy(&w) + skipped / blocks as f64;
                    let asked = [Candidate { weights: &w, thresholds: q }];
                    let loss = evaluator.losses(batch, step, &asked).unwrap()[0];
                    if loss <= tolerance[step] && fitness > to_beat {
                        to_beat = fitness;
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
    StepMatrix::from_rows(thresholds).unwrap()
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
    assert_eq!(vote(&state.thresholds(), 0).unwrap().rounds, 4);
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
fn search_a_loss_that_is_no_number_is_an_error_and_no_rejection() {
    let config = ProbeConfig { rounds: 2, epochs: 2, ..config() };
    for bad in [f64::NAN, f64::INFINITY] {
        let mut draws = CounterDraws::new(config.seed);
        let mut state = ProbeState::new(&config, 2, 3, &mut draws).unwrap();
        let mut evaluator = Known { importance: vec![vec![0.1; 3], vec![0.1, bad, 0.1]] };
        let result = search(&mut state, &mut evaluator, &mut draws, &mut |_| {}, &mut |_| Ok(()));
        let error = result.unwrap_err();
        assert!(matches!(error, ProbeError::NotFinite { step: 1, .. }), "{error}");
    }
}

#[test]
fn search_a_tampered_state_is_refused() {
    let config = ProbeConfig { rounds: 2, epochs: 3, ..config() };
    let importance = vec![vec![0.1, 0.5, 2.0]; 2];
    let whole = run(&config, importance.clone());
    let tampered = |change: &dyn Fn(&mut ProbeState)| {
        let mut state = whole.clone();
        change(&mut state);
        let mut draws = CounterDraws::new(config.seed);
        let mut evaluator = Known { importance: importance.clone() };
        let again = search(&mut state, &mut evaluator, &mut draws, &mut |_| {}, &mut |_| Ok(()));
        again.map_or_else(|error| error.to_string(), |()| String::new())
    };
    assert_eq!(tampered(&|_| {}), "");
    assert!(tampered(&|state| state.epoch = 9).contains("more epochs"));
    assert!(tampered(&|state| state.epoch = 1).contains("do not fit each other"));
    assert!(tampered(&|state| state.rounds[1].best[0][2] = 1.5).contains("[0, 1]"));
    assert!(tampered(&|state| state.rounds[1].thresholds[1][2] = f64::NAN).contains("[0, 1]"));
    assert!(tampered(&|state| drop(state.rounds.pop())).contains("numbers of rounds"));
    assert!(tampered(&|state| state.rounds[0].history.clear()).contains("do not fit"));
    assert!(tampered(&|state| state.config.epochs = usize::MAX).contains("`epochs`"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn search_bounds_hold_and_weights_only_fall(
        importance in proptest::collection::vec(0.0f64..5.0, 5),
        seed: u64,
        hard: bool,
    ) {
        let update = if hard { UpdateStrategy::Hard } else { UpdateStrategy::Soft };
        let config = ProbeConfig { rounds: 2, epochs: 4, seed, update, ..config() };
        let state = run(&config, vec![importance]);
        let begun = ProbeState::new(&config, 1, 5, &mut CounterDraws::new(seed)).unwrap();
        for (round, begun) in state.rounds.iter().zip(&begun.rounds) {
            for rows in [&round.best, &round.thresholds] {
                prop_assert!(rows.values().iter().all(|value| (0.0..=1.0).contains(value)));
            }
            // With the energy drop every perturbation is downwards: no weight is above where it
            // began, and all are where a step was accepted, which lowers each of them.
            let pairs = || round.best[0].iter().zip(&begun.best[0]);
            prop_assert!(pairs().all(|(best, begun)| best <= begun));
            prop_assert_eq!(pairs().all(|(best, begun)| best < begun), round.accepted[0] > 0);
            prop_assert!(round.accepted[1] == 2 * 4 && round.history.len() == 5);
        }
    }
}
