//! A schedule made for some steps, applied to others.

use serde::{Deserialize, Serialize};
use unet_core::BlockMode;

use crate::{BlockWeights, NoiseLevel, ReweightError, Schedule, StepMatrix, StepWindow};

/// Noise levels below this count as this: what is left of the noise cannot be told.
const LEAST_SIGMA: f64 = 1e-6;

/// How weights are taken from the steps of a schedule to those of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Resampling {
    /// Those of the step whose noise level is nearest (by the logarithm of σ).
    Nearest,
    /// Between the two steps around, linearly in the logarithm of σ; whether a block runs is that of
    /// the nearest.
    Interpolate,
}

/// Where steps lie: by the logarithm of σ where it is known, else by the fraction of the run.
fn positions(levels: &[NoiseLevel]) -> Vec<f64> {
    levels.iter().map(|level| -level.sigma.max(LEAST_SIGMA).ln()).collect()
}

fn fractions(steps: usize) -> Vec<f64> {
    (0..steps).map(|step| (step as f64 + 0.5) / steps as f64).collect()
}

/// The steps around a position, and how far it is from the first to the second.
fn around(at: f64, from: &[f64]) -> (usize, usize, f64) {
    let next = from.iter().position(|position| *position >= at).unwrap_or(from.len() - 1);
    if next == 0 || from[next] <= at {
        return (next, next, 0.0);
    }
    let (low, high) = (from[next - 1], from[next]);
    (next - 1, next, (at - low) / (high - low))
}

impl BlockWeights {
    /// The weights for steps at the positions `to`, of those at `from` (each ascending).
    fn moved(&self, from: &[f64], to: &[f64], how: Resampling) -> Result<Self, ReweightError> {
        let nearest = |at: f64| {
            let (low, high, share) = around(at, from);
            if share < 0.5 { low } else { high }
        };
        let blocks = self.blocks();
        let weights = StepMatrix::from_fn(to.len(), blocks, |step, block| match how {
            Resampling::Nearest => self.weights()[nearest(to[step])][block],
            Resampling::Interpolate => {
                let (low, high, share) = around(to[step], from);
                let (low, high) = (self.weights()[low][block], self.weights()[high][block]);
                low + (high - low) * share
            }
        });
        let modes = StepMatrix::from_fn(to.len(), blocks, |step, block| {
            self.mode(nearest(to[step]), block)
        });
        Self::new(weights)?.with_modes(modes)
    }
}

impl Schedule {
    /// The schedule for a run at these noise levels: nothing changes where it has as many steps at
    /// the same levels. Where its own levels are not known, both runs are compared by the fraction
    /// that is done.
    ///
    /// # Errors
    /// [`ReweightError::Reuse`] where a residual would be reused whose step falls away.
    pub fn resampled(&self, levels: &[NoiseLevel], how: Resampling) -> Result<Self, ReweightError> {
        let Some(blocks) = &self.blocks else { return Ok(self.clone()) };
        if self.steps.as_deref() == Some(levels) || levels.is_empty() {
            return Ok(self.clone());
        }
        let (from, to) = match &self.steps {
            Some(own) => (positions(own), positions(levels)),
            None => (fractions(blocks.steps()), fractions(levels.len())),
        };
        let blocks = Some(blocks.moved(&from, &to, how)?);
        Ok(Self { blocks, steps: Some(levels.to_vec()), ..self.clone() })
    }

