use std::cell::RefCell;
use std::collections::HashMap;

use burn::tensor::Tensor;
use dataset::Example;
use probe::Vote;
use reweight::Policy;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::weightings::Weighting;
use crate::{Context, ReproduceError};

/// Changes whenever a unit's result would change for the same settings.
const FORMAT: u32 = 1;
/// Largest number of samples of one U-Net call; results do not depend on it.
pub(crate) const UNET_BATCH: usize = 32;

/// One piece of work whose result is stored.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Unit {
    /// The importance of every block for one picture's caption.
    Probe { example: usize },
    /// Eq. 2 on one picture, at every inference step.
    Snr { example: usize, seed: u64, steps: usize, weighting: Weighting },
    /// A picture sampled from one caption.
    Picture { example: usize, seed: u64, weighting: Weighting },
    /// The preference score of such a picture.
    Score { example: usize, seed: u64, weighting: Weighting },
}

/// What a scorer makes of a picture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Scored {
    /// Cosine with the prompt.
    pub(crate) score: f64,
    /// The picture's unit vector.
    pub(crate) features: Vec<f32>,
}

/// Runs units, keeping what several of them need.
pub(crate) struct Runner<'a> {
    pub(crate) context: &'a Context,
    pub(crate) examples: Vec<&'a Example>,
    /// Hash of each example's pixels.
    pub(crate) pixels: Vec<String>,
    pub(crate) latents: RefCell<HashMap<usize, Tensor<4>>>,
}

impl<'a> Runner<'a> {
    pub(crate) fn new(context: &'a Context) -> Result<Self, ReproduceError> {
        let examples: Vec<&Example> = context.examples().collect();
        let hash = |example: &&Example| context.store.key(&example.pixels);
        let pixels = examples.iter().map(hash).collect::<Result<_, _>>()?;
        Ok(Self { context, examples, pixels, latents: RefCell::default() })
    }

