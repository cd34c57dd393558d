//! Fits where the best weights are known: predictions linear in the weights, with given Jacobians.

use probe::{
    FitPlan, FitReport, FitSettings, FitState, NoiseLevel, Noised, PictureMoments, PictureNoise,
    ProbeError, Span, StepComponents, Subject, TargetEvaluator,
};
use proptest::prelude::*;

/// `y − ε(w) = noise − J (w − 1 − u)`: the best weights are `1 + u`.
struct Linear {
    /// `u` of every step, `[step][block]`.
    best: Vec<Vec<f64>>,
    /// Scale of what no weights explain, and of every block's effect.
    noise: f64,
    effects: Vec<f64>,
    pictures: usize,
}

/// Values of a prediction.
const VALUES: usize = 64;

/// A number in [-1, 1) that depends on the whole address.
fn hash(address: [u64; 5]) -> f64 {
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    for word in address {
        state = (state ^ word).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        state ^= state >> 29;
        state = state.wrapping_mul(0x94d0_49bb_1331_11eb);
        state ^= state >> 32;
    }
    (state >> 11) as f64 / (1u64 << 52) as f64 - 1.0
}

impl Linear {
    fn new(best: Vec<Vec<f64>>, noise: f64, pictures: usize) -> Self {
        let effects = vec![1.0; best[0].len()];
        Self { best, noise, effects, pictures }
    }

    /// The address of a noised picture's random values.
    fn address(&self, at: Noised) -> [u64; 3] {
        let [own, seed] = match at.noise {
            PictureNoise::Own(seed) => [1 + at.picture as u64, seed],
            PictureNoise::Shared(seed) => [0, seed],
        };
        [own, seed, at.step as u64]
    }

    /// The derivative with a block's weight, of one value: half of it the picture decides, half the
    /// noise.
    fn derivative(&self, at: Noised, block: usize, value: usize) -> f64 {
        let [own, seed, step] = self.address(at);
        let (block, value) = (block as u64, value as u64);
        let picture = hash([at.picture as u64, step, block, value, 7]);
        let noise = hash([own << 32 | seed, step, block, value, 8]);
        self.effects[block as usize] * (picture + noise)
    }
}

impl TargetEvaluator for Linear {
    fn pictures(&self) -> usize {
        self.pictures
    }
    fn steps(&self) -> usize {
        self.best.len()
    }
    fn blocks(&self) -> usize {
        self.best[0].len()
    }
    fn errors(&mut self, asked: &[(Noised, &[f64])]) -> Result<Vec<Vec<f64>>, ProbeError> {
        let error = |(at, weights): &(Noised, &[f64])| {
            let [own, seed, step] = self.address(*at);
            let missed = |block: usize| weights[block] - 1.0 - self.best[at.step][block];
            let value = |value: usize| {
                let moved: f64 = (0..self.blocks())
                    .map(|block| self.derivative(*at, block, value) * missed(block))
                    .sum();
                self.noise * hash([own, seed, step, value as u64, 9]) - moved
            };
            (0..VALUES).map(value).collect()
        };
        Ok(asked.iter().map(error).collect())
    }
    fn output_powers(&mut self, asked: &[Noised]) -> Result<Vec<Vec<f64>>, ProbeError> {
        Ok(vec![vec![4.0; self.blocks()]; asked.len()])
    }
}

fn settings(span: Span, ridge: f64, limit: f64) -> FitSettings {
    FitSettings { span, ridge, limit }
}

fn moments(evaluator: &mut Linear) -> Vec<PictureMoments> {
    (0..evaluator.pictures)
        .map(|picture| PictureMoments::measure(evaluator, picture, &[1, 2]).unwrap())
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn known_weights_are_recovered_and_ridges_shrink_them(
        best in proptest::collection::vec(proptest::collection::vec(-0.3f64..0.3, 4), 1..4),
    ) {
        let mut evaluator = Linear::new(best.clone(), 0.0, 3);
        let moments = moments(&mut evaluator);
        let fit = |ridge: f64| settings(Span::Step, ridge, 1.0).weights(&moments).unwrap();
        let size = |ridge: f64| -> f64 {
            let weights = fit(ridge).weights;
            weights.weights().values().iter().map(|w| (w - 1.0).powi(2)).sum()
        };
        for (row, best) in fit(0.0).weights.weights().rows().zip(&best) {
            for (weight, u) in row.iter().zip(best) {
                prop_assert!((weight - 1.0 - u).abs() < 1e-9, "{} {}", weight, u);
            }
        }
        let sizes = [0.0, 0.1, 1.0, 10.0].map(size);
        prop_assert!(sizes.windows(2).all(|pair| pair[0] > pair[1]), "{:?}", sizes);
    }
}

