//! A schedule file from scores of one's own: Eq. 7 turns importance into weights.
//!
//! `cargo run -p reweight --example schedule > schedule.toml`

use reweight::{BlockWeights, ImportanceScores, Schedule, StepMatrix, WeightRange};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Importance of three blocks at four steps, from 0 to 1: the first matters early, the last late.
    let rows = (0..4).map(|step| {
        let late = f64::from(step) / 3.0;
        vec![1.0 - late, 0.5, late]
    });
    let scores = ImportanceScores::new(StepMatrix::from_rows(rows.collect())?)?;
    let weights = BlockWeights::importance(&scores, WeightRange::new(0.98, 1.1)?);
    let means = (0..weights.steps()).map(|step| {
        let row = &weights.weights()[step];
        row.iter().sum::<f64>() / row.len() as f64
    });
    eprintln!("mean weight of each step: {:.3?}", means.collect::<Vec<_>>());
    let schedule = Schedule { blocks: Some(weights), ..Schedule::default() };
    print!("{}", toml::to_string(&schedule)?);
    Ok(())
}
