//! What the cells of the comparisons are means of.

use metrics::decibels;

use crate::ReproduceError;
use crate::plan::{Sample, Study};
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

    /// What one value is, as notes begin.
    pub(crate) fn what(self, context: &Context) -> String {
        match (self, &context.scorer) {
            (Self::Snr, _) => "Signal-to-noise ratio of a real picture by Eq. 2, mean over all \
                               steps"
                .into(),
            (Self::Score, Some(scorer)) => format!(
                "Cosine of a sampled picture and its prompt times 100 ({}, sha256 {}…)",
                scorer.checkpoint().file,
                scorer.checkpoint().sha256.get(..12).unwrap_or("")
            ),
            (Self::Score, None) => "No score: the experiment names no scorer (`[scorer]` with \
                                    `kind = \"hps\"` or `kind = \"clip\"`)"
                .into(),
        }
    }

    /// What the cells are and how they were measured.
    pub(crate) fn note(self, context: &Context) -> String {
        let (what, count) = (self.what(context), context.study.count());
        format!("{what}; means over {count} prompts, {}.", brackets("vanilla"))
    }

    /// One value for each sample; `None` where the measure is not available.
    pub(crate) fn values(
        self,
        library: &Library<'_>,
        samples: impl Iterator<Item = Sample>,
    ) -> Result<Option<Vec<f64>>, ReproduceError> {
        if self == Self::Score && library.context.scorer.is_none() {
            return Ok(None);
        }
        let value = |sample: Sample| -> Result<f64, ReproduceError> {
            Ok(match self {
                Self::Snr => mean_decibels(&library.ratios(&sample)?.0),
                Self::Score => 100.0 * library.scored(&sample)?.score,
            })
        };
        samples.map(value).collect::<Result<_, _>>().map(Some)
    }
}

/// What stands in brackets behind a mean that is compared with that of `reference`.
pub(crate) fn brackets(reference: &str) -> String {
    format!(
        "in brackets the mean difference to {reference} over the same pairs with its 95 % \
         bootstrap interval (↑ above, ↓ below) and p of Wilcoxon's signed-rank test"
    )
}

/// Eq. 2 in decibels, its mean over the steps of one unit.
fn mean_decibels(ratios: &[f64]) -> f64 {
    ratios.iter().map(|ratio| decibels(*ratio)).sum::<f64>() / ratios.len() as f64
}
