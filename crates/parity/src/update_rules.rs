//! The threshold update with the settings that a reference records.

use probe::{AcceptedWeights, RejectedWeights, UpdateStrategy};

use crate::facts::Facts;

/// The strategy `name`; `settings` gives those of "probability" for accepted and rejected samples.
pub(crate) fn update_strategy(
    name: &str,
    settings: impl FnOnce() -> anyhow::Result<[Facts; 2]>,
) -> anyhow::Result<UpdateStrategy> {
    match name {
        "hard" => Ok(UpdateStrategy::Hard),
        "soft" => Ok(UpdateStrategy::Soft),
        "probability" => {
            let [accepted, rejected] = settings()?;
            probability(&accepted, &rejected)
        }
        other => anyhow::bail!("the update strategy `{other}` is not implemented"),
    }
}

fn probability(accepted: &Facts, rejected: &Facts) -> anyhow::Result<UpdateStrategy> {
    let pair = |facts: &Facts, key: &str| -> anyhow::Result<[f64; 2]> {
        Ok([facts.read(&format!("{key}_st"))?, facts.read(&format!("{key}_ed"))?])
    };
    Ok(UpdateStrategy::Probability {
        accepted: AcceptedWeights {
            high: accepted.read("threshold_high")?,
            moderate: pair(accepted, "threshold_moderate")?,
            low: pair(accepted, "threshold_low")?,
        },
        rejected: RejectedWeights {
            high: pair(rejected, "threshold_high")?,
            moderate: pair(rejected, "threshold_moderate")?,
            low: rejected.read("threshold_low")?,
        },
    })
}
