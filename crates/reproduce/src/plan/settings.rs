//! The sections of an experiment file: scales, prompts, scorer, pruning.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// How much is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scale {
    /// Just enough to see every part work.
    Smoke,
    /// Minutes on a laptop for a small model.
    Default,
    /// As many rounds, epochs and prompts as the paper, or as the model's data allow.
    Paper,
}

impl Scale {
    /// As the command line names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Smoke => "smoke",
            Self::Default => "default",
            Self::Paper => "paper",
        }
    }
}

/// Sizes at each scale.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scales {
    /// `--scale smoke`.
    pub smoke: Size,
    /// `--scale default`.
    pub default: Size,
    /// `--scale paper`.
    pub paper: Size,
}

/// How much one scale runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Size {
    /// Prompts of each category.
    pub prompts: usize,
    /// Prompts of each category whose pictures are shown side by side.
    pub sampled: usize,
    /// Rounds of a probe.
    pub rounds: usize,
    /// Epochs of a probe.
    pub epochs: usize,
    /// Candidates of a probe.
    pub candidates: usize,
    /// Noise seeds of Table I's one prompt.
    #[serde(default = "twenty")]
    pub table1_seeds: usize,
    /// Orders of the blocks over which the control with shuffled blocks is averaged.
    #[serde(default = "three")]
    pub shuffles: usize,
    /// Whether its losses come from the derivatives and a table of skip sets.
    #[serde(default)]
    pub fast: bool,
    /// Prompts of each category by which estimates of importance are judged.
    #[serde(default = "two")]
    pub judged: usize,
    /// Rounds of a search that is to have converged.
    #[serde(default = "many")]
    pub converged_rounds: usize,
    /// Pictures of each category, none of the prompts', that the fitted weights are fitted on.
    #[serde(default = "three")]
    pub fitted: usize,
    /// Values of Fig. 4's lower end, spread over the list.
    pub figure4_points: usize,
    /// Samples a pruned student is fine-tuned on, and compared by.
    #[serde(default)]
    pub pruning_samples: usize,
    /// Passes over them.
    #[serde(default)]
    pub pruning_epochs: usize,
}

/// As many as the authors' scripts ask for.
fn twenty() -> usize {
    20
}

fn three() -> usize {
    3
}

fn two() -> usize {
    2
}

fn many() -> usize {
    1000
}

/// Prompts without pictures, by category.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PromptSettings {
    /// Package whose files are lists of prompts, `CATEGORY.json` each.
    pub package: Option<String>,
    /// Folder of such files instead, relative to the project's root.
    pub folder: Option<PathBuf>,
    /// Categories, in the order of the tables.
    pub categories: Vec<String>,
    /// Seed of the shuffle (Python's `random.shuffle`) after which a category's first prompts are
    /// taken; without one they are taken as they come.
    pub shuffle_seed: Option<u32>,
}

/// What scores pictures against their prompts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, tag = "kind", rename_all = "lowercase")]
pub enum ScorerConfig {
    /// A contrastive model in open_clip's layout.
    Clip {
        /// Its folder, relative to the project's root.
        path: PathBuf,
    },
    /// HPS v2 or v2.1.
    Hps {
        /// Its package (`hps-v2`, `hps-v2.1`), or its checkpoint relative to the project's root.
        weights: String,
        /// Folder of CLIP's tokenizer, relative to the project's root; the built-in one where
        /// absent.
        tokenizer: Option<PathBuf>,
    },
}

/// Dynamic attention pruning (Sec. III-G, Fig. 3).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PruningSettings {
    /// Inference steps of the strategies; their number grows exponentially with it.
    pub steps: usize,
    /// Adam's learning rate.
    pub learning_rate: f64,
    /// Samples of one optimiser step.
    pub batch: usize,
    /// Inception of the Fréchet distance: its package or file; the scorer's features where absent.
    pub inception: Option<String>,
    /// LPIPS: its package, or a file of the alex network; the experiment's where absent.
    pub lpips: Option<String>,
}
