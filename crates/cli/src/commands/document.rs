//! Schedules that say what they are of and how they were made.

use probe::{Cost, ImportanceMap, NoiseLevel, ReadScores, block_path};
use reweight::{BlockWeights, Origin, Policy, Schedule, ScheduleModel};
use serde_json::Value;
use unet_core::BlockInfo;

/// What is known of a schedule besides its weights.
#[derive(Default)]
pub struct About {
    paths: Vec<String>,
    facts: Value,
    levels: Option<Vec<NoiseLevel>>,
    cost: Option<Cost>,
}

impl About {
    /// The blocks alone.
    pub fn blocks(blocks: &[BlockInfo]) -> Self {
        let paths = blocks.iter().map(|block| block.path.clone()).collect();
        Self { paths, ..Self::default() }
    }

    /// What was measured: facts, the blocks' labels, noise levels, and what it cost.
    pub fn measured(
        facts: &Value,
        labels: &[String],
        levels: Option<Vec<NoiseLevel>>,
        cost: Option<Cost>,
    ) -> Self {
        let paths = labels.iter().map(|label| block_path(label).to_string());
        Self { paths: paths.collect(), facts: facts.clone(), levels, cost }
    }

    /// What a file of scores says.
    pub fn scores(read: &ReadScores) -> Self {
        Self::measured(&read.facts, &read.blocks, read.levels.clone(), read.cost)
    }

    /// What an importance map says.
    pub fn map(map: &ImportanceMap) -> Self {
        Self::measured(&map.facts, &map.blocks, Some(map.steps.clone()), Some(map.cost))
    }
}

/// The schedule of these weights.
pub fn document(weights: BlockWeights, method: String, about: About) -> Schedule {
    let About { paths, facts, levels, cost } = about;
    let text = |key: &str| facts[key].as_str().map(String::from);
    let model = ScheduleModel { name: text("model"), sha256: text("model_sha256") };
    let seeds = facts["seeds"].as_array().into_iter().flatten().filter_map(Value::as_u64);
    Schedule {
        paths: Some(paths),
        model: (model.name.is_some() || model.sha256.is_some()).then_some(model),
        // Levels of another number of steps are not those of the weights.
        steps: levels.filter(|levels| levels.len() == weights.steps()),
        origin: Some(Origin {
            method,
            prompt: text("prompt"),
            seeds: seeds.collect(),
            unet_samples: cost.map(|cost| cost.unet_samples),
            seconds: cost.map(|cost| cost.seconds),
        }),
        ..Policy::from(weights).into()
    }
}
