//! Searches of weights for scores whose best weights are known, and for scores that are mere noise.

use probe::{Mean, ProbeError, SampleSet, ScoreEvaluator, Span, TuneSettings, TuneState, Tuned};
use reweight::BlockWeights;

/// What a sample's score depends on.
enum Score {
    /// `−Σ (w − best)²` over steps and blocks, plus the sample's own constant.
    Known { best: Vec<Vec<f64>> },
    /// Other noise for every sample and every weights.
    Noise,
}

struct Scored {
    score: Score,
    steps: usize,
    blocks: usize,
    samples: usize,
}

fn hash(words: impl IntoIterator<Item = u64>) -> f64 {
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    for word in words {
        state = (state ^ word).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        state ^= state >> 29;
        state = state.wrapping_mul(0x94d0_49bb_1331_11eb);
        state ^= state >> 32;
    }
    (state >> 11) as f64 / (1u64 << 52) as f64 - 1.0
}

impl ScoreEvaluator for Scored {
    fn steps(&self) -> usize {
        self.steps
    }
    fn blocks(&self) -> usize {
        self.blocks
    }
    fn scores(&mut self, set: SampleSet, weights: &BlockWeights) -> Result<Vec<f64>, ProbeError> {
        weights.check_fits(self.steps, self.blocks).unwrap();
        let sample = |sample: usize| {
            let address = [set as u64, sample as u64];
            match &self.score {
                Score::Known { best } => {
                    let rows = weights.weights().rows().zip(best);
                    let distance: f64 = rows
                        .flat_map(|(row, best)| row.iter().zip(best).map(|(w, b)| (w - b).powi(2)))
                        .sum();
                    hash(address) - distance
                }
                Score::Noise => {
                    let values = weights.weights().values().iter().map(|weight| weight.to_bits());
                    hash(address.into_iter().chain(values))
                }
            }
        };
        Ok((0..self.samples).map(sample).collect())
    }
}

fn settings(budget: usize) -> TuneSettings {
    TuneSettings { budget, ..TuneSettings::default() }
}

fn tune(evaluator: &mut Scored, settings: TuneSettings) -> Tuned {
    TuneState::new(settings).complete(evaluator, &mut |_| Ok(())).unwrap()
}

/// Mean of the paired differences that the weights make to scores.
fn difference([vanilla, tuned]: &[Vec<f64>; 2]) -> Mean {
    Mean::of(&tuned.iter().zip(vanilla).map(|(a, b)| a - b).collect::<Vec<_>>())
}

#[test]
fn known_best_weights_are_found() {
    // Three windows of two steps.
    let groups = [[1.13, 0.8], [1.0, 1.24], [0.97, 1.0]];
    let best: Vec<Vec<f64>> = groups.iter().flat_map(|row| [row.to_vec(), row.to_vec()]).collect();
    let score = Score::Known { best };
    let mut evaluator = Scored { score, steps: 6, blocks: 2, samples: 3 };
    let tuned = tune(&mut evaluator, settings(300));
    assert!(tuned.evaluations <= 300 && !tuned.is_vanilla());
    for (row, best) in tuned.groups.iter().zip(&groups) {
        for (weight, best) in row.iter().zip(best) {
            assert!((weight - best).abs() < 1e-3, "{:?}", tuned.groups);
        }
    }
    assert_eq!(tuned.weights.steps(), 6);
    for scores in [&tuned.train, &tuned.test, &tuned.other] {
        assert!((difference(scores).mean - 2.0 * 0.1154).abs() < 1e-4, "{scores:?}");
    }
    // The first trial of a weight tells which way to turn it: −d/dw (w − b)² at 1, for two steps.
    for (group, row) in groups.iter().enumerate() {
        for (block, best) in row.iter().enumerate() {
            let first = |trial: &&probe::Trial| (trial.group, trial.block) == (group, block);
            let slope = tuned.trials.iter().find(first).unwrap().slope;
            assert!((slope.mean - 4.0 * (best - 1.0)).abs() < 1e-9, "{slope:?}");
        }
    }
}

