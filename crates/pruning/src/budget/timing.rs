//! What runs take on this machine.

use std::time::Instant;

use pipeline::{Control, Pipeline, SampleRequest};
use reweight::{BatchPolicy, Policy};

use super::costs::SkipCosts;
use super::plan::{Omission, SkipPlan};
use crate::PruningError;

/// The median time, in seconds, that each request takes from noise to latents under its policy, of
/// so many runs each. A run of the first that does not count comes before; then they take turns, so
/// that a machine that slows down slows all of them.
///
/// # Errors
/// [`PruningError::Settings`] for no run, [`PruningError::Pipeline`] where one fails.
pub fn time_runs(
    pipeline: &Pipeline,
    timed: &[(&SampleRequest, Policy)],
    runs: usize,
) -> Result<Vec<f64>, PruningError> {
    if runs == 0 {
        return Err(PruningError::Settings("expected at least one run to time, found 0".into()));
    }
    let seconds_of = |(request, policy): &(&SampleRequest, Policy)| {
        let policy = BatchPolicy::from(policy);
        let start = Instant::now();
        pipeline.sample(request, &policy, &mut |_| Control::Continue)?;
        Ok::<_, PruningError>(start.elapsed().as_secs_f64())
    };
    timed.first().map(seconds_of).transpose()?;
    let mut seconds = vec![Vec::with_capacity(runs); timed.len()];
    for _ in 0..runs {
        for (run, seconds) in timed.iter().zip(&mut seconds) {
            seconds.push(seconds_of(run)?);
        }
    }
    Ok(seconds.into_iter().map(median).collect())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let half = values.len() / 2;
    match values.len() % 2 {
        0 => (values[half - 1] + values[half]) / 2.0,
        _ => values[half],
    }
}

impl SkipCosts {
    /// Nanoseconds of a step of `request`, and by how much shorter it is where a block is skipped
    /// at every step ([`time_runs`]); 0 where it is not.
    ///
    /// # Errors
    /// As of [`time_runs`]; [`PruningError::Settings`] where no block saves any time.
    pub fn measured(
        pipeline: &Pipeline,
        request: &SampleRequest,
        runs: usize,
    ) -> Result<Self, PruningError> {
        let (steps, blocks) = (request.calls()?, pipeline.unet().config().num_attention_blocks());
        let alike = Self::new(blocks as u64, vec![1; blocks])?;
        let mut timed = vec![(request, Policy::default())];
        for block in 0..blocks {
            let plan = SkipPlan::fixed(steps, &[block], &alike, Omission::Skip)?;
            timed.push((request, plan.block_weights()?.into()));
        }
        let seconds = time_runs(pipeline, &timed, runs)?;
        let nanoseconds = |seconds: f64| (seconds.max(0.0) * 1e9 / steps as f64) as u64;
        let saved = seconds[1..].iter().map(|with| nanoseconds(seconds[0] - with)).collect();
        Self::new(nanoseconds(seconds[0]), saved)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn median_is_the_middle() {
        assert_eq!(median(vec![3.0, 1.0, 9.0]), 3.0);
        assert_eq!(median(vec![3.0, 1.0, 9.0, 4.0]), 3.5);
    }
}
