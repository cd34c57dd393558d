//! A schedule file, applied to a run.

use std::path::Path;

use clap::{Args, ValueEnum};
use pipeline::{Generation, Pipeline};
use reweight::{NoiseLevel, Policy, Resampling, ReweightError, Schedule, StepWindow};

use crate::failure::{OrUsage, usage};

/// How a schedule is applied to a run it was not made for.
#[derive(Args)]
pub struct AppliedOptions {
    /// Apply a schedule that is for other steps: the weights of the nearest noise level, or those
    /// between the two around.
    #[arg(long, value_enum)]
    resample: Option<How>,
    /// Apply the schedule in this part of the run only: `start,end` as fractions of the steps.
    #[arg(long, value_delimiter = ',', allow_negative_numbers = true)]
    window: Option<Vec<f64>>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum How {
    Nearest,
    Interpolate,
}

impl From<How> for Resampling {
    fn from(how: How) -> Self {
        match how {
            How::Nearest => Self::Nearest,
            How::Interpolate => Self::Interpolate,
        }
    }
}

impl AppliedOptions {
    /// What the schedule in `file` does in a run; nothing without a file.
    ///
    /// # Errors
    /// Naming the file, where it is for other steps or blocks.
    pub fn policy(
        &self,
        file: Option<&Path>,
        generation: &Generation,
        pipeline: &Pipeline,
    ) -> anyhow::Result<Policy> {
        let Some(path) = file else {
            if self.resample.is_some() || self.window.is_some() {
                return Err(usage("--resample and --window are for --weights"));
            }
            return Ok(Policy::default());
        };
        let named = |error: ReweightError| anyhow::anyhow!("`{}`: {error}", path.display());
        let mut schedule = Schedule::from_file(path)?;
        let blocks = pipeline.unet().config().blocks();
        let paths: Vec<String> = blocks.iter().map(|block| block.path.clone()).collect();
        schedule.check_paths(&paths).map_err(named)?;
        if let Some(window) = self.window()? {
            schedule = schedule.within(window).map_err(named)?;
        }
        let (levels, steps) = (generation.levels()?, generation.calls()?);
        let own = schedule.blocks.as_ref().map_or(steps, |blocks| blocks.steps());
        schedule = match self.resample {
            Some(how) => {
                let how = Resampling::from(how);
                if own != steps {
                    terminal::warn(format_args!(
                        "the schedule is for {own} steps, applied to {steps} ({})",
                        if how == Resampling::Nearest { "nearest" } else { "interpolated" }
                    ));
                }
                schedule.resampled(&levels, how).map_err(named)?
            }
            None if own != steps => {
                return Err(anyhow::anyhow!(
                    "`{}`: the schedule has {own} steps, expected {steps}; --resample nearest or \
                     interpolate applies it nevertheless",
                    path.display()
                ));
            }
            None => schedule,
        };
        if self.resample.is_none() && other_levels(&schedule, &levels) {
            terminal::warn(format_args!(
                "`{}` was made for other noise levels, and is applied step by step; --resample \
                 applies it by them",
                path.display()
            ));
        }
        let made_for = schedule.model.as_ref().and_then(|model| model.sha256.as_deref());
        if made_for.is_some_and(|sha256| pipeline.fingerprint().is_ok_and(|own| own != sha256)) {
            terminal::warn(format_args!("`{}` was made for another model", path.display()));
        }
        let policy = schedule.policy();
        policy.check_fits(steps, blocks.len()).map_err(named)?;
        Ok(policy)
    }

    fn window(&self) -> anyhow::Result<Option<StepWindow>> {
        let Some(ends) = &self.window else { return Ok(None) };
        let [start, end] = ends[..] else {
            let count = ends.len();
            return Err(usage(format_args!(
                "--window: expected `start,end`, found {count} numbers"
            )));
        };
        let window = StepWindow { start, end };
        window.check().or_usage()?;
        Ok(Some(window))
    }
}

/// Whether a schedule says that its steps lie at other noise levels.
fn other_levels(schedule: &Schedule, levels: &[NoiseLevel]) -> bool {
    /// Relative difference below which levels are the same.
    const SAME: f64 = 1e-3;
    let differs = |(own, level): (&NoiseLevel, &NoiseLevel)| {
        (own.sigma - level.sigma).abs() > SAME * level.sigma.max(SAME)
    };
    schedule.steps.as_ref().is_some_and(|own| own.iter().zip(levels).any(differs))
}