    /// The same within a part of the run; outside it the U-Net stays as it is.
    ///
    /// # Errors
    /// [`ReweightError::Value`] for a window that is none; [`ReweightError::Reuse`] where a residual
    /// would be reused whose step lies outside.
    pub fn within(&self, window: StepWindow) -> Result<Self, ReweightError> {
        window.check()?;
        let empty = |steps: &usize| !(0..*steps).any(|step| window.contains(step, *steps));
        if let Some(steps) = self.blocks.as_ref().map(BlockWeights::steps).filter(empty) {
            return Err(ReweightError::Value(format!(
                "the window {},{} holds none of {steps} steps",
                window.start, window.end
            )));
        }
        let inside = |step: usize, steps: usize| window.contains(step, steps);
        let blocks = self.blocks.as_ref().map(|blocks| {
            let (steps, count) = (blocks.steps(), blocks.blocks());
            let weights = StepMatrix::from_fn(steps, count, |step, block| {
                if inside(step, steps) { blocks.weights()[step][block] } else { 1.0 }
            });
            let modes = StepMatrix::from_fn(steps, count, |step, block| {
                if inside(step, steps) { blocks.mode(step, block) } else { BlockMode::Run }
            });
            BlockWeights::new(weights)?.with_modes(modes)
        });
        let freeu = self.freeu.map(|mut freeu| {
            freeu.window = freeu.window.and(window);
            freeu
        });
        Ok(Self { blocks: blocks.transpose()?, freeu, ..self.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn schedule(rows: Vec<Vec<f64>>, sigmas: Option<&[f64]>) -> Schedule {
        let weights = BlockWeights::new(StepMatrix::from_rows(rows).unwrap()).unwrap();
        let level = |sigma: &f64| NoiseLevel { timestep: 100.0 * sigma, sigma: *sigma };
        Schedule {
            blocks: Some(weights),
            steps: sigmas.map(|sigmas| sigmas.iter().map(level).collect()),
            ..Schedule::default()
        }
    }

    fn levels(sigmas: &[f64]) -> Vec<NoiseLevel> {
        sigmas.iter().map(|sigma| NoiseLevel { timestep: 100.0 * sigma, sigma: *sigma }).collect()
    }

    fn weights(schedule: &Schedule) -> Vec<f64> {
        schedule.blocks.as_ref().unwrap().weights().values().to_vec()
    }

    #[test]
    fn resampled_goes_by_the_logarithm_of_sigma() {
        let own = schedule(vec![vec![1.0], vec![1.2]], Some(&[8.0, 2.0]));
        // 4 is half way between 8 and 2; 16 and 1 lie outside.
        let to = levels(&[16.0, 8.0, 5.0, 4.0, 3.0, 2.0, 1.0]);
        let nearest = own.resampled(&to, Resampling::Nearest).unwrap();
        assert_eq!(weights(&nearest), [1.0, 1.0, 1.0, 1.2, 1.2, 1.2, 1.2]);
        let between = weights(&own.resampled(&to, Resampling::Interpolate).unwrap());
        assert!((between[3] - 1.1).abs() < 1e-12 && between[0] == 1.0 && between[6] == 1.2);
        assert_eq!(nearest.steps.as_deref(), Some(&to[..]));
    }

    #[test]
    fn resampled_without_levels_goes_by_the_fraction_of_the_run() {
        let own = schedule(vec![vec![1.0], vec![1.2]], None);
        let to = levels(&[9.0, 5.0, 3.0, 1.0]);
        let nearest = own.resampled(&to, Resampling::Nearest).unwrap();
        assert_eq!(weights(&nearest), [1.0, 1.0, 1.2, 1.2]);
    }

    #[test]
    fn within_leaves_the_rest_as_it_is() {
        let own = schedule(vec![vec![1.1]; 4], None);
        let own = Schedule { freeu: Some(FREEU), ..own };
        let late = own.within(StepWindow { start: 0.5, end: 1.0 }).unwrap();
        assert_eq!(weights(&late), [1.0, 1.0, 1.1, 1.1]);
        assert_eq!(late.freeu.unwrap().window, StepWindow { start: 0.5, end: 1.0 });
        let empty = own.within(StepWindow { start: 0.8, end: 0.9 }).unwrap_err().to_string();
        assert!(empty.contains("none of 4 steps"), "{empty}");
        for (start, end) in [(-0.1, 0.5), (0.6, 0.5), (0.0, 1.5), (f64::NAN, 1.0)] {
            assert!(own.within(StepWindow { start, end }).is_err(), "{start} {end}");
        }
    }

    const FREEU: crate::FreeU = crate::FreeU::SD21;

    proptest! {
        #[test]
        fn resampled_weights_stay_within_those_of_the_schedule(
            rows in proptest::collection::vec(0.5f64..1.5, 1..12),
            steps in 1usize..30,
        ) {
            let sigmas = |count: usize| -> Vec<f64> {
                (0..count).map(|step| 14.0 * 0.8f64.powf(step as f64)).collect()
            };
            let (low, high) = rows.iter().fold((2.0f64, 0.0f64), |(l, h), w| (l.min(*w), h.max(*w)));
            let own = sigmas(rows.len());
            let own = schedule(rows.into_iter().map(|w| vec![w]).collect(), Some(&own));
            let to = levels(&sigmas(steps));
            for how in [Resampling::Nearest, Resampling::Interpolate] {
                let moved = own.resampled(&to, how).unwrap();
                prop_assert_eq!(moved.blocks.as_ref().unwrap().steps(), steps);
                prop_assert!(weights(&moved).iter().all(|w| (low..=high).contains(w)));
            }
        }
    }
}
