//! What policies make of steps and batches.

use burn::tensor::{Device, Distribution, Tensor};
use reweight::{
    BatchPolicy, BlockWeights, FreeU, Policy, ReweightError, Schedule, StepMatrix, StepWindow,
};
use unet_core::{BlockKind, BlockMode, BlockSite, Intervention, SkipSite};

const SITE: SkipSite = SkipSite { up_block: 0, layer: 0, model_channels: 32 };

fn block(index: usize) -> BlockSite {
    BlockSite { index, kind: BlockKind::Mid }
}

fn matrix(rows: [[f64; 2]; 2]) -> StepMatrix {
    StepMatrix::from_rows(rows.map(Vec::from).to_vec()).unwrap()
}

/// Two steps, two blocks: the second block is skipped at the second step.
fn skipping() -> Policy {
    let weights = BlockWeights::new(matrix([[1.1, 1.0], [0.9, 1.0]])).unwrap();
    weights.with_thresholds(matrix([[0.0, 0.0], [0.0, 1.5]])).unwrap().into()
}

/// FreeU in the second half of the steps.
fn late_freeu() -> Policy {
    FreeU { window: StepWindow { start: 0.5, end: 1.0 }, ..FreeU::SD21 }.into()
}

fn features(samples: usize) -> Tensor<4> {
    Tensor::random([samples, 4, 6, 4], Distribution::Normal(0.0, 1.0), &Device::flex())
}

fn values(tensor: Tensor<4>) -> Vec<f32> {
    tensor.into_data().iter::<f32>().collect()
}

/// What an intervention makes of skip features and backbone features, sample by sample.
fn rewritten(active: &dyn Intervention, hidden: &Tensor<4>, skip: &Tensor<4>) -> Vec<Vec<f32>> {
    let (hidden, skip) = active.skip_connection(SITE, hidden.clone(), skip.clone());
    let sample = |i: usize| {
        let part = |tensor: &Tensor<4>| values(tensor.clone().narrow(0, i, 1));
        [part(&hidden), part(&skip)].concat()
    };
    (0..hidden.dims()[0]).map(sample).collect()
}

#[test]
fn for_batch_a_policy_without_blocks_leaves_the_others_on() {
    let batch = Policy::for_batch([skipping(), Policy::default()]);
    batch.check_fits(2, 2, 2).unwrap();
    let run = batch.run(2);
    let second = run.at_step(1).unwrap().unwrap();
    // Guidance doubles the batch, negative samples first.
    let action = second.attention_block(block(0), 4);
    assert_eq!(action.scale, Some(vec![0.9, 1.0, 0.9, 1.0]));
    let action = second.attention_block(block(1), 4);
    let [run, skip] = [BlockMode::Run, BlockMode::Skip];
    assert_eq!(action.mode, Some(vec![skip, run, skip, run]), "thresholds count in a batch");
}

#[test]
fn for_batch_every_sample_is_treated_as_it_would_be_alone() {
    let policies = [skipping(), late_freeu(), Policy::default(), FreeU::SDXL.into(), late_freeu()];
    let batch = Policy::for_batch(policies.clone());
    let (hidden, skip) = (features(5), features(5));
    let run = batch.run(2);
    for step in 0..2 {
        let together = run.at_step(step).unwrap().unwrap();
        let together = rewritten(&*together, &hidden, &skip);
        for (i, policy) in policies.iter().enumerate() {
            let part = |tensor: &Tensor<4>| tensor.clone().narrow(0, i, 1);
            let (hidden, skip) = (part(&hidden), part(&skip));
            let alone = match policy.at_step(step, 2).unwrap() {
                Some(alone) => rewritten(&*alone, &hidden, &skip).remove(0),
                None => [values(hidden), values(skip)].concat(),
            };
            assert_eq!(together[i], alone, "sample {i}, step {step}");
        }
    }
}

#[test]
fn at_all_steps_each_sample_is_treated_as_at_its_step() {
    let policy = Policy { freeu: late_freeu().freeu, ..skipping() };
    let both = policy.at_all_steps(2).unwrap().unwrap();
    assert_eq!(both.attention_block(block(0), 2).scale, Some(vec![1.1, 0.9]));
    assert_eq!(both.attention_block(block(1), 2).mode, Some(vec![BlockMode::Run, BlockMode::Skip]));
    let (hidden, skip) = (features(2), features(2));
    let found = rewritten(&*both, &hidden, &skip);
    let untouched = |i: usize| {
        let part = |tensor: &Tensor<4>| values(tensor.clone().narrow(0, i, 1));
        [part(&hidden), part(&skip)].concat()
    };
    assert_eq!(found[0], untouched(0), "FreeU acts outside its window");
    assert_ne!(found[1], untouched(1), "FreeU does not act in its window");
}

