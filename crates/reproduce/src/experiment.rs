use std::path::{Path, PathBuf};

use probe::ProbeConfig;
use reweight::{FreeU, WeightRange};
use serde::{Deserialize, Serialize};

use crate::ReproduceError;

/// How much is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scale {
    /// Just enough to see every part work.
    Smoke,
    /// Minutes on a laptop.
    Default,
    /// As many rounds, epochs and prompts as the model's data allow.
    Paper,
}

/// A table or figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// Each block's weight raised by itself.
    Table1,
    /// Dynamic importance ranking.
    Table2,
    /// Weight ranges on the training seed and the test seed.
    Table3And4,
    /// Inverted scores.
    Table5And6,
    /// The effect of the range's lower end.
    Figure4,
    /// Pictures side by side, with FreeU.
    Pictures,
}

impl Part {
    /// All parts, in the paper's order.
    pub const ALL: [Self; 6] = [
        Self::Table1,
        Self::Table2,
        Self::Table3And4,
        Self::Table5And6,
        Self::Figure4,
        Self::Pictures,
    ];
}

/// An experiment file.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Experiment {
    /// Name, also of the output folder.
    pub name: String,
    /// Pipeline folder, relative to the project's root.
    pub model: PathBuf,
    /// Picture set whose pictures and captions are used, relative to the project's root.
    pub pictures: PathBuf,
    /// Inference steps of everything but Table I.
    pub steps: usize,
    /// Inference steps of Table I's columns.
    pub table1_steps: Vec<usize>,
    /// Weight of the raised block in Table I.
    pub table1_weight: f64,
    /// Guidance scale of sampled pictures and of the probe.
    pub guidance_scale: f64,
    /// Negative prompt.
    pub negative_prompt: Option<String>,
    /// Noise seed the importance is probed with ("train").
    pub train_seed: u64,
    /// Noise seed the schedules are tested with ("test").
    pub test_seed: u64,
    /// Weight ranges of Tables III and IV.
    pub ranges: Vec<WeightRange>,
    /// Range of Tables V and VI.
    pub ablation_range: WeightRange,
    /// Lower ends of Fig. 4's ranges.
    pub figure4_low: Vec<f64>,
    /// Upper end of Fig. 4's ranges.
    pub figure4_high: f64,
    /// FreeU's factors for the comparison.
    pub freeu: FreeU,
    /// What scores pictures against their prompts; without it those columns stay empty.
    pub scorer: Option<ScorerConfig>,
    /// The probe's settings at full scale.
    pub probe: ProbeConfig,
    /// Sizes at each scale.
    pub scales: Scales,
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
        /// Its checkpoint, relative to the project's root.
        weights: PathBuf,
        /// Folder of CLIP's tokenizer, relative to the project's root.
        tokenizer: PathBuf,
    },
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
    /// Pictures (and so prompts) of each style.
    pub prompts: usize,
    /// Prompts of each style that pictures are sampled for.
    pub sampled: usize,
    /// Rounds of a probe.
    pub rounds: usize,
    /// Epochs of a probe.
    pub epochs: usize,
    /// Candidates of a probe.
    pub candidates: usize,
    /// Values of Fig. 4's lower end, spread over the list.
    pub figure4_points: usize,
}

impl Experiment {
    /// Reads an experiment file.
    ///
    /// # Errors
    /// [`ReproduceError`] naming the file and what is wrong with it.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, ReproduceError> {
        let path = path.as_ref();
        let text = std::fs::read_to_string(path)
            .map_err(|source| ReproduceError::Io { path: path.into(), source })?;
        let experiment: Self =
            toml::from_str(&text).map_err(|error| ReproduceError::broken(path, error))?;
        experiment.check().map_err(|error| ReproduceError::broken(path, error))?;
        Ok(experiment)
    }

    /// The sizes of a scale.
    pub fn size(&self, scale: Scale) -> Size {
        match scale {
            Scale::Smoke => self.scales.smoke,
            Scale::Default => self.scales.default,
            Scale::Paper => self.scales.paper,
        }
    }

    /// The probe at a scale.
    pub fn probe_at(&self, size: Size) -> ProbeConfig {
        ProbeConfig {
            rounds: size.rounds,
            epochs: size.epochs,
            candidates: size.candidates,
            ..self.probe.clone()
        }
    }

    /// Fig. 4's ranges at a scale.
    ///
    /// # Errors
    /// Where a lower end is above the upper.
    pub fn figure4_ranges(&self, size: Size) -> Result<Vec<WeightRange>, ReproduceError> {
        let all = &self.figure4_low;
        let wanted = size.figure4_points.clamp(1, all.len());
        let pick = |i: usize| if wanted > 1 { i * (all.len() - 1) / (wanted - 1) } else { 0 };
        (0..wanted).map(|i| Ok(WeightRange::new(all[pick(i)], self.figure4_high)?)).collect()
    }

    fn check(&self) -> Result<(), ReproduceError> {
        let fail = |text: &str| Err(ReproduceError::Experiment(text.into()));
        if self.steps == 0 || self.table1_steps.contains(&0) || self.table1_steps.is_empty() {
            return fail("steps must be above 0");
        }
        if self.figure4_low.is_empty() {
            return fail("`figure4_low` must not be empty");
        }
        if self.ranges.is_empty() {
            return fail("`ranges` must not be empty");
        }
        if !self.guidance_scale.is_finite() || self.guidance_scale < 0.0 {
            return fail("`guidance_scale` must be 0 or more");
        }
        self.freeu.check()?;
        self.probe.check(self.steps)?;
        for size in [self.scales.smoke, self.scales.default, self.scales.paper] {
            if [size.prompts, size.rounds, size.epochs, size.candidates].contains(&0) {
                return fail("sizes of a scale must be above 0");
            }
            self.figure4_ranges(size)?;
        }
        Ok(())
    }
}
