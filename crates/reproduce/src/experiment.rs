use std::path::{Path, PathBuf};

use pipeline::NoiseKind;
use probe::ProbeConfig;
use reweight::{FreeU, WeightRange};
use serde::{Deserialize, Serialize};

use crate::settings::{PromptSettings, PruningSettings, Scale, Scales, ScorerConfig, Size};
use crate::{Part, ReproduceError};

/// An experiment file.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Experiment {
    /// Name, also of the output folder.
    pub name: String,
    /// Preset, or pipeline folder or checkpoint relative to the project's root.
    pub model: String,
    /// Preset whose configuration a checkpoint in one file has.
    pub base: Option<String>,
    /// Picture set whose pictures and captions are used, relative to the project's root.
    pub pictures: Option<PathBuf>,
    /// Prompts without pictures; instead of `pictures`.
    pub prompts: Option<PromptSettings>,
    /// Height and width of sampled pictures, in pixels; that of the pictures, or the model's own,
    /// where absent.
    pub size: Option<usize>,
    /// Tables and figures; all that can be made where absent.
    pub parts: Option<Vec<Part>>,
    /// Prompt of Table II and Fig. 3; the first of all where absent.
    pub focus_prompt: Option<String>,
    /// Inference steps of everything but Table I and Fig. 3.
    pub steps: usize,
    /// Inference steps of Table I's columns.
    pub table1_steps: Vec<usize>,
    /// Those of them at which pictures are sampled and scored.
    pub table1_scored_steps: Vec<usize>,
    /// Weight of the raised block in Table I.
    pub table1_weight: f64,
    /// Guidance scale of sampled pictures and of the probe.
    pub guidance_scale: f64,
    /// Negative prompt.
    pub negative_prompt: Option<String>,
    /// Generator of the initial noise.
    #[serde(default)]
    pub noise: NoiseKind,
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
    /// Pruned students; without it there is no Fig. 3.
    pub pruning: Option<PruningSettings>,
    /// The probe's settings at full scale.
    pub probe: ProbeConfig,
    /// Sizes at each scale.
    pub scales: Scales,
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

    /// The experiment's parts among `wanted`; all of them where nothing special is wanted.
    pub fn parts(&self, wanted: &[Part]) -> Vec<Part> {
        let own = |part: &Part| match &self.parts {
            Some(parts) => parts.contains(part),
            None => *part != Part::Figure3 || self.pruning.is_some(),
        };
        let wanted = |part: &Part| wanted.is_empty() || wanted.contains(part);
        Part::ALL.into_iter().filter(|part| own(part) && wanted(part)).collect()
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
    pub(crate) fn probe_at(&self, size: Size) -> ProbeConfig {
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
    pub(crate) fn figure4_ranges(&self, size: Size) -> Result<Vec<WeightRange>, ReproduceError> {
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
        if !self.table1_scored_steps.iter().all(|steps| self.table1_steps.contains(steps)) {
            return fail("`table1_scored_steps` must be among `table1_steps`");
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
        match (&self.pictures, &self.prompts) {
            (Some(_), Some(_)) | (None, None) => {
                return fail("expected either `pictures` or `[prompts]`");
            }
            (None, Some(prompts)) if prompts.categories.is_empty() => {
                return fail("`categories` must not be empty");
            }
            (None, Some(prompts)) if prompts.package.is_some() == prompts.folder.is_some() => {
                return fail("expected either `package` or `folder` in `[prompts]`");
            }
            _ => {}
        }
        if let Some(pruning) = &self.pruning {
            if pruning.steps == 0 || pruning.batch == 0 {
                return fail("`steps` and `batch` of `[pruning]` must be above 0");
            }
            if !pruning.learning_rate.is_finite() || pruning.learning_rate <= 0.0 {
                return fail("`learning_rate` must be above 0");
            }
            self.probe.check(pruning.steps)?;
        } else if self.parts.as_ref().is_some_and(|parts| parts.contains(&Part::Figure3)) {
            return fail("`figure-3` needs `[pruning]`");
        }
        self.freeu.check()?;
        self.probe.check(self.steps)?;
        for size in [self.scales.smoke, self.scales.default, self.scales.paper] {
            if [size.prompts, size.rounds, size.epochs, size.candidates].contains(&0) {
                return fail("sizes of a scale must be above 0");
            }
            if self.pruning.is_some() && [size.pruning_samples, size.pruning_epochs].contains(&0) {
                return fail("`pruning_samples` and `pruning_epochs` must be above 0");
            }
            self.figure4_ranges(size)?;
        }
        Ok(())
    }
}
