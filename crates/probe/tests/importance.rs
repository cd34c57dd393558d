//! Estimators of importance where it is known: losses quadratic in the weights, with a given Gram
//! matrix.

use probe::{
    Cost, CounterDraws, Details, Estimates, Estimator, Evaluator, ImportanceMap, ImportanceMethod,
    NoiseLevel, ProbeConfig, ProbeError, ProbeState, ReadScores, Subject, search,
};

use crate::support::{Linear, diagonal};

/// The known importance of seven blocks, and their order, least important first.
const KNOWN: [f64; 7] = [0.03, 0.9, 0.002, 0.3, 0.01, 0.1, 0.005];
const ORDER: [usize; 7] = [2, 6, 4, 0, 5, 3, 1];

fn subject(steps: usize, blocks: usize) -> Subject {
    let level = |step: usize| NoiseLevel { timestep: 900.0 - step as f64, sigma: 1.0 / 3.0 };
    Subject {
        facts: serde_json::json!({ "prompt": "known" }),
        steps: (0..steps).map(level).collect(),
        blocks: (0..blocks).map(|block| format!("{block} path.{block}")).collect(),
    }
}

const COST: Cost = Cost { unet_samples: 16, seconds: 0.1 };

fn estimate(estimator: Estimator, evaluator: &mut Linear) -> ImportanceMap {
    let mut estimates = Estimates::new(estimator);
    estimates.complete(evaluator, &mut |_| Ok(())).unwrap();
    let subject = subject(evaluator.steps(), evaluator.blocks());
    ImportanceMap::from_estimates(subject, estimates, COST).unwrap()
}

fn voted(config: &ProbeConfig, evaluator: &mut Linear) -> ImportanceMap {
    let mut draws = CounterDraws::new(config.seed);
    let (steps, blocks) = (evaluator.steps(), evaluator.blocks());
    let mut state = ProbeState::new(config, steps, blocks, &mut draws).unwrap();
    search(&mut state, evaluator, &mut draws, &mut |_| {}, &mut |_| Ok(())).unwrap();
    ImportanceMap::from_search(subject(steps, blocks), &state, COST).unwrap()
}

fn near(found: f64, expected: f64) -> bool {
    (found - expected).abs() < 1e-9
}

/// Spearman's correlation of two rankings, `[place] = block`.
fn spearman(a: &[usize], b: &[usize]) -> f64 {
    let m = a.len() as f64;
    let place = |block: usize| b.iter().position(|other| *other == block).unwrap() as f64;
    let squares: f64 =
        a.iter().enumerate().map(|(at, block)| (at as f64 - place(*block)).powi(2)).sum();
    1.0 - 6.0 * squares / (m * (m * m - 1.0))
}

#[test]
fn estimators_recover_the_known_order() {
    // Seeds differ in size, not in order.
    let jacobians = [1.0, 1.5, 0.7].map(|factor| diagonal(&KNOWN.map(|known| factor * known)));
    let mut evaluator = Linear { jacobians: jacobians.to_vec(), steps: 2 };
    for estimator in [Estimator::Derivative, Estimator::Skip, Estimator::Masks] {
        let map = estimate(estimator, &mut evaluator);
        for step in 0..2 {
            assert_eq!(map.ranking[step], ORDER, "{estimator:?}");
            for (block, known) in KNOWN.into_iter().enumerate() {
                assert!(near(map.values[step][block], known * 3.2 / 3.0), "{estimator:?}");
                let place = ORDER.iter().position(|other| *other == block).unwrap();
                let score = (place + 1) as f64 / 7.0;
                assert!(near(map.scores.matrix()[step][block], score));
                let interval = map.intervals.as_ref().unwrap()[step][block];
                assert!(near(interval.low, score) && near(interval.high, score));
            }
        }
        assert!(map.steps_of_chance().is_empty());
    }
}

#[test]
fn estimators_tell_what_blocks_do_together() {
    // G = AᵀA / 2 = [[0.5, 0.5, 0], [0.5, 1, 1], [0, 1, 2]].
    let jacobian = vec![vec![1.0, 1.0, 0.0], vec![0.0, 1.0, 2.0]];
    let gram = [[0.5, 0.5, 0.0], [0.5, 1.0, 1.0], [0.0, 1.0, 2.0]];
    let mut evaluator = Linear { jacobians: vec![jacobian], steps: 1 };
    let map = estimate(Estimator::Derivative, &mut evaluator);
    let Details::Derivative { gram: found } = &map.details else { panic!("{:?}", map.details) };
    let flat = gram.concat();
    assert!(found[0].values().iter().zip(&flat).all(|(a, b)| near(*a, *b)), "{found:?}");
    assert_eq!(map.intervals, None, "of one seed");
    assert!(map.to_csv().lines().nth(1).unwrap().starts_with("0,0,path.0,0.3333333333333333,,,"));
    // In a quadratic game the Shapley and Banzhaf values are the sums of G's rows, and the
    // interactions twice its entries.
    let map = estimate(Estimator::Masks, &mut evaluator);
    let Details::Masks { banzhaf, interactions, best } = &map.details else { panic!() };
    for (i, row) in gram.iter().enumerate() {
        let sum: f64 = row.iter().sum();
        assert!(near(map.values[0][i], sum) && near(banzhaf[0][i], sum));
        for (j, entry) in row.iter().enumerate().filter(|(j, _)| *j != i) {
            assert!(near(interactions[0][i][j], 2.0 * entry));
        }
    }
    let best: Vec<&[usize]> = best[0].iter().map(|set| &set.blocks[..]).collect();
    assert_eq!(best, [&[][..], &[0], &[0, 1], &[0, 1, 2]]);
}

