//! Table A: how far each estimate of importance agrees with what blocks were seen to do.

use ::probe::{Effect, Estimates, Estimator, spearman};
use metrics::mean_interval;
use reweight::StepMatrix;

use super::cell::{Cell, RESAMPLES, SEED};
use super::table::Table;
use crate::ReproduceError;
use crate::plan::{Influence, Measured, Probe, Search, Study, judged};
use crate::run::{Library, MeasuredEffects};

/// One way to tell importance.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Way {
    /// The paper's search and vote.
    Vote,
    /// The same of many rounds, perturbed down, or both ways.
    Converged { both_ways: bool },
    /// An estimate.
    Estimate(Estimator),
}

/// What a way says of one prompt, and what it cost in samples of the U-Net.
struct Said {
    values: StepMatrix,
    unet_samples: usize,
}

impl Way {
    fn label(self, study: &Study) -> String {
        let (size, probe) = (study.size, &study.experiment.probe);
        match self {
            Self::Vote => {
                let how = if size.fast { ", on tables" } else { "" };
                format!("vote ({} × {} × {}{how})", size.rounds, size.epochs, size.candidates)
            }
            Self::Converged { both_ways } => {
                let ways = if both_ways { ", perturbed both ways" } else { "" };
                let (rounds, epochs, candidates) =
                    (size.converged_rounds, probe.epochs, probe.candidates);
                format!("vote ({rounds} × {epochs} × {candidates}, on tables{ways})")
            }
            Self::Estimate(Estimator::Derivative) => "derivative".into(),
            Self::Estimate(Estimator::Skip) => "single skip".into(),
            Self::Estimate(Estimator::Masks) => "Shapley values over skip sets".into(),
        }
    }

    fn of(self, library: &Library<'_>, example: usize) -> Result<Said, ReproduceError> {
        let study = &library.context.study;
        let steps = study.experiment.steps;
        let voted = match self {
            Self::Vote => library.voted(&Probe { example, steps })?,
            Self::Converged { both_ways } => {
                library.searched(&Search { example, steps, both_ways })?
            }
            Self::Estimate(estimator) => {
                let estimates = library.estimates(&Measured { example, steps, estimator })?;
                let samples = estimator.predictions(study.blocks());
                let unet_samples = samples * steps * study.doubled();
                return Ok(Said { values: Estimates::importance(&estimates)?, unet_samples });
            }
        };
        let values = voted.vote.scores.map(|score| *score as f64);
        Ok(Said { values, unet_samples: voted.unet_samples })
    }
}

/// One way to see what a block does.
type Seen = (&'static str, fn(&MeasuredEffects) -> Option<&StepMatrix>);

const SEEN: [Seen; 3] = [
    ("latents", |effects| Some(&effects.latents)),
    ("picture", |effects| Some(&effects.pixels)),
    ("LPIPS", |effects| effects.lpips.as_ref()),
];

/// The table.
pub(crate) fn table_a(library: &Library<'_>) -> Result<Table, ReproduceError> {
    let study = &library.context.study;
    let (steps, examples) = (study.experiment.steps, judged(study));
    let seen: Vec<Seen> = match library.context.networks.lpips {
        Some(_) => SEEN.to_vec(),
        None => SEEN[..2].to_vec(),
    };
    let columns = Effect::BOTH.iter().flat_map(|effect| {
        let verb = match effect {
            Effect::Lower => "lowered",
            Effect::Skip => "skipped",
        };
        seen.iter().map(move |(what, _)| format!("{verb}: {what}"))
    });
    let mut columns: Vec<String> = columns.collect();
    columns.push("U-Net samples".into());
    let mut rows = Vec::new();
    let possible = |estimator: &Estimator| estimator.check(study.blocks()).is_ok();
    let estimates = Estimator::ALL.into_iter().filter(possible).map(Way::Estimate);
    let votes =
        [Way::Vote, Way::Converged { both_ways: false }, Way::Converged { both_ways: true }];
    for way in votes.into_iter().chain(estimates) {
        let said: Vec<Said> =
            examples.iter().map(|e| way.of(library, *e)).collect::<Result<_, _>>()?;
        let mut cells = Vec::new();
        for effect in Effect::BOTH {
            let effects: Vec<MeasuredEffects> = examples
                .iter()
                .map(|example| library.effects(&Influence { example: *example, steps, effect }))
                .collect::<Result<_, _>>()?;
            for (_, seen) in &seen {
                let correlations: Option<Vec<f64>> = said
                    .iter()
                    .zip(&effects)
                    .map(|(said, effects)| Some(agreement(&said.values, seen(effects)?)))
                    .collect();
                cells.push(correlations.as_deref().map(mean_over_prompts).transpose()?);
            }
        }
        let samples: Vec<f64> = said.iter().map(|said| said.unet_samples as f64).collect();
        cells.push(Some(Cell::mean(&samples)));
        rows.push((way.label(study), cells));
    }
    Ok(Table {
        name: "table-a".into(),
        title: "Table A: which importance is true?".into(),
        note: note(study, examples.len()),
        columns,
        rows,
    })
}

/// Spearman's correlation of what is said with what was seen, mean over the steps.
fn agreement(said: &StepMatrix, seen: &StepMatrix) -> f64 {
    let steps = said.rows().zip(seen.rows()).map(|(said, seen)| spearman(said, seen));
    steps.sum::<f64>() / said.steps() as f64
}

/// The mean over prompts, and its bootstrap interval.
fn mean_over_prompts(correlations: &[f64]) -> Result<Cell, ReproduceError> {
    let mean = mean_interval(correlations, RESAMPLES, SEED)?;
    Ok(Cell { interval: Some([mean.low, mean.high]), ..Cell::plain(mean.mean) })
}

fn note(study: &Study, prompts: usize) -> String {
    let blocks = study.blocks();
    format!(
        "Seen: one block at one step only is lowered to {} or skipped, and the final latents, the \
         picture's pixels (and LPIPS, where its weights are) compared with the vanilla ones. Cells: \
         Spearman's correlation of the {blocks} blocks' importance with that, mean over {} steps \
         and {prompts} prompts (noise seed {}), with its 95 % bootstrap interval over the prompts: \
         1 says that a way ranks the blocks as they act, 0 that it says nothing, -1 that it ranks \
         them the wrong way round. \"On tables\" means that the search's losses come from the \
         derivatives and measured skip sets, not from a run of the U-Net each. Last column: samples \
         the U-Net ran on for one prompt. This model, these prompts; the authors' models were not \
         measured.",
        ::probe::LOWERED,
        study.experiment.steps,
        study.experiment.train_seed,
    )
}