    pub(crate) fn example(&self, index: usize) -> &'a Example {
        self.examples[index]
    }

    /// The key of everything a unit depends on.
    pub(crate) fn key(&self, unit: &Unit) -> Result<String, ReproduceError> {
        let context = self.context;
        let experiment = &context.experiment;
        let common = |example: usize| {
            let example = self.examples[example];
            json!({
                "format": FORMAT,
                "model": context.model_sha256,
                "text": example.text,
                "guidance": experiment.guidance_scale,
                "negative": experiment.negative_prompt,
                "size": context.picture_size,
            })
        };
        let probed = |example: usize, weighting: &Weighting| -> Result<_, ReproduceError> {
            Ok(if weighting.needs_probe() {
                Some(self.key(&Unit::Probe { example })?)
            } else {
                None
            })
        };
        let value = match unit {
            Unit::Probe { example } => json!({
                "kind": "probe",
                "common": common(*example),
                "steps": experiment.steps,
                "seed": experiment.train_seed,
                "probe": experiment.probe_at(context.size),
            }),
            Unit::Snr { example, seed, steps, weighting } => json!({
                "kind": "snr",
                "common": common(*example),
                "pixels": self.pixels[*example],
                "steps": steps,
                "seed": seed,
                "weighting": weighting,
                "probe": probed(*example, weighting)?,
            }),
            Unit::Picture { example, seed, weighting } => json!({
                "kind": "picture",
                "common": common(*example),
                "steps": experiment.steps,
                "seed": seed,
                "weighting": weighting,
                "probe": probed(*example, weighting)?,
            }),
            Unit::Score { example, seed, weighting } => {
                let (example, seed, weighting) = (*example, *seed, *weighting);
                json!({
                    "kind": "score",
                    "picture": self.key(&Unit::Picture { example, seed, weighting })?,
                    "scorer": context.scorer_sha256,
                })
            }
        };
        context.store.key(&value)
    }

    /// Whether the unit's result is stored.
    pub(crate) fn is_done(&self, unit: &Unit) -> Result<bool, ReproduceError> {
        let key = self.key(unit)?;
        let store = &self.context.store;
        Ok(match unit {
            Unit::Probe { .. } => store.read::<Vote>(&key).is_some(),
            Unit::Snr { .. } => store.read::<Vec<f64>>(&key).is_some(),
            Unit::Picture { .. } => store.has(&key, "png"),
            Unit::Score { .. } => store.read::<Scored>(&key).is_some(),
        })
    }

    /// Samples the U-Net runs on for the unit.
    pub(crate) fn cost(&self, unit: &Unit) -> usize {
        let experiment = &self.context.experiment;
        let doubled = if experiment.guidance_scale > 1.0 { 2 } else { 1 };
        match unit {
            Unit::Probe { .. } => {
                let probe = experiment.probe_at(self.context.size);
                doubled * (probe.evaluations(experiment.steps, 1) + experiment.steps)
            }
            Unit::Snr { steps, .. } => *steps,
            Unit::Picture { .. } => doubled * experiment.steps,
            Unit::Score { .. } => 0,
        }
    }

    /// How long the U-Net takes for one sample, in seconds, measured on a full batch.
    pub(crate) fn seconds_per_sample(&self) -> Result<f64, ReproduceError> {
        let request = self.request(0, 0)?;
        let prompt = request.prompts.repeated(UNET_BATCH);
        let input = request.noise.repeat_dim(0, UNET_BATCH);
        let policy = Policy::default();
        let mut seconds = 0.0;
        // The first call warms up.
        for _ in 0..2 {
            let start = std::time::Instant::now();
            let output = self.predict(input.clone(), &[500.0], prompt.clone(), &policy);
            let _ = output.sum().into_scalar::<f32>();
            seconds = start.elapsed().as_secs_f64();
        }
        Ok(seconds / UNET_BATCH as f64)
    }

    /// Computes and stores the unit; those it depends on must be done.
    pub(crate) fn run(&self, unit: &Unit) -> Result<(), ReproduceError> {
        let key = self.key(unit)?;
        match unit {
            Unit::Probe { example } => self.probe(*example, &key),
            Unit::Snr { example, seed, steps, weighting } => {
                let ratios = self.snr(*example, *seed, *steps, weighting)?;
                self.context.store.write(&key, &ratios)
            }
            Unit::Picture { example, seed, weighting } => {
                self.picture(*example, *seed, weighting, &key)
            }
            Unit::Score { example, seed, weighting } => {
                self.score(*example, *seed, weighting, &key)
            }
        }
    }

    /// The stored result of a probe.
    pub(crate) fn vote(&self, example: usize) -> Result<Vote, ReproduceError> {
        let key = self.key(&Unit::Probe { example })?;
        self.context.store.read(&key).ok_or_else(|| self.absent(&key))
    }

    /// The stored ratios of a signal-to-noise unit, one per step.
    pub(crate) fn ratios(&self, unit: &Unit) -> Result<Vec<f64>, ReproduceError> {
        let key = self.key(unit)?;
        self.context.store.read(&key).ok_or_else(|| self.absent(&key))
    }

    /// The stored score of a picture.
    pub(crate) fn scored(&self, unit: &Unit) -> Result<Scored, ReproduceError> {
        let key = self.key(unit)?;
        self.context.store.read(&key).ok_or_else(|| self.absent(&key))
    }

    /// The stored PNG of a picture unit.
    pub(crate) fn png(&self, unit: &Unit) -> Result<Vec<u8>, ReproduceError> {
        let path = self.context.store.path(&self.key(unit)?, "png");
        std::fs::read(&path).map_err(|source| ReproduceError::Io { path, source })
    }

    fn absent(&self, key: &str) -> ReproduceError {
        ReproduceError::broken(self.context.store.path(key, "json"), "the result is not there")
    }
}
