//! What runs take on this machine.

use std::time::Instant;

use pipeline::{Control, Pipeline, SampleRequest};
use reweight::{BatchPolicy, Policy};

use super::costs::SkipCosts;
use super::plan::{Omission, SkipPlan};
use crate::PruningError;

/// The median time, in seconds, that `request` takes from noise to latents under each policy. One
/// run of each comes first and does not count; then the policies take turns, so that a machine that
/// slows down slows all of them.
///
/// # Errors
/// [`PruningError::Settings`] for no run, [`PruningError::Pipeline`] where one fails.
pub fn time_runs(
    pipeline: &Pipeline,
    request: &SampleRequest,
    policies: &[Policy],
    runs: usize,
) -> Result<Vec<f64>, PruningError> {
    if runs == 0 {
        return Err(PruningError::Settings("expected at least one run to time, found 0".into()));
    }
    let batches: Vec<BatchPolicy> = policies.iter().map(BatchPolicy::from).collect();
    let mut seconds = vec![Vec::with_capacity(runs); batches.len()];
    for turn in 0..=runs {
        for (policy, seconds) in batches.iter().zip(&mut seconds) {
            let start = Instant::now();
            pipeline.sample(request, policy, &mut |_| Control::Continue)?;
            if turn > 0 {
                seconds.push(start.elapsed().as_secs_f64());
            }
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
        let mut policies = vec![Policy::default()];
        for block in 0..blocks {
            let plan = SkipPlan::fixed(steps, &[block], &alike, Omission::Skip)?;
            policies.push(plan.block_weights()?.into());
        }
        let seconds = time_runs(pipeline, request, &policies, runs)?;
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
