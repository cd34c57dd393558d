//! What plans promise, whatever the losses and costs.

use proptest::prelude::*;
use reweight::StepMatrix;
use unet_core::BlockMode;

use super::{Omission, SkipCosts, SkipLosses, SkipPlan};

const STEPS: usize = 3;
const BLOCKS: usize = 3;

fn costs() -> impl Strategy<Value = SkipCosts> {
    let blocks = proptest::collection::vec(1u64..30, BLOCKS);
    (0u64..100, blocks).prop_map(|(rest, blocks)| {
        SkipCosts::new(rest + blocks.iter().sum::<u64>(), blocks).unwrap()
    })
}

/// Of all sets, or of each block; eighths, whose sums are exact.
fn losses() -> impl Strategy<Value = SkipLosses> {
    let rows = |count: usize| {
        let loss = (0u32..1000).prop_map(|eighths| f64::from(eighths) / 8.0);
        proptest::collection::vec(proptest::collection::vec(loss, count), STEPS)
    };
    let sets = rows(1 << BLOCKS).prop_map(|mut rows| {
        rows.iter_mut().for_each(|row| row[0] = 0.0);
        SkipLosses::of_sets(BLOCKS, rows).unwrap()
    });
    let blocks = rows(BLOCKS)
        .prop_map(|rows| SkipLosses::of_blocks(StepMatrix::from_rows(rows).unwrap()).unwrap());
    prop_oneof![sets, blocks]
}

fn omission() -> impl Strategy<Value = Omission> {
    prop_oneof![Just(Omission::Skip), Just(Omission::Reuse)]
}

proptest! {
    #[test]
    fn within_keeps_the_budget_and_beats_every_set_at_all_steps(
        losses in losses(), costs in costs(), omission in omission(),
    ) {
        for set in 0usize..1 << BLOCKS {
            let members: Vec<usize> = (0..BLOCKS).filter(|i| set >> i & 1 == 1).collect();
            let fixed = SkipPlan::fixed(STEPS, &members, &costs, omission).unwrap();
            let plan = SkipPlan::within(&losses, &costs, fixed.share, omission).unwrap();
            prop_assert!(plan.share <= fixed.share + 1e-9);
            prop_assert!(losses.loss(&plan.skips) <= losses.loss(&fixed.skips));
        }
    }

    #[test]
    fn within_foresees_no_less_loss_for_a_smaller_budget(
        losses in losses(), costs in costs(), omission in omission(),
    ) {
        let foreseen = |percent: u32| {
            let budget = f64::from(percent) / 100.0;
            let plan = SkipPlan::within(&losses, &costs, budget, omission).ok()?;
            Some(losses.loss(&plan.skips))
        };
        let mut last = 0.0;
        for percent in (0..=100).rev() {
            let Some(loss) = foreseen(percent) else { break };
            prop_assert!(loss >= last);
            last = loss;
        }
        prop_assert_eq!(foreseen(100), Some(0.0));
    }

    #[test]
    fn plans_with_reuse_can_be_run(losses in losses(), costs in costs()) {
        let budget = 1.0 - costs.blocks()[0] as f64 / costs.step() as f64 / 2.0;
        let plan = SkipPlan::within(&losses, &costs, budget, Omission::Reuse).unwrap();
        let weights = plan.block_weights().unwrap();
        for block in 0..BLOCKS {
            prop_assert_eq!(weights.mode(0, block), BlockMode::Run);
            for step in 1..STEPS {
                let left_out = plan.skips.steps()[step].contains(&block);
                prop_assert_eq!(weights.mode(step, block) == BlockMode::Reuse, left_out);
            }
        }
    }
}

#[test]
fn within_fifty_steps_of_unequal_costs_take_no_time() {
    let noise = |i: usize| (i as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
    let costs = SkipCosts::new(60_000_000, (1..=7).map(noise).collect()).unwrap();
    let loss = |step: usize, set: usize| match set {
        0 => 0.0,
        _ => (set.count_ones() as f64).powi(2) * noise(1000 * step + set) as f64,
    };
    let rows = (0..50).map(|step| (0..128).map(|set| loss(step, set)).collect()).collect();
    let losses = SkipLosses::of_sets(7, rows).unwrap();
    let start = std::time::Instant::now();
    let plan = SkipPlan::within(&losses, &costs, 0.7, Omission::Skip).unwrap();
    assert!(plan.share <= 0.7 && plan.share > 0.69, "{}", plan.share);
    assert!(start.elapsed().as_secs() < 20, "{:?}", start.elapsed());
}

#[test]
fn refreshed_runs_all_blocks_or_none() {
    let costs = SkipCosts::new(10, vec![2, 3]).unwrap();
    let plan = SkipPlan::refreshed(4, 2, &costs).unwrap();
    assert_eq!(plan.skips.to_string(), " | 0+1 |  | 0+1");
    assert!((plan.share - 0.75).abs() < 1e-12);
    assert!(plan.block_weights().is_ok());
}

#[test]
fn plans_of_other_shapes_are_refused() {
    let costs = SkipCosts::new(10, vec![2, 3]).unwrap();
    let three = StepMatrix::from_rows(vec![vec![0, 1, 2]]).unwrap();
    let error = SkipPlan::by_rank(&three, &costs, 0.9, Omission::Skip).unwrap_err();
    assert!(error.to_string().contains("3 blocks"), "{error}");
    let losses = SkipLosses::of_blocks(three.map(|_| 1.0)).unwrap();
    assert!(SkipPlan::within(&losses, &costs, 0.9, Omission::Skip).is_err());
    let losses = SkipLosses::of_blocks(StepMatrix::filled(1, 2, 1.0)).unwrap();
    let error = SkipPlan::within(&losses, &costs, 0.9, Omission::Reuse).unwrap_err();
    assert!(error.to_string().contains("0 of 1 steps"), "{error}");
    assert!(SkipPlan::fixed(1, &[2], &costs, Omission::Skip).is_err());
    assert!(SkipPlan::refreshed(2, 0, &costs).is_err());
}
