//! What the cells of the comparisons are means of.

use std::ops::Range;

use metrics::decibels;

use crate::ReproduceError;
use crate::plan::{Sample, Study, Weighting};
use crate::run::{Context, Library};

/// What a table's cells are means of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Measure {
    /// The signal-to-noise ratio of Eq. 2 on real pictures.
    Snr,
    /// The preference score of sampled pictures.
    Score,
}

impl Measure {
    /// What a study's tables measure, in the order in which they are printed.
    pub(crate) fn of(study: &Study) -> &'static [Self] {
        if study.has_pictures() { &[Self::Snr, Self::Score] } else { &[Self::Score] }
    }

    /// End of the names of its files, where there are several measures.
    pub(crate) fn suffix(self, study: &Study) -> &'static str {
        match self {
            Self::Score if study.has_pictures() => "-score",
            _ => "",
        }
    }

    /// As titles say it, with its unit.
    pub(crate) fn name(self, context: &Context) -> String {
        match self {
            Self::Snr => "SNR in dB".into(),
            Self::Score => match &context.scorer {
                Some(scorer) => format!("{} × 100", scorer.name()),
                None => "HPS, not measured".into(),
            },
        }
    }

    /// What the cells are and how they were measured.
    pub(crate) fn note(self, context: &Context) -> String {
        let examples = context.study.count();
        let brackets = "in brackets the mean difference to vanilla over the same prompts with its \
                        95 % bootstrap interval (↑ above, ↓ below vanilla) and p of Wilcoxon's \
                        signed-rank test, not corrected for the number of comparisons";
        match (self, &context.scorer) {
            (Self::Snr, _) => format!(
                "Signal-to-noise ratio by Eq. 2, mean over {examples} real pictures and all steps; \
                 {brackets}."
            ),
            (Self::Score, Some(scorer)) => format!(
                "Cosine of a sampled picture and its prompt times 100, mean over {examples} prompts \
                 ({}, sha256 {}…); {brackets}.",
                scorer.checkpoint().file,
                scorer.checkpoint().sha256.get(..12).unwrap_or("")
            ),
            (Self::Score, None) => "The experiment names no scorer (`[scorer]` with `kind = \
                                    \"hps\"` or `kind = \"clip\"`); nothing was measured."
                .into(),
        }
    }

    /// One value per example; `None` where the measure is not available.
    pub(crate) fn values(
        self,
        library: &Library<'_>,
        examples: Range<usize>,
        seed: u64,
        steps: usize,
        weighting: Weighting,
    ) -> Result<Option<Vec<f64>>, ReproduceError> {
        if self == Self::Score && library.context.scorer.is_none() {
            return Ok(None);
        }
        let value = |example: usize| -> Result<f64, ReproduceError> {
            let sample = Sample { example, seed, steps, weighting };
            Ok(match self {
                Self::Snr => mean_decibels(&library.ratios(&sample)?.0),
                Self::Score => 100.0 * library.scored(&sample)?.score,
            })
        };
        examples.map(value).collect::<Result<_, _>>().map(Some)
    }
}

/// Eq. 2 in decibels, its mean over the steps of one unit.
fn mean_decibels(ratios: &[f64]) -> f64 {
    ratios.iter().map(|ratio| decibels(*ratio)).sum::<f64>() / ratios.len() as f64
}