#[test]
fn weights_of_a_window_are_the_best_of_its_steps_together() {
    // The same best weights at every step: a window has them too.
    let mut evaluator = Linear::new(vec![vec![0.05, -0.1]; 6], 0.0, 2);
    let fit = settings(Span::Window, 0.0, 1.0).weights(&moments(&mut evaluator)).unwrap();
    assert_eq!(fit.groups.len(), 3);
    assert_eq!(fit.groups[1].steps, [2, 3]);
    for row in fit.weights.weights().rows() {
        assert!((row[0] - 1.05).abs() < 1e-9 && (row[1] - 0.9).abs() < 1e-9, "{row:?}");
    }
}

#[test]
fn blocks_that_move_nothing_keep_their_weight_and_limits_hold() {
    let mut evaluator = Linear::new(vec![vec![0.5, 0.3, -0.4]], 0.0, 2);
    evaluator.effects[1] = 0.0;
    let moments = moments(&mut evaluator);
    let free = settings(Span::Step, 0.0, 1.0).weights(&moments).unwrap();
    let row = free.weights.weights()[0].to_vec();
    let expected = [1.5, 1.0, 0.6];
    assert!(row.iter().zip(expected).all(|(w, e)| (w - e).abs() < 1e-9), "{row:?}");
    assert_eq!(free.groups[0].condition, f64::INFINITY);
    assert!(free.groups[0].held.is_empty());
    let text = serde_json::to_string(&free.groups[0]).unwrap();
    assert_eq!(serde_json::from_str::<probe::GroupFit>(&text).unwrap(), free.groups[0]);
    let near = settings(Span::Step, 0.0, 0.45).weights(&moments).unwrap();
    let row = near.weights.weights()[0].to_vec();
    assert!((row[0], row[1]) == (1.45, 1.0) && (row[2] - 0.6).abs() < 0.05, "{row:?}");
    assert_eq!(near.groups[0].held, [0]);
    for (ridge, limit) in [(-0.1, 0.2), (f64::NAN, 0.2), (0.0, 0.0), (0.0, 1.5)] {
        let refused = settings(Span::Step, ridge, limit).weights(&moments);
        assert!(matches!(refused, Err(ProbeError::Config(_))), "{ridge} {limit}");
    }
    assert!(matches!(FitSettings::default().weights(&[]), Err(ProbeError::Config(_))));
}

fn plan(fitted: usize, tested: usize, crossed: usize) -> FitPlan {
    let settings = settings(Span::Step, 0.0, 1.0);
    FitPlan { fitted, tested, seeds: vec![5, 6], crossed, settings }
}

fn report(evaluator: &Linear, state: &FitState) -> Result<FitReport, ProbeError> {
    let level = |step: usize| NoiseLevel { timestep: 900.0 - step as f64, sigma: 1.0 };
    let subject = Subject {
        facts: serde_json::json!({ "model": "known" }),
        steps: (0..evaluator.steps()).map(level).collect(),
        blocks: (0..evaluator.blocks()).map(|block| format!("{block} path")).collect(),
    };
    FitReport::new(subject, state).map(|(report, _)| report)
}

#[test]
fn what_is_gained_in_sample_holds_out_of_sample_where_it_is_real() {
    let mut evaluator = Linear::new(vec![vec![0.1, -0.2], vec![0.0, 0.0]], 0.3, 40);
    let mut state = FitState::new(plan(20, 20, 4));
    state.complete(&mut evaluator, &mut |_| Ok(())).unwrap();
    assert_eq!(state.unet_samples(2, 2), state.plan.unet_samples(2, 2));
    let report = report(&evaluator, &state).unwrap();
    let tested = report.tested.as_ref().unwrap();
    // The derivatives' variance is 2/3, the noise's 0.03: 0.03 + 0.05 · 2/3 by 0.03.
    for outcome in [&report.fitted, tested] {
        let (measured, predicted) = (outcome.measured[0], outcome.predicted[0]);
        assert!((measured.mean - 3.2).abs() < 0.3 && measured.is_signed(), "{measured:?}");
        // Of the mean square and the variance: nearly the same, as the model is linear.
        assert!((measured.mean - predicted.mean).abs() < 0.2, "{measured:?} {predicted:?}");
        // A higher weight of block 0 lowers the error, of block 1 raises it.
        assert!(outcome.gradient[0][0].mean > 0.0 && outcome.gradient[0][0].is_signed());
        assert!(outcome.gradient[0][1].mean < 0.0 && outcome.gradient[0][1].is_signed());
    }
    // At the second step there is nothing to gain: fitting it costs a little elsewhere.
    assert!(report.fitted.measured[1].mean > 0.0 && tested.measured[1].mean < 0.0);
}