#[test]
fn at_step_vanilla_is_none() {
    let vanilla: Policy = BlockWeights::vanilla(2, 3).into();
    assert!(vanilla.at_step(0, 2).unwrap().is_none());
    assert!(vanilla.at_all_steps(2).unwrap().is_none());
    assert!(BatchPolicy::vanilla().run(2).at_step(0).unwrap().is_none());
    assert!(late_freeu().at_step(0, 2).unwrap().is_none(), "outside its window");
}

#[test]
fn weights_of_another_run_are_an_error() {
    let mismatch = |error: ReweightError| match error {
        ReweightError::Mismatch { what, expected, found } => (what, expected, found),
        other => panic!("{other}"),
    };
    let of = |result: Result<Option<Box<dyn Intervention>>, _>| mismatch(result.err().unwrap());
    assert_eq!(of(skipping().at_step(2, 3)), ("steps", 3, 2));
    assert_eq!(of(skipping().at_step(0, 3)), ("steps", 3, 2));
    assert_eq!(of(skipping().at_all_steps(3)), ("steps", 3, 2));
    let batch = Policy::for_batch([skipping(), BlockWeights::vanilla(2, 3).into()]);
    assert_eq!(of(batch.run(2).at_step(0)), ("blocks", 2, 3));
    assert_eq!(mismatch(batch.check_fits(2, 2, 3).unwrap_err()), ("blocks", 3, 2));
    let error = batch.check_fits(3, 2, 2).unwrap_err().to_string();
    assert!(error.contains("each of 3 samples, found 2"), "{error}");
}

#[test]
fn run_keeps_only_what_is_reused_and_single_steps_reuse_nothing() {
    let modes = StepMatrix::from_rows(vec![
        vec![BlockMode::Run, BlockMode::Run],
        vec![BlockMode::Reuse, BlockMode::Run],
    ]);
    let weights = BlockWeights::vanilla(2, 2).with_modes(modes.unwrap()).unwrap();
    let batch = Policy::for_batch([Policy::default(), weights.clone().into()]);
    let run = batch.run(2);
    let kept = |step: usize| {
        let step = run.at_step(step).unwrap().unwrap();
        [0, 1].map(|index| step.attention_block(block(index), 2).keep)
    };
    assert_eq!([kept(0), kept(1)], [[true, false], [false, false]]);
    let second = run.at_step(1).unwrap().unwrap();
    let modes = second.attention_block(block(0), 4).mode.unwrap();
    assert_eq!(modes, [BlockMode::Run, BlockMode::Reuse, BlockMode::Run, BlockMode::Reuse]);
    // A pass of all steps at once has no earlier one.
    let policy = Policy::from(weights.clone());
    let alone = |error| matches!(error, Some(ReweightError::Alone { .. }));
    assert!(policy.at_step(0, 2).unwrap().is_none());
    assert!(alone(policy.at_step(1, 2).err()) && alone(policy.at_all_steps(2).err()));
    assert!(alone(weights.at_step(1).err()));
}

#[test]
fn schedule_files_hold_modes_and_older_ones_are_read() {
    let modes = matrix([[0.0, 0.0], [0.0, 0.0]]).map(|_| BlockMode::Run);
    let mut reused = modes.clone();
    reused[1][1] = BlockMode::Reuse;
    let weights = BlockWeights::vanilla(2, 2);
    let policy = Policy::from(weights.clone().with_modes(reused).unwrap());
    let text = Schedule::from(policy.clone()).to_toml().unwrap();
    assert!(text.contains("\"reuse\""), "{text}");
    assert_eq!(toml::from_str::<Schedule>(&text).unwrap().policy(), policy);
    let plain = Policy::from(weights.with_modes(modes).unwrap());
    let plain = Schedule::from(plain).to_toml().unwrap();
    assert!(!plain.contains("modes"), "{plain}");
    assert!(toml::from_str::<Schedule>(&plain).unwrap().policy().check_fits(2, 2).is_ok());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.toml");
    for (modes, expected) in [
        ("[[\"run\", \"reuse\"]]", "step 0, block 1: expected an earlier step"),
        ("[[\"run\", \"rerun\"]]", "rerun"),
        ("[[\"run\"]]", "1 blocks, expected 2"),
    ] {
        let text = format!("[blocks]\nweights = [[1.0, 1.0]]\nmodes = {modes}\n");
        std::fs::write(&path, text).unwrap();
        let error = Policy::from_file(&path).unwrap_err().to_string();
        assert!(error.contains(expected) && error.contains("s.toml"), "{error}");
    }
}
