//! What units give, and what of it cannot be.

use metrics::EQUAL_PSNR;
use probe::{Estimates, FitState, Vote};
use pruning::{Distances, ReuseLosses};
use reweight::StepMatrix;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Something that a unit stores.
pub(crate) trait UnitResult: Serialize + DeserializeOwned {
    /// Says what was expected where it cannot be what was measured: no number, or out of range.
    fn check(&self) -> Result<(), String>;
}

/// A vote, and what it cost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Voted {
    pub(crate) vote: Vote,
    /// Samples the U-Net was run on.
    pub(crate) unet_samples: usize,
}

/// What each block at each step does to the result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct MeasuredEffects {
    /// Mean squared distance of the final latents to the vanilla ones.
    pub(crate) latents: StepMatrix,
    /// The same of the pictures' pixels, from 0 to 255.
    pub(crate) pixels: StepMatrix,
    /// `None` without the network.
    pub(crate) lpips: Option<StepMatrix>,
    /// Score minus the vanilla picture's; `None` without a scorer.
    pub(crate) score: Option<StepMatrix>,
}

/// Eq. 2 at each step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Ratios(pub(crate) Vec<f64>);

/// A sampled picture, which is a file of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sampled {
    /// Of the PNG.
    pub(crate) sha256: String,
}

/// What a scorer makes of a picture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Scored {
    /// Cosine with the prompt.
    pub(crate) score: f64,
    /// The picture's unit vector.
    pub(crate) features: Vec<f32>,
}

/// How close a picture is to the vanilla one.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Likeness {
    /// Peak signal-to-noise ratio in dB; `None` for equal pictures, whose ratio is infinite.
    pub(crate) psnr: Option<f64>,
    pub(crate) ssim: f64,
    /// `None` without the network.
    pub(crate) lpips: Option<f64>,
}

/// Seconds of timed runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Seconds(pub(crate) Vec<f64>);

impl Likeness {
    /// PSNR as it counts in means, in dB.
    pub(crate) fn capped_psnr(&self) -> f64 {
        self.psnr.map_or(EQUAL_PSNR, |psnr| psnr.min(EQUAL_PSNR))
    }
}

/// A student's pictures, which are files of their own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Finished {
    /// Mean loss of each epoch of its fine-tuning.
    pub(crate) losses: Vec<f64>,
    /// The pictures of each seed.
    pub(crate) seeds: Vec<SeedPictures>,
}

/// The pictures of one seed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SeedPictures {
    pub(crate) seed: u64,
    /// Of each PNG, in the order of the draws.
    pub(crate) sha256: Vec<String>,
}

impl UnitResult for Voted {
    fn check(&self) -> Result<(), String> {
        self.vote.importance().map(|_| ()).map_err(|error| error.to_string())
    }
}

impl UnitResult for Estimates {
    fn check(&self) -> Result<(), String> {
        self.measured.iter().flatten().flatten().try_for_each(|value| finite("estimates", *value))
    }
}

impl UnitResult for FitState {
    fn check(&self) -> Result<(), String> {
        let weights = self.weights().map_err(|error| error.to_string())?;
        weights.weights.weights().check_not_negative().map_err(|error| error.to_string())
    }
}

impl UnitResult for MeasuredEffects {
    fn check(&self) -> Result<(), String> {
        for distances in [&self.latents, &self.pixels] {
            distances.check_not_negative().map_err(|error| error.to_string())?;
        }
        let others = [&self.lpips, &self.score].into_iter().flatten();
        others.flat_map(StepMatrix::values).try_for_each(|value| finite("effects", *value))
    }
}

impl UnitResult for Ratios {
    fn check(&self) -> Result<(), String> {
        self.0.iter().try_for_each(|ratio| match ratio.is_finite() && *ratio >= 0.0 {
            true => Ok(()),
            false => Err(format!("expected ratios of 0 or more, found {ratio}")),
        })
    }
}

impl UnitResult for Sampled {
    fn check(&self) -> Result<(), String> {
        Ok(())
    }
}

impl UnitResult for Scored {
    fn check(&self) -> Result<(), String> {
        // Sums of rounded products may leave the range by a little.
        within("a cosine", self.score, [-1.001, 1.001])?;
        let features = self.features.iter();
        features.map(|value| f64::from(*value)).try_for_each(|v| finite("features", v))
    }
}

impl UnitResult for Likeness {
    fn check(&self) -> Result<(), String> {
        self.psnr.map_or(Ok(()), |psnr| finite("PSNR", psnr))?;
        within("SSIM", self.ssim, [-1.001, 1.001])?;
        self.lpips.map_or(Ok(()), |lpips| finite("LPIPS", lpips))
    }
}

impl UnitResult for Seconds {
    fn check(&self) -> Result<(), String> {
        self.0.iter().try_for_each(|seconds| match seconds.is_finite() && *seconds > 0.0 {
            true => Ok(()),
            false => Err(format!("expected seconds above 0, found {seconds}")),
        })
    }
}

impl UnitResult for ReuseLosses {
    fn check(&self) -> Result<(), String> {
        // It is only made of losses.
        Ok(())
    }
}

impl UnitResult for Finished {
    fn check(&self) -> Result<(), String> {
        self.losses.iter().try_for_each(|loss| finite("losses", *loss))
    }
}

impl UnitResult for Distances {
    fn check(&self) -> Result<(), String> {
        let named = [("FID", self.fid), ("KID", self.kid), ("LPIPS", self.lpips)];
        named.into_iter().try_for_each(|(name, value)| value.map_or(Ok(()), |v| finite(name, v)))
    }
}

fn finite(what: &str, value: f64) -> Result<(), String> {
    match value.is_finite() {
        true => Ok(()),
        false => Err(format!("expected {what} to be finite, found {value}")),
    }
}

fn within(what: &str, value: f64, [low, high]: [f64; 2]) -> Result<(), String> {
    match (low..=high).contains(&value) {
        true => Ok(()),
        false => Err(format!("expected {what} from {low:.0} to {high:.0}, found {value}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_refuses_what_is_no_number_or_out_of_range() {
        assert!(Ratios(vec![0.0, 12.5]).check().is_ok());
        for ratio in [f64::NAN, f64::INFINITY, -1.0] {
            assert!(Ratios(vec![1.0, ratio]).check().is_err(), "{ratio}");
        }
        let scored = Scored { score: 0.3, features: vec![0.6, 0.8] };
        assert!(scored.check().is_ok());
        for score in [f64::NAN, 123.0, -1.5] {
            let error = Scored { score, ..scored.clone() }.check().unwrap_err();
            assert!(error.contains(&score.to_string()), "{error}");
        }
        assert!(Scored { features: vec![f32::NAN], ..scored }.check().is_err());
        let far = Distances { fid: Some(f64::NAN), kid: None, lpips: None };
        assert!(far.check().unwrap_err().contains("FID"));
        let like = Likeness { psnr: None, ssim: 1.0, lpips: None };
        assert!(like.check().is_ok());
        assert!(Likeness { psnr: Some(f64::INFINITY), ..like }.check().is_err());
    }
}
