use std::cell::RefCell;
use std::collections::HashMap;

use ::pruning::{Distances, Strategy, strategies};
use burn::tensor::Tensor;
use pictures::RgbImage;
use probe::Vote;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::pruning::{self, Students};
use crate::study::Example;
use crate::weightings::Weighting;
use crate::{Context, ReproduceError};

/// Changes whenever a unit's result would change for the same settings.
const FORMAT: u32 = 2;

/// One piece of work whose result is stored.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Unit {
    /// The importance of every block for one prompt.
    Probe { example: usize, steps: usize },
    /// Eq. 2 on one picture, at every inference step.
    Snr { example: usize, seed: u64, steps: usize, weighting: Weighting },
    /// A picture sampled from one prompt.
    Picture { example: usize, seed: u64, steps: usize, weighting: Weighting },
    /// The preference score of such a picture.
    Score { example: usize, seed: u64, steps: usize, weighting: Weighting },
    /// Pictures of the focus prompt by a pruned student, or by the teacher.
    Students(Students),
    /// How far a student's pictures are from the teacher's.
    Fidelity { strategy: usize, seed: u64 },
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
    /// Hash of each example's pixels, or of its text.
    pub(crate) content: Vec<String>,
    pub(crate) latents: RefCell<HashMap<usize, Tensor<4>>>,
}

impl<'a> Runner<'a> {
    pub(crate) fn new(context: &'a Context) -> Result<Self, ReproduceError> {
        let hash = |example: &Example| match &example.pixels {
            Some(pixels) => context.store.key(pixels),
            None => context.store.key(&example.text),
        };
        let content = context.examples.iter().map(hash).collect::<Result<_, _>>()?;
        Ok(Self { context, content, latents: RefCell::default() })
    }