#[test]
fn changes_stay_within_the_limit_and_evaluations_within_the_budget() {
    let score = Score::Known { best: vec![vec![3.0, 0.0]] };
    let mut evaluator = Scored { score, steps: 1, blocks: 2, samples: 1 };
    let limited = TuneSettings { limit: 0.15, budget: 40, ..TuneSettings::default() };
    let tuned = tune(&mut evaluator, limited);
    assert_eq!(tuned.groups, [[1.15, 0.85]]);
    for budget in 3..12 {
        assert!(tune(&mut evaluator, settings(budget)).evaluations <= budget);
    }
}

#[test]
fn in_mere_noise_nothing_holds_on_test_samples() {
    let mut signed = 0;
    for seed in 0..20 {
        let mut evaluator = Scored { score: Score::Noise, steps: 3, blocks: 4, samples: 16 };
        let tuned = tune(&mut evaluator, TuneSettings { seed, ..settings(60) });
        // What is chosen among noise looks like a gain where it was chosen, and nowhere else.
        assert!(tuned.is_vanilla() || difference(&tuned.train).mean > 0.0);
        let test = difference(&tuned.test);
        assert_eq!(tuned.is_vanilla(), tuned.test[0] == tuned.test[1]);
        signed += usize::from(test.is_signed() && test.mean > 0.0);
    }
    // 0.5 of 20 by chance.
    assert!(signed <= 2, "{signed}");
}

#[test]
fn searches_interrupted_after_any_evaluation_resume_to_the_same_bytes() {
    let evaluator = || Scored { score: Score::Noise, steps: 2, blocks: 2, samples: 4 };
    let mut whole = TuneState::new(settings(12));
    let tuned = whole.complete(&mut evaluator(), &mut |_| Ok(())).unwrap();
    let expected = serde_json::to_string(&whole).unwrap();
    for stop in 1..whole.evaluations.len() {
        let mut saved = String::new();
        let interrupted = TuneState::new(settings(12)).complete(&mut evaluator(), &mut |state| {
            saved = serde_json::to_string(state).unwrap();
            let stopped = || ProbeError::Interrupted { epoch: 0, reason: "test".into() };
            if state.evaluations.len() < stop { Ok(()) } else { Err(stopped()) }
        });
        assert!(interrupted.is_err());
        let mut resumed: TuneState = serde_json::from_str(&saved).unwrap();
        assert_eq!(resumed.complete(&mut evaluator(), &mut |_| Ok(())).unwrap(), tuned);
        assert_eq!(serde_json::to_string(&resumed).unwrap(), expected);
    }
    // A state of another search is not gone on with.
    whole.settings.step = 0.05;
    let refused = whole.complete(&mut evaluator(), &mut |_| Ok(()));
    assert!(matches!(refused, Err(ProbeError::State(_))), "{refused:?}");
}

#[test]
fn settings_out_of_range_and_broken_scores_are_refused() {
    let mut evaluator = Scored { score: Score::Noise, steps: 2, blocks: 2, samples: 4 };
    let ok = TuneSettings::default();
    for wrong in [
        TuneSettings { budget: 2, ..ok },
        TuneSettings { step: 0.0, ..ok },
        TuneSettings { step: 0.4, ..ok },
        TuneSettings { limit: 1.5, ..ok },
        TuneSettings { step: f64::NAN, ..ok },
    ] {
        let refused = TuneState::new(wrong).complete(&mut evaluator, &mut |_| Ok(()));
        assert!(matches!(refused, Err(ProbeError::Config(_))), "{refused:?}");
    }
    evaluator.samples = 0;
    let nothing = TuneState::new(ok).complete(&mut evaluator, &mut |_| Ok(()));
    assert!(matches!(nothing, Err(ProbeError::Evaluator(_))), "{nothing:?}");
    let best = vec![vec![f64::NAN; 2]; 2];
    let mut broken = Scored { score: Score::Known { best }, steps: 2, blocks: 2, samples: 1 };
    let error = TuneState::new(ok).complete(&mut broken, &mut |_| Ok(()));
    assert!(error.unwrap_err().to_string().contains("no number"));
    assert_eq!(Span::Window.groups(2).len(), 2);
}
