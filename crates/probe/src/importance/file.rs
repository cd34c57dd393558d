//! Importance maps as JSON and as a table.

use std::path::Path;

use reweight::{ImportanceScores, NoiseLevel};

use super::map::{Cost, ImportanceMap, ImportanceMethod, Subject, VERSION};
use crate::{Interval, ProbeError, ProbeReport, block_path};

/// Importance scores as they are read from the JSON file of an importance map, or of a
/// [`ProbeReport`].
#[derive(Debug, Clone, PartialEq)]
pub struct ReadScores {
    /// The scores.
    pub scores: ImportanceScores,
    /// How they were measured.
    pub method: ImportanceMethod,
    /// Prompt, seeds, steps, guidance, model.
    pub facts: serde_json::Value,
    /// The blocks' names.
    pub blocks: Vec<String>,
    /// Timestep and noise level of every step, where the file tells them.
    pub levels: Option<Vec<NoiseLevel>>,
    /// What they cost, where the file tells it.
    pub cost: Option<Cost>,
}

impl ReadScores {
    /// Reads either file.
    ///
    /// # Errors
    /// As [`ImportanceMap::read`] and [`ProbeReport::read`].
    pub fn read(path: impl AsRef<Path>) -> Result<Self, ProbeError> {
        let path = path.as_ref();
        let text = files::read_to_string(path)?;
        let value: serde_json::Value = serde_json::from_str(&text)
            .map_err(|error| ProbeError::Map { path: path.into(), reason: error.to_string() })?;
        if value.get("method").is_none() {
            let report = ProbeReport::read(path)?;
            return Ok(Self {
                scores: report.importance,
                method: ImportanceMethod::Vote,
                facts: report.facts,
                blocks: report.blocks,
                levels: None,
                cost: None,
            });
        }
        let map = ImportanceMap::read(path)?;
        Ok(Self {
            scores: map.scores,
            method: map.method,
            facts: map.facts,
            blocks: map.blocks,
            levels: Some(map.steps),
            cost: Some(map.cost),
        })
    }
}

impl ImportanceMap {
    /// Reads the JSON file of a map.
    ///
    /// # Errors
    /// [`ProbeError::File`] where it cannot be read, [`ProbeError::Map`] where it is no map, one of
    /// another version, or one whose parts contradict each other.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, ProbeError> {
        let path = path.as_ref();
        let broken = |reason: String| ProbeError::Map { path: path.into(), reason };
        let text = files::read_to_string(path)?;
        let map: Self = serde_json::from_str(&text).map_err(|error| broken(error.to_string()))?;
        map.check().map_err(broken)?;
        Ok(map)
    }

    /// The text of its JSON file.
    ///
    /// # Errors
    /// [`ProbeError::Serialise`] where a value has no JSON form.
    pub fn to_json(&self) -> Result<String, ProbeError> {
        Ok(serde_json::to_string_pretty(self)?)
    }

    /// A line for each step and block; no interval of a single seed.
    pub fn to_csv(&self) -> String {
        let mut csv = String::from("step,block,path,importance,low,high,value,timestep,sigma\n");
        for (step, row) in self.scores.matrix().rows().enumerate() {
            let level = self.steps[step];
            for (block, score) in row.iter().enumerate() {
                let path = block_path(&self.blocks[block]);
                let interval = self.intervals.as_ref().map(|intervals| intervals[step][block]);
                let (low, high) = interval.map_or_else(Default::default, |interval| {
                    let Interval { low, high } = interval;
                    (low.to_string(), high.to_string())
                });
                let value = self.values[step][block];
                csv += &format!(
                    "{step},{block},{path},{score},{low},{high},{value},{},{}\n",
                    level.timestep, level.sigma
                );
            }
        }
        csv
    }

    /// Whether the version is known, and everything follows from the evidence.
    fn check(&self) -> Result<(), String> {
        if self.version != VERSION {
            return Err(format!("expected version {VERSION}, found {}", self.version));
        }
        let subject = Subject {
            facts: self.facts.clone(),
            steps: self.steps.clone(),
            blocks: self.blocks.clone(),
        };
        let derived = Self::new(subject, self.evidence.clone(), self.cost)
            .map_err(|error| format!("`evidence`: {error}"))?;
        let finite = |level: &NoiseLevel| {
            [level.timestep, level.sigma].iter().all(|value| value.is_finite() && *value >= 0.0)
        };
        let follows = [
            ("method", self.method == derived.method),
            ("values", self.values == derived.values),
            ("scores", self.scores == derived.scores),
            ("ranking", self.ranking == derived.ranking),
            ("intervals", self.intervals == derived.intervals),
            ("details", self.details == derived.details),
        ];
        if let Some((name, _)) = follows.iter().find(|(_, follows)| !follows) {
            return Err(format!("`{name}` does not follow from `evidence`"));
        }
        if !self.steps.iter().all(finite) {
            return Err("`steps`: expected timesteps and noise levels of 0 or more".into());
        }
        if !(self.cost.seconds.is_finite() && self.cost.seconds >= 0.0) {
            return Err(format!("`cost`: expected seconds, found {}", self.cost.seconds));
        }
        Ok(())
    }
}