    pub(crate) fn example(&self, index: usize) -> &'a Example {
        &self.context.examples[index]
    }

    /// The key of everything a unit depends on; `None` where that is not known before a probe of
    /// the focus prompt is done.
    pub(crate) fn key(&self, unit: &Unit) -> Result<Option<String>, ReproduceError> {
        let context = self.context;
        let experiment = context.experiment();
        let common = |example: usize| {
            json!({
                "format": FORMAT,
                "model": context.model_sha256,
                "text": self.example(example).text,
                "guidance": experiment.guidance_scale,
                "negative": experiment.negative_prompt,
                "size": context.study.picture_size,
            })
        };
        let probed =
            |example: usize, steps: usize, weighting: &Weighting| -> Result<_, ReproduceError> {
                match weighting.needs_probe() {
                    true => self.key(&Unit::Probe { example, steps }),
                    false => Ok(None),
                }
            };
        let value = match unit {
            Unit::Probe { example, steps } => json!({
                "kind": "probe",
                "common": common(*example),
                "steps": steps,
                "seed": experiment.train_seed,
                "probe": experiment.probe_at(context.study.size),
            }),
            Unit::Snr { example, seed, steps, weighting } => json!({
                "kind": "snr",
                "common": common(*example),
                "pixels": self.content[*example],
                "steps": steps,
                "seed": seed,
                "weighting": weighting,
                "probe": probed(*example, *steps, weighting)?,
            }),
            Unit::Picture { example, seed, steps, weighting } => json!({
                "kind": "picture",
                "common": common(*example),
                "steps": steps,
                "seed": seed,
                "weighting": weighting,
                "probe": probed(*example, *steps, weighting)?,
            }),
            Unit::Score { example, seed, steps, weighting } => {
                let (example, seed, steps, weighting) = (*example, *seed, *steps, *weighting);
                json!({
                    "kind": "score",
                    "picture": self.key(&Unit::Picture { example, seed, steps, weighting })?,
                    "scorer": context.scorer_sha256,
                })
            }
            Unit::Students(students) => {
                let Some(strategy) = self.strategy(*students)? else { return Ok(None) };
                json!({
                    "kind": "students",
                    "common": common(context.study.focus()),
                    "thresholds": strategy.map(|strategy| strategy.skips.thresholds()),
                    "seeds": [experiment.train_seed, experiment.test_seed],
                    "settings": pruning::key_settings(&context.study),
                })
            }
            Unit::Fidelity { strategy, seed } => {
                let student = self.key(&Unit::Students(Students::Pruned(*strategy)))?;
                if student.is_none() {
                    return Ok(None);
                }
                json!({
                    "kind": "fidelity",
                    "student": student,
                    "teacher": self.key(&Unit::Students(Students::Teacher))?,
                    "seed": seed,
                    "networks": context.fidelity.sha256,
                    "scorer": context.scorer_sha256,
                })
            }
        };
        context.store.key(&value).map(Some)
    }

    /// What the students of a unit skip (the teacher nothing); `None` before the focus prompt's
    /// probe is done.
    fn strategy(&self, students: Students) -> Result<Option<Option<Strategy>>, ReproduceError> {
        let Students::Pruned(index) = students else { return Ok(Some(None)) };
        let Some(strategies) = self.strategies()? else { return Ok(None) };
        let count = strategies.len();
        match strategies.into_iter().nth(index) {
            Some(strategy) => Ok(Some(Some(strategy))),
            None => Err(ReproduceError::Experiment(format!(
                "expected one of {count} pruning strategies, found number {index}"
            ))),
        }
    }

    /// All pruning strategies; `None` before the focus prompt's probe is done.
    pub(crate) fn strategies(&self) -> Result<Option<Vec<Strategy>>, ReproduceError> {
        let study = &self.context.study;
        let Some(pruning) = &study.experiment.pruning else { return Ok(None) };
        let unit = Unit::Probe { example: study.focus(), steps: pruning.steps };
        let vote = self.stored::<Vote>(&unit)?;
        Ok(vote.map(|vote| strategies(&vote.ranking)).transpose()?)
    }

    /// Whether the unit's result is stored.
    pub(crate) fn is_done(&self, unit: &Unit) -> Result<bool, ReproduceError> {
        let Some(key) = self.key(unit)? else { return Ok(false) };
        let store = &self.context.store;
        Ok(match unit {
            Unit::Probe { .. } => store.read::<Vote>(&key).is_some(),
            Unit::Snr { .. } => store.read::<Vec<f64>>(&key).is_some(),
            Unit::Picture { .. } => store.has(&key, "png"),
            Unit::Score { .. } => store.read::<Scored>(&key).is_some(),
            Unit::Students(_) => store.read::<pruning::Finished>(&key).is_some(),
            Unit::Fidelity { .. } => store.read::<Distances>(&key).is_some(),
        })
    }

    /// Computes and stores the unit; those it depends on must be done.
    pub(crate) fn run(&self, unit: &Unit) -> Result<(), ReproduceError> {
        let key = self.key(unit)?.ok_or_else(|| {
            ReproduceError::Experiment("the focus prompt has not been probed".into())
        })?;
        match unit {
            Unit::Probe { example, steps } => self.probe(*example, *steps, &key),
            Unit::Snr { example, seed, steps, weighting } => {
                let ratios = self.snr(*example, *seed, *steps, weighting)?;
                self.context.store.write(&key, &ratios)
            }
            Unit::Picture { .. } => self.pictures(&[unit]),
            Unit::Score { example, seed, steps, weighting } => {
                let (example, seed, steps, weighting) = (*example, *seed, *steps, *weighting);
                let picture = Unit::Picture { example, seed, steps, weighting };
                self.score(example, &picture, &key)
            }
            Unit::Students(students) => {
                self.students(self.strategy(*students)?.flatten().as_ref(), &key)
            }
            Unit::Fidelity { strategy, seed } => {
                self.context.store.write(&key, &self.distances(*strategy, *seed)?)
            }
        }
    }

    /// The stored result of a unit, where there is one.
    fn stored<T: serde::de::DeserializeOwned>(
        &self,
        unit: &Unit,
    ) -> Result<Option<T>, ReproduceError> {
        Ok(self.key(unit)?.and_then(|key| self.context.store.read(&key)))
    }

    /// The stored result of a unit that must be done.
    pub(crate) fn result<T: serde::de::DeserializeOwned>(
        &self,
        unit: &Unit,
    ) -> Result<T, ReproduceError> {
        self.stored(unit)?.ok_or_else(|| not_there(unit))
    }

    /// The stored PNG of a picture unit.
    pub(crate) fn png(&self, unit: &Unit) -> Result<Vec<u8>, ReproduceError> {
        let key = self.key(unit)?.ok_or_else(|| not_there(unit))?;
        let path = self.context.store.path(&key, "png");
        std::fs::read(&path).map_err(|source| ReproduceError::Io { path, source })
    }

    /// The picture of a unit, decoded.
    pub(crate) fn decoded(&self, unit: &Unit) -> Result<RgbImage, ReproduceError> {
        let key = self.key(unit)?.ok_or_else(|| not_there(unit))?;
        Ok(RgbImage::open(self.context.store.path(&key, "png"))?)
    }
}

fn not_there(unit: &Unit) -> ReproduceError {
    ReproduceError::Experiment(format!("the result of {unit:?} is not there"))
}
