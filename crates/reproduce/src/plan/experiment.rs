//! What an experiment file holds, and what follows from it.

use std::path::PathBuf;

use pipeline::NoiseKind;
use probe::ProbeConfig;
use reweight::{FreeU, WeightRange};
use serde::{Deserialize, Serialize};

use super::part::Part;
use super::settings::{PromptSettings, PruningSettings, Scale, Scales, ScorerConfig, Size};
use crate::ReproduceError;

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
    /// Prompt of Table I over many seeds; the focus prompt where absent.
    pub table1_prompt: Option<String>,
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
    /// What pictures may cost where blocks are skipped, as fractions of the vanilla cost, above 0
    /// and below 1.
    #[serde(default = "budgets")]
    pub skipping_budgets: Vec<f64>,
    /// FreeU's factors for the comparison.
    pub freeu: FreeU,
    /// What scores pictures against their prompts; without it those columns stay empty.
    pub scorer: Option<ScorerConfig>,
    /// LPIPS of sampled pictures: its package, or a file of the alex network; that of `[pruning]`
    /// where absent.
    pub lpips: Option<String>,
    /// Pruned students; without it there is no Fig. 3.
    pub pruning: Option<PruningSettings>,
    /// The probe's settings at full scale.
    pub probe: ProbeConfig,
    /// Sizes at each scale.
    pub scales: Scales,
}

fn budgets() -> Vec<f64> {
    vec![0.9, 0.8, 0.7]
}

impl Experiment {
    /// The experiment's parts among `wanted`; all of them where nothing special is wanted.
    pub fn parts(&self, wanted: &[Part]) -> Vec<Part> {
        let makes = |part: &Part| match &self.parts {
            Some(parts) => parts.contains(part),
            None => match part {
                Part::Figure3 => self.pruning.is_some(),
                Part::FewerSteps => self.steps > 1,
                _ => true,
            },
        };
        let wanted = |part: &Part| wanted.is_empty() || wanted.contains(part);
        Part::ALL.into_iter().filter(|part| makes(part) && wanted(part)).collect()
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

    /// The weights of LPIPS, by package or file.
    pub(crate) fn lpips(&self) -> Option<&str> {
        let pruning = self.pruning.as_ref();
        self.lpips.as_deref().or(pruning.and_then(|pruning| pruning.lpips.as_deref()))
    }

    /// The search that is to have converged, at a scale.
    pub(crate) fn converged_at(&self, size: Size, both_ways: bool) -> ProbeConfig {
        let probe = self.probe.clone();
        let energy_drop = probe.energy_drop && !both_ways;
        ProbeConfig { rounds: size.converged_rounds, energy_drop, ..probe }
    }

    /// Fig. 4's ranges at a scale.
    ///
    /// # Errors
    /// Where a lower end is above the upper.
    pub(crate) fn figure4_ranges(&self, size: Size) -> Result<Vec<WeightRange>, ReproduceError> {
        let lows = &self.figure4_low;
        let points = size.figure4_points.clamp(1, lows.len().max(1)).min(lows.len());
        let pick = |i: usize| if points > 1 { i * (lows.len() - 1) / (points - 1) } else { 0 };
        (0..points).map(|i| Ok(WeightRange::new(lows[pick(i)], self.figure4_high)?)).collect()
    }
}
