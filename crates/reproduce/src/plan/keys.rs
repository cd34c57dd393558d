//! The key of a unit: a hash of everything its result depends on.

use files::sha256_bytes;
use probe::{FitPlan, FitSettings};
use pruning::{MAX_AGE, STUDENT_VERSION};
use serde::Serialize;
use serde_json::{Value, json};

use super::skipping::{TIMED_RUNS, timed_samples};
use super::study::{Example, Study};
use super::unit::{
    Fidelity, Fit, Influence, Measured, Probe, Reuse, Sample, Search, Student, Times, Unit,
};

/// Changes whenever a unit's result would change for the same settings.
const FORMAT: u32 = 3;

/// The name of a result: 64 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub(crate) struct Key(String);

impl Key {
    /// The hash of what a result depends on.
    pub(crate) fn of(dependencies: &Value) -> Self {
        Self(sha256_bytes(dependencies.to_string()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Hashes of what results depend on besides the settings.
#[derive(Debug, Clone)]
pub(crate) struct Fingerprints {
    /// Of the model's files, with the data type it runs in, and the noise where that depends on it.
    pub(crate) model: String,
    /// Of everything scores depend on.
    pub(crate) scorer: Option<String>,
    /// Of Inception's file.
    pub(crate) inception: Vec<String>,
    /// Of LPIPS's files.
    pub(crate) lpips: Vec<String>,
    /// Of each example's pixels, or of its text.
    pub(crate) contents: Vec<String>,
    /// Of the pixels and the text of each picture that is held out.
    pub(crate) held_out: Vec<[String; 2]>,
}

impl Fingerprints {
    /// Of the files of all networks that pruned students are compared by.
    fn networks(&self) -> Vec<&str> {
        self.inception.iter().chain(&self.lpips).map(String::as_str).collect()
    }
}

/// The hash of an example's pixels, or of its text.
pub(crate) fn content(example: &Example) -> String {
    let json = match &example.pixels {
        Some(pixels) => serde_json::to_vec(pixels),
        None => serde_json::to_vec(&example.text),
    };
    // Lists of numbers and texts have no way to fail.
    sha256_bytes(json.unwrap_or_default())
}

/// How weights are fitted to the pictures that are held out.
pub(crate) fn fit_plan(study: &Study) -> FitPlan {
    let seeds = vec![study.experiment.train_seed];
    let settings = FitSettings::default();
    FitPlan { fitted: study.held_out.len(), tested: 0, seeds, crossed: 0, settings }
}

/// Makes the keys of a study's units.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Keys<'a> {
    pub(crate) study: &'a Study,
    pub(crate) examples: &'a [Example],
    pub(crate) fingerprints: &'a Fingerprints,
}

impl Keys<'_> {
    /// The key of a unit.
    pub(crate) fn of(&self, unit: &Unit) -> Key {
        Key::of(&match unit {
            Unit::Probe(probe) => self.probe(probe),
            Unit::Search(Search { example, steps, both_ways }) => json!({
                "kind": "search",
                "common": self.common(*example),
                "steps": steps,
                "seed": self.study.experiment.train_seed,
                "probe": self.study.experiment.converged_at(self.study.size, *both_ways),
            }),
            Unit::Estimates(Measured { example, steps, estimator }) => json!({
                "kind": "estimates",
                "common": self.common(*example),
                "steps": steps,
                "seed": self.study.experiment.train_seed,
                "estimator": estimator,
            }),
            Unit::Effects(Influence { example, steps, effect }) => json!({
                "kind": "effects",
                "common": self.common(*example),
                "steps": steps,
                "seed": self.study.experiment.train_seed,
                "effect": effect,
                "scorer": self.fingerprints.scorer,
                "lpips": self.fingerprints.lpips,
            }),
            Unit::Fit(Fit { steps }) => json!({
                "kind": "fit",
                "format": FORMAT,
                "model": self.fingerprints.model,
                "size": self.study.picture_size,
                "pictures": self.fingerprints.held_out,
                "steps": steps,
                "plan": fit_plan(self.study),
            }),
            Unit::Reuse(Reuse { example, steps }) => json!({
                "kind": "reuse",
                "common": self.common(*example),
                "steps": steps,
                "seed": self.study.experiment.train_seed,
                "oldest": MAX_AGE,
            }),
            Unit::Snr(sample) => {
                let mut value = self.sampled("snr", sample);
                value["pixels"] = self.fingerprints.contents[sample.example].as_str().into();
                value
            }
            Unit::Picture(sample) => self.sampled("picture", sample),
            Unit::Score(sample) => json!({
                "kind": "score",
                "picture": self.of(&Unit::Picture(*sample)),
                "scorer": self.fingerprints.scorer,
            }),
            Unit::Identity(pair) => json!({
                "kind": "identity",
                "picture": self.of(&Unit::Picture(pair.sample)),
                "vanilla": self.of(&Unit::Picture(pair.vanilla())),
                "lpips": self.fingerprints.lpips,
            }),
            Unit::Student(student) => self.student(student),
            Unit::Fidelity(Fidelity { skips, seed }) => json!({
                "kind": "fidelity",
                "student": self.of(&Unit::Student(Student::Pruned(skips.clone()))),
                "teacher": self.of(&Unit::Student(Student::Teacher)),
                "seed": seed,
                "networks": self.fingerprints.networks(),
                "scorer": self.fingerprints.scorer,
            }),
            Unit::Times(Times { example }) => json!({
                "kind": "times",
                "runs": timed_samples(self.study, *example)
                    .into_iter()
                    .map(|sample| self.of(&Unit::Picture(sample)))
                    .collect::<Vec<_>>(),
                "each": TIMED_RUNS,
            }),
        })
    }

    /// The key under which a unit that is not finished keeps its state.
    pub(crate) fn state(&self, unit: &Unit) -> Key {
        Key::of(&json!(["state", self.of(unit)]))
    }

    fn common(&self, example: usize) -> Value {
        let experiment = &self.study.experiment;
        json!({
            "format": FORMAT,
            "model": self.fingerprints.model,
            "text": self.examples[example].text,
            "guidance": experiment.guidance_scale,
            "negative": experiment.negative_prompt,
            "size": self.study.picture_size,
        })
    }

    fn probe(&self, Probe { example, steps }: &Probe) -> Value {
        let experiment = &self.study.experiment;
        json!({
            "kind": "probe",
            "common": self.common(*example),
            "steps": steps,
            "seed": experiment.train_seed,
            "probe": experiment.probe_at(self.study.size),
            "fast": self.study.size.fast,
        })
    }

    fn sampled(&self, kind: &str, sample: &Sample) -> Value {
        let mut value = json!({
            "kind": kind,
            "common": self.common(sample.example),
            "steps": sample.steps,
            "seed": sample.seed,
            "weighting": sample.weighting,
            "probe": sample.probe().map(|probe| self.of(&Unit::Probe(probe))),
        });
        if let Some(fit) = sample.fit() {
            value["fit"] = json!(self.of(&Unit::Fit(fit)));
        }
        if let Some(measured) = sample.measured() {
            value["estimates"] = json!(self.of(&Unit::Estimates(measured)));
        }
        if let Some(reuse) = sample.reuse() {
            value["reuse"] = json!(self.of(&Unit::Reuse(reuse)));
        }
        value
    }

    fn student(&self, student: &Student) -> Value {
        let (experiment, size) = (&self.study.experiment, self.study.size);
        let pruning = experiment.pruning.as_ref();
        json!({
            "kind": "students",
            "common": self.common(self.study.focus()),
            "thresholds": match student {
                Student::Teacher => None,
                Student::Pruned(skips) => Some(skips.thresholds()),
            },
            "seeds": [experiment.train_seed, experiment.test_seed],
            "settings": {
                "version": STUDENT_VERSION,
                "steps": pruning.map(|pruning| pruning.steps),
                "learning_rate": pruning.map(|pruning| pruning.learning_rate),
                "batch": pruning.map(|pruning| pruning.batch),
                "samples": size.pruning_samples,
                "epochs": size.pruning_epochs,
            },
        })
    }
}
