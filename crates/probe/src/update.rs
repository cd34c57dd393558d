//! How thresholds move: the Threshold Update Schedule.

use serde::{Deserialize, Serialize};

use crate::ProbeError;

/// How thresholds move after each batch (the paper's Threshold Update Schedule).
///
/// `q` is the old threshold, `p` the proposal, `s = (epoch + 1) / epochs`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "strategy", rename_all = "snake_case", deny_unknown_fields)]
pub enum UpdateStrategy {
    /// Accepted `p − eps`, rejected `q / 2`.
    Hard,
    /// Accepted `q + (1 − s)((p − eps) − q)`, rejected `s q`.
    Soft,
    /// Conditional expectation `H q/2 + M q + L (p − eps)` (the paper's).
    Probability {
        /// Probabilities after acceptance.
        #[serde(default)]
        accepted: AcceptedWeights,
        /// Probabilities after rejection.
        #[serde(default)]
        rejected: RejectedWeights,
    },
}

impl Default for UpdateStrategy {
    fn default() -> Self {
        Self::Probability {
            accepted: AcceptedWeights::default(),
            rejected: RejectedWeights::default(),
        }
    }
}

/// After acceptance the threshold is too high with a constant probability.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AcceptedWeights {
    /// H, constant.
    pub high: f64,
    /// M at s = 0 and s = 1.
    pub moderate: [f64; 2],
    /// L at s = 0 and s = 1.
    pub low: [f64; 2],
}

impl Default for AcceptedWeights {
    fn default() -> Self {
        Self { high: 0.06, moderate: [0.47, 0.84], low: [0.47, 0.10] }
    }
}

/// After rejection the threshold is too low with a constant probability.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RejectedWeights {
    /// H at s = 0 and s = 1.
    pub high: [f64; 2],
    /// M at s = 0 and s = 1.
    pub moderate: [f64; 2],
    /// L, constant.
    pub low: f64,
}

impl Default for RejectedWeights {
    fn default() -> Self {
        Self { high: [0.48, 0.30], moderate: [0.48, 0.66], low: 0.04 }
    }
}

fn linear([start, end]: [f64; 2], s: f64) -> f64 {
    start + (end - start) * s
}

impl AcceptedWeights {
    fn at(&self, s: f64) -> [f64; 3] {
        [self.high, linear(self.moderate, s), linear(self.low, s)]
    }
}

impl RejectedWeights {
    fn at(&self, s: f64) -> [f64; 3] {
        [linear(self.high, s), linear(self.moderate, s), self.low]
    }
}

impl UpdateStrategy {
    /// The new threshold, in [0, 1].
    pub fn update(&self, q: f64, p: f64, accepted: bool, s: f64, eps: f64) -> f64 {
        let target = p - eps;
        let new = match (self, accepted) {
            (Self::Hard, true) => target,
            (Self::Hard, false) => q / 2.0,
            (Self::Soft, true) => q + (1.0 - s) * (target - q),
            (Self::Soft, false) => s * q,
            (Self::Probability { accepted, .. }, true) => mix(accepted.at(s), q, target),
            (Self::Probability { rejected, .. }, false) => mix(rejected.at(s), q, target),
        };
        new.clamp(0.0, 1.0)
    }

    /// Checks that the probabilities sum to 1.
    ///
    /// # Errors
    /// [`ProbeError::Config`] naming the sum.
    pub fn check(&self) -> Result<(), ProbeError> {
        let Self::Probability { accepted, rejected } = self else { return Ok(()) };
        for s in [0.0, 1.0] {
            for (name, parts) in [("accepted", accepted.at(s)), ("rejected", rejected.at(s))] {
                let sum: f64 = parts.iter().sum();
                let proper = parts.iter().all(|part| (0.0..=1.0).contains(part));
                if !proper || (sum - 1.0).abs() > 1e-9 {
                    return Err(ProbeError::Config(format!(
                        "update probabilities `{name}` must lie in [0, 1] and sum to 1, found \
                         {parts:?} (sum {sum}) at s = {s}"
                    )));
                }
            }
        }
        Ok(())
    }
}

fn mix([high, moderate, low]: [f64; 3], q: f64, target: f64) -> f64 {
    high * (q / 2.0) + moderate * q + low * target
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn check_probabilities_that_do_not_sum_to_one_are_refused() {
        assert!(UpdateStrategy::default().check().is_ok());
        let accepted = AcceptedWeights { high: 0.2, ..AcceptedWeights::default() };
        let rejected = RejectedWeights::default();
        assert!(UpdateStrategy::Probability { accepted, rejected }.check().is_err());
    }

    #[test]
    fn update_follows_each_rule() {
        // q = 0.5, p = 0.9, eps = 0.01, s = ½: H, M, L are 0.06, 0.655, 0.285 after acceptance and
        // 0.39, 0.57, 0.04 after rejection.
        for (strategy, accepted, rejected) in [
            (UpdateStrategy::Hard, 0.89, 0.25),
            (UpdateStrategy::Soft, 0.695, 0.25),
            (UpdateStrategy::default(), 0.59615, 0.4181),
        ] {
            for (expected, accepted) in [(accepted, true), (rejected, false)] {
                let new = strategy.update(0.5, 0.9, accepted, 0.5, 0.01);
                assert!((new - expected).abs() < 1e-12, "{strategy:?}, {accepted}: {new}");
            }
        }
    }

    proptest! {
        #[test]
        fn update_acceptance_moves_towards_the_proposal_and_rejection_hardly_rises(
            q in 0.0f64..=1.0, p in 0.0f64..=1.0, s in 0.0f64..=1.0, accepted: bool,
        ) {
            let target = (p - 0.01).max(0.0);
            for strategy in [UpdateStrategy::Hard, UpdateStrategy::Soft, UpdateStrategy::default()] {
                let new = strategy.update(q, p, accepted, s, 0.01);
                if accepted {
                    // Between what it was and the proposal, but for a share H = 0.06 of q/2.
                    let (low, high) = (0.94 * q.min(target), q.max(target));
                    prop_assert!(new >= low - 1e-12 && new <= high + 1e-12, "{new}");
                } else {
                    // Up by at most L = 0.04 of the way to the proposal.
                    prop_assert!(new >= 0.0 && new <= q + 0.04 * (target - q).max(0.0) + 1e-12);
                }
            }
        }
    }
}
