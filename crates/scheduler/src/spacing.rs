//! Which training timesteps the inference steps are at.

use crate::{SchedulerConfig, SchedulerError, SchedulerKind, TimestepSpacing};

/// The training timesteps of `n` inference steps, falling; whole numbers only where `rounded`
/// (Euler's linspace keeps fractions). `default` is the spacing of `kind` where the configuration
/// names none.
pub(crate) fn timesteps(
    config: &SchedulerConfig,
    kind: SchedulerKind,
    default: TimestepSpacing,
    n: usize,
    rounded: bool,
) -> Result<Vec<f64>, SchedulerError> {
    let train = config.num_train_timesteps;
    check_steps(kind, n, 1, train)?;
    Ok(match config.timestep_spacing.unwrap_or(default) {
        TimestepSpacing::Linspace => {
            let step = if n > 1 { (train - 1) as f64 / (n - 1) as f64 } else { 0.0 };
            let at = |i: usize| {
                if rounded { (i as f64 * step).round_ties_even() } else { i as f64 * step }
            };
            (0..n).rev().map(at).collect()
        }
        TimestepSpacing::Leading => {
            let (ratio, offset) = (train / n, config.steps_offset);
            let first = (n - 1) * ratio + offset;
            if first >= train {
                return Err(SchedulerError::Offset {
                    class: kind.class_name(),
                    offset,
                    steps: n,
                    first,
                    last: train - 1,
                });
            }
            (0..n).rev().map(|i| (i * ratio + offset) as f64).collect()
        }
        TimestepSpacing::Trailing => {
            let ratio = train as f64 / n as f64;
            let at = |i: usize| (train as f64 - i as f64 * ratio).round_ties_even() - 1.0;
            (0..n).map(at).collect()
        }
    })
}

/// The training timesteps of DPM-Solver: where the spacing counts from 0, it is one of `n + 1`
/// steps without the last.
pub(crate) fn timesteps_between(
    config: &SchedulerConfig,
    kind: SchedulerKind,
    n: usize,
) -> Result<Vec<f64>, SchedulerError> {
    let default = TimestepSpacing::Linspace;
    if config.timestep_spacing == Some(TimestepSpacing::Trailing) {
        return timesteps(config, kind, default, n, true);
    }
    check_steps(kind, n, 1, config.num_train_timesteps - 1)?;
    let mut timesteps = timesteps(config, kind, default, n + 1, true)?;
    timesteps.pop();
    Ok(timesteps)
}

/// An error where `n` is not from `min` to `max`.
pub(crate) fn check_steps(
    kind: SchedulerKind,
    n: usize,
    min: usize,
    max: usize,
) -> Result<(), SchedulerError> {
    if (min..=max).contains(&n) {
        return Ok(());
    }
    Err(SchedulerError::Steps { class: kind.class_name(), min, max, found: n })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn try_spaced(
        spacing: TimestepSpacing,
        n: usize,
        steps_offset: usize,
    ) -> Result<Vec<f64>, SchedulerError> {
        let config = SchedulerConfig {
            timestep_spacing: Some(spacing),
            steps_offset,
            ..SchedulerConfig::default()
        };
        timesteps(&config, SchedulerKind::Ddim, spacing, n, true)
    }

    fn spaced(spacing: TimestepSpacing, n: usize) -> Vec<f64> {
        try_spaced(spacing, n, 1).unwrap()
    }

    #[test]
    fn timesteps_published_spacings_are_met() {
        assert_eq!(spaced(TimestepSpacing::Trailing, 2), [999.0, 499.0]);
        assert_eq!(spaced(TimestepSpacing::Trailing, 15)[..4], [999.0, 932.0, 866.0, 799.0]);
        assert_eq!(spaced(TimestepSpacing::Leading, 2), [501.0, 1.0]);
        assert_eq!(spaced(TimestepSpacing::Leading, 15)[..3], [925.0, 859.0, 793.0]);
    }

    #[test]
    fn offsets_that_leave_the_training_timesteps_are_refused() {
        assert_eq!(try_spaced(TimestepSpacing::Leading, 1, 999).unwrap(), [999.0]);
        let error = try_spaced(TimestepSpacing::Leading, 4, 999).unwrap_err().to_string();
        assert!(error.contains("`steps_offset` = 999") && error.contains("1749"), "{error}");
        assert!(try_spaced(TimestepSpacing::Leading, 1000, 0).is_ok());
        assert!(try_spaced(TimestepSpacing::Leading, 1000, 1).is_err());
        // Only the leading spacing adds it.
        assert!(try_spaced(TimestepSpacing::Trailing, 4, 999).is_ok());
    }

    #[test]
    fn numbers_of_steps_without_timesteps_are_refused() {
        for (n, spacing) in [(0, TimestepSpacing::Leading), (1001, TimestepSpacing::Linspace)] {
            let error = try_spaced(spacing, n, 0).unwrap_err().to_string();
            assert!(error.contains(&format!("1 to 1000 inference steps, found {n}")), "{error}");
        }
        let config = SchedulerConfig { num_train_timesteps: 1, ..SchedulerConfig::default() };
        assert!(timesteps_between(&config, SchedulerKind::DpmSolverMultistep, 1).is_err());
    }

    proptest::proptest! {
        #[test]
        fn timesteps_fall_strictly(n in 1usize..=999, leading: bool) {
            let spacing =
                if leading { TimestepSpacing::Leading } else { TimestepSpacing::Trailing };
            let timesteps = spaced(spacing, n);
            proptest::prop_assert_eq!(timesteps.len(), n);
            proptest::prop_assert!(timesteps.windows(2).all(|pair| pair[0] > pair[1]));
            proptest::prop_assert!(timesteps.iter().all(|t| (0.0..=999.0).contains(t)));
        }
    }
}