#[test]
fn terms_of_the_proposition_are_those_that_are_known() {
    let mut evaluator = Linear::new(vec![vec![0.1, -0.2]], 0.3, 12);
    evaluator.effects[1] = 2.0;
    let (pictures, seeds) = (Vec::from_iter(0..12), Vec::from_iter(0..12));
    let terms = StepComponents::measure(&mut evaluator, &pictures, &seeds, 0).unwrap();
    for (block, effect, sign) in [(0, 1.0, -1.0), (1, 4.0, 1.0)] {
        let found = terms.blocks[block];
        // Uniform in [-1, 1): variance 1/3 by the picture, 1/3 by the noise.
        for variance in [found.signal, found.noise] {
            assert!((variance / effect * 3.0 - 1.0).abs() < 0.15, "{found:?}");
        }
        assert!(found.rest.abs() < 1e-9 && (found.predicted_weight() - 0.5).abs() < 0.1);
        // √(2/3 · effect / 4).
        assert!((found.gain - (effect / 6.0).sqrt()).abs() < 0.05, "{found:?}");
        // Eq. 4 never falls with a weight at 1; the error does with block 0's.
        assert!(found.predicted_slope() > 0.0 && found.slope.mean * sign > 0.0, "{found:?}");
        assert_eq!(found.agrees(), sign > 0.0);
    }
    let one = StepComponents::measure(&mut evaluator, &pictures, &[1], 0);
    assert!(matches!(one, Err(ProbeError::Config(_))));
}

#[test]
fn fits_interrupted_after_any_piece_resume_to_the_same_bytes() {
    let mut evaluator = Linear::new(vec![vec![0.1, -0.2], vec![0.0, 0.1]], 0.3, 4);
    let mut whole = FitState::new(plan(3, 1, 2));
    let mut pieces = 0;
    whole
        .complete(&mut evaluator, &mut |_| {
            pieces += 1;
            Ok(())
        })
        .unwrap();
    assert_eq!(pieces, 4 + 2 + 4);
    let expected = report(&evaluator, &whole).unwrap().to_json().unwrap();
    for stop in 1..pieces {
        let (mut saved, mut seen) = (String::new(), 0);
        let interrupted = FitState::new(plan(3, 1, 2)).complete(&mut evaluator, &mut |state| {
            saved = serde_json::to_string(state).unwrap();
            seen += 1;
            let stopped = || ProbeError::Interrupted { epoch: 0, reason: "test".into() };
            if seen < stop { Ok(()) } else { Err(stopped()) }
        });
        assert!(interrupted.is_err());
        let mut resumed: FitState = serde_json::from_str(&saved).unwrap();
        assert!(report(&evaluator, &resumed).is_err(), "unfinished");
        resumed.complete(&mut evaluator, &mut |_| Ok(())).unwrap();
        assert_eq!(report(&evaluator, &resumed).unwrap().to_json().unwrap(), expected);
    }
    let message = |plan: &FitPlan, steps, blocks| {
        whole.check_continues(plan, steps, blocks).unwrap_err().to_string()
    };
    assert!(message(&plan(2, 2, 2), 2, 2).contains("differ"));
    assert!(message(&whole.plan, 3, 2).contains("values"));
    assert!(message(&whole.plan, 2, 3).contains("values"));
}

#[test]
fn plans_that_do_not_fit_are_refused_and_so_are_values_that_are_no_numbers() {
    let mut evaluator = Linear::new(vec![vec![0.1, -0.2]], 0.3, 4);
    for plan in [plan(0, 4, 0), plan(3, 2, 0), plan(3, 1, 1), plan(3, 1, 4)] {
        let refused = FitState::new(plan).complete(&mut evaluator, &mut |_| Ok(()));
        assert!(matches!(refused, Err(ProbeError::Config(_))), "{refused:?}");
    }
    evaluator.noise = f64::NAN;
    let broken = FitState::new(plan(3, 1, 0)).complete(&mut evaluator, &mut |_| Ok(()));
    assert!(matches!(broken, Err(ProbeError::NotFinite { step: 0, .. })), "{broken:?}");
}
