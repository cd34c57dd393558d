use crate::{SchedulerConfig, SchedulerError, TimestepSpacing};

/// The training timesteps of `n` inference steps, falling; whole numbers only where `rounded`
/// (Euler's linspace keeps fractions).
pub(crate) fn timesteps(
    config: &SchedulerConfig,
    default: TimestepSpacing,
    n: usize,
    rounded: bool,
) -> Result<Vec<f64>, SchedulerError> {
    let train = config.num_train_timesteps;
    if n == 0 || n > train {
        return Err(SchedulerError::Steps { max: train, found: n });
    }
    let offset = config.steps_offset as f64;
    Ok(match config.timestep_spacing.unwrap_or(default) {
        TimestepSpacing::Linspace => {
            let step = if n > 1 { (train - 1) as f64 / (n - 1) as f64 } else { 0.0 };
            let at = |i: usize| {
                if rounded { (i as f64 * step).round_ties_even() } else { i as f64 * step }
            };
            (0..n).rev().map(at).collect()
        }
        TimestepSpacing::Leading => {
            let ratio = train / n;
            (0..n).rev().map(|i| (i * ratio) as f64 + offset).collect()
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
    n: usize,
) -> Result<Vec<f64>, SchedulerError> {
    let spacing = config.timestep_spacing.unwrap_or(TimestepSpacing::Linspace);
    if spacing == TimestepSpacing::Trailing {
        return timesteps(config, spacing, n, true);
    }
    let max = config.num_train_timesteps;
    if n == 0 || n >= max {
        return Err(SchedulerError::Steps { max: max - 1, found: n });
    }
    let mut all = timesteps(config, TimestepSpacing::Linspace, n + 1, true)?;
    all.pop();
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spaced(spacing: TimestepSpacing, n: usize) -> Vec<f64> {
        let mut config = SchedulerConfig::default();
        config.timestep_spacing = Some(spacing);
        config.steps_offset = 1;
        timesteps(&config, spacing, n, true).unwrap()
    }

    #[test]
    fn timesteps_published_spacings_are_met() {
        assert_eq!(spaced(TimestepSpacing::Trailing, 2), [999.0, 499.0]);
        assert_eq!(spaced(TimestepSpacing::Trailing, 15)[..4], [999.0, 932.0, 866.0, 799.0]);
        assert_eq!(spaced(TimestepSpacing::Leading, 2), [501.0, 1.0]);
        assert_eq!(spaced(TimestepSpacing::Leading, 15)[..3], [925.0, 859.0, 793.0]);
    }

    proptest::proptest! {
        #[test]
        fn timesteps_fall_strictly(n in 1usize..=1000, leading: bool) {
            let spacing =
                if leading { TimestepSpacing::Leading } else { TimestepSpacing::Trailing };
            let all = spaced(spacing, n);
            proptest::prop_assert_eq!(all.len(), n);
            proptest::prop_assert!(all.windows(2).all(|pair| pair[0] > pair[1]));
            proptest::prop_assert!(all.iter().all(|t| (0.0..=1000.0).contains(t)));
        }
    }
}
