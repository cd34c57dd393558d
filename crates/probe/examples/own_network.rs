//! The Importance Probe on a network of one's own: whatever answers how far a prediction moves when
//! its blocks are lowered or skipped. No U-Net, no pipeline.
//!
//! `cargo run -p probe --example own_network`

use probe::{Agreement, Candidate, CounterDraws, Evaluator, ProbeConfig, ProbeError, ProbeState};
use reweight::runs;

/// A network whose blocks do not touch each other: lowering block `i` by `u` costs `matters[i] u²`.
struct Network {
    matters: Vec<f64>,
    asked: usize,
}

impl Evaluator for Network {
    fn batches(&self) -> usize {
        1
    }

    fn steps(&self) -> usize {
        2
    }

    fn blocks(&self) -> usize {
        self.matters.len()
    }

    fn losses(
        &mut self,
        _batch: usize,
        _step: usize,
        candidates: &[Candidate<'_>],
    ) -> Result<Vec<f64>, ProbeError> {
        self.asked += candidates.len();
        let loss = |candidate: &Candidate<'_>| {
            let blocks = candidate.weights.iter().zip(candidate.thresholds).zip(&self.matters);
            blocks
                .map(|((weight, threshold), matters)| {
                    let lowered = if runs(*weight, *threshold) { 1.0 - weight } else { 1.0 };
                    matters * lowered * lowered
                })
                .sum()
        };
        Ok(candidates.iter().map(loss).collect())
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut network = Network { matters: vec![0.001, 0.1, 0.01, 0.3], asked: 0 };
    let config = ProbeConfig { rounds: 60, ..ProbeConfig::paper() };
    let mut draws = CounterDraws::new(config.seed);
    let mut state = ProbeState::new(&config, network.steps(), network.blocks(), &mut draws)?;
    probe::search(&mut state, &mut network, &mut draws, &mut |_| {}, &mut |_| Ok(()))?;
    let vote = probe::vote(&state.thresholds(), config.seed)?;
    println!("{} predictions; {} rounds vote", network.asked, vote.rounds);
    println!("what a block matters: {:?}", network.matters);
    for (step, agreement) in Agreement::of_vote(&vote, config.seed).iter().enumerate() {
        println!(
            "step {step}: scores {:?}, told from chance: {}",
            &vote.scores[step],
            agreement.is_told_from_chance()
        );
    }
    println!(
        "a block that hardly matters is lowered furthest, and its threshold with it: the vote"
    );
    println!("calls it important. See the project's README, \"Which importance is true\".");
    Ok(())
}