#[test]
fn the_papers_vote_reverses_the_known_order() {
    let mut evaluator = Linear { jacobians: vec![diagonal(&KNOWN)], steps: 3 };
    let config = ProbeConfig { rounds: 60, epochs: 40, ..ProbeConfig::paper() };
    let map = voted(&config, &mut evaluator);
    assert_eq!(map.method, ImportanceMethod::Vote);
    let Details::Vote { agreement, .. } = &map.details else { panic!() };
    for (step, agreement) in agreement.iter().enumerate() {
        let correlation = spearman(&map.ranking[step], &ORDER);
        assert!(correlation < -0.6, "step {step}: {correlation}");
        assert!(agreement.is_told_from_chance(), "{agreement:?}");
    }
}

#[test]
fn intervals_widen_where_seeds_disagree() {
    let [up, down] = [[1.0, 2.0], [2.0, 1.0]].map(|known| diagonal(&known));
    let mut evaluator = Linear { jacobians: vec![up, down], steps: 1 };
    let map = estimate(Estimator::Skip, &mut evaluator);
    assert!(near(map.scores.matrix()[0][0], 0.75));
    let interval = map.intervals.as_ref().unwrap()[0][0];
    // Two seeds, 0.5 and 1: ± 12.7 · 0.25, cut to [0, 1].
    assert_eq!((interval.low, interval.high), (0.0, 1.0));
}

#[test]
fn estimates_interrupted_after_any_step_resume_to_the_same_result() {
    let mut evaluator = Linear { jacobians: vec![diagonal(&KNOWN); 2], steps: 3 };
    let mut whole = Estimates::new(Estimator::Masks);
    whole.complete(&mut evaluator, &mut |_| Ok(())).unwrap();
    for stop in 1..3 {
        let (mut saved, mut estimates) = (String::new(), Estimates::new(Estimator::Masks));
        let interrupted = estimates.complete(&mut evaluator, &mut |state| {
            saved = serde_json::to_string(state).unwrap();
            let stopped = || ProbeError::Interrupted { epoch: 0, reason: "test".into() };
            if state.measured.len() < stop { Ok(()) } else { Err(stopped()) }
        });
        assert!(interrupted.is_err());
        let mut resumed: Estimates = serde_json::from_str(&saved).unwrap();
        assert_eq!(resumed.measured.len(), stop);
        resumed.complete(&mut evaluator, &mut |_| Ok(())).unwrap();
        assert_eq!(resumed, whole);
    }
    for (steps, seeds, blocks, word) in
        [(2, 2, 7, "more steps"), (3, 1, 7, "seeds"), (3, 2, 6, "values"), (3, 2, 13, "at most 12")]
    {
        let error = whole.check_continues(steps, seeds, blocks).unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    }
}

#[test]
fn estimates_that_are_no_numbers_are_errors() {
    for estimator in [Estimator::Derivative, Estimator::Skip, Estimator::Masks] {
        let jacobian = diagonal(&[0.1, f64::NAN, 0.1]);
        let mut evaluator = Linear { jacobians: vec![jacobian], steps: 1 };
        let error = Estimates::new(estimator).complete(&mut evaluator, &mut |_| Ok(()));
        assert!(matches!(error, Err(ProbeError::NotFinite { step: 0, .. })), "{error:?}");
    }
}

#[test]
fn maps_are_read_as_they_were_written_and_not_otherwise() {
    let jacobians = vec![diagonal(&[0.3, 0.1, 0.7]), diagonal(&[0.1, 0.3, 0.7])];
    let mut evaluator = Linear { jacobians, steps: 2 };
    let mut maps = [Estimator::Derivative, Estimator::Skip, Estimator::Masks]
        .map(|estimator| estimate(estimator, &mut evaluator))
        .to_vec();
    let config = ProbeConfig { rounds: 3, epochs: 2, ..ProbeConfig::paper() };
    maps.push(voted(&config, &mut evaluator));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("map.json");
    for map in maps {
        let text = map.to_json().unwrap();
        std::fs::write(&path, &text).unwrap();
        assert_eq!(ImportanceMap::read(&path).unwrap(), map);
        assert_eq!(ReadScores::read(&path).unwrap().scores, map.scores);
        assert_eq!(map.to_csv().lines().count(), 1 + 2 * 3);
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        for (key, new, expected) in [
            ("version", serde_json::json!(2), "version 1, found 2"),
            ("method", serde_json::json!("guess"), "guess"),
            ("values", serde_json::json!([[1.0, 2.0, 3.0], [1.0, 2.0, 3.0]]), "`values`"),
            ("scores", serde_json::json!([[1.0, 1.0, 1.0], [1.0, 1.0, 1.0]]), "`scores`"),
            ("ranking", serde_json::json!([[0, 0, 0], [0, 0, 0]]), "`ranking`"),
            ("intervals", serde_json::json!(null), "`intervals`"),
            ("steps", serde_json::json!([]), "steps"),
            ("blocks", serde_json::json!(["0 a"]), "`evidence`"),
            ("extra", serde_json::json!(1), "extra"),
        ] {
            let mut value = value.clone();
            value[key] = new;
            std::fs::write(&path, value.to_string()).unwrap();
            let error = ImportanceMap::read(&path).unwrap_err().to_string();
            let named = error.contains("map.json") && error.contains(expected);
            assert!(named, "{:?}, {key}: {error}", map.method);
        }
    }
    assert!(matches!(ImportanceMap::read("not/there.json"), Err(ProbeError::File(_))));
}
