//! Weighted pictures of one step less beside the vanilla ones of all steps: the efficiency that
//! Fig. 1a claims.

use super::cell::Cell;
use super::identity::{closeness, lpips_note};
use super::measure::{Measure, brackets};
use super::table::Table;
use crate::ReproduceError;
use crate::plan::{Likened, Sample, SeedRole, Weighting, fewer_steps_weightings, sampled};
use crate::run::Library;

/// Scores and likeness to the vanilla pictures of all steps.
pub(crate) fn fewer_steps(library: &Library<'_>) -> Result<Table, ReproduceError> {
    let (context, study) = (library.context, &library.context.study);
    let all = study.experiment.steps;
    let fewer = all - 1;
    let scores =
        |weighting, steps| Measure::Score.values(library, samples(library, weighting, steps));
    let references = [scores(Weighting::Vanilla, all)?, scores(Weighting::Vanilla, fewer)?];
    let [vanilla, _] = &references;
    let mut first = vec![vanilla.as_deref().map(Cell::mean)];
    first.resize(COLUMNS, None);
    let mut rows = vec![(format!("Vanilla, {}", spoken(all)), first)];
    for weighting in fewer_steps_weightings(study) {
        let values = scores(weighting, fewer)?;
        let mut cells = Vec::with_capacity(COLUMNS);
        for (number, reference) in references.iter().enumerate() {
            let is_itself = number == 1 && weighting == Weighting::Vanilla;
            cells.push(match (&values, reference) {
                (Some(values), Some(reference)) if !is_itself => {
                    Some(Cell::paired(values, reference)?)
                }
                _ => None,
            });
        }
        let pair = |sample| Likened { sample, vanilla_steps: all };
        cells.extend(closeness(library, samples(library, weighting, fewer).map(pair))?);
        rows.push((format!("{}, {}", weighting.label(), spoken(fewer)), cells));
    }
    let score = Measure::Score.name(context);
    let columns = vec![
        format!("{score}, to vanilla of {}", spoken(all)),
        format!("to vanilla of {}", spoken(fewer)),
        "PSNR dB".into(),
        "SSIM".into(),
        "LPIPS".into(),
    ];
    let title =
        format!("Efficiency of Fig. 1a: {} beside {} ({score})", spoken(fewer), spoken(all));
    Ok(Table { name: "fewer-steps".into(), title, note: note(library), columns, rows })
}

/// Two of scores, three of likeness.
const COLUMNS: usize = 5;

fn spoken(steps: usize) -> String {
    format!("{steps} step{}", if steps == 1 { "" } else { "s" })
}

/// Of every prompt, on the test seed.
fn samples(
    library: &Library<'_>,
    weighting: Weighting,
    steps: usize,
) -> impl Iterator<Item = Sample> + use<> {
    let seed = SeedRole::Test.of(library.context.experiment());
    let sample = move |example| Sample { example, seed, steps, weighting };
    sampled(&library.context.study).into_iter().map(sample)
}

fn note(library: &Library<'_>) -> String {
    let (context, experiment) = (library.context, library.context.experiment());
    format!(
        "{}; means over {} prompts, noise seed {} (test); {}. PSNR, SSIM and LPIPS: how close the \
         pictures are to the vanilla ones of {}. {} The schedules come from the probe of {}, \
         interpolated at the noise levels of the run. Where weighted pictures of {} do not differ from \
         vanilla ones of {}, the interval says how much worse they may be; the claim is that they \
         are not, while vanilla ones of {} are.",
        Measure::Score.what(context),
        sampled(&context.study).len(),
        SeedRole::Test.of(experiment),
        brackets("the column's reference"),
        spoken(experiment.steps),
        lpips_note(library),
        spoken(experiment.steps),
        spoken(experiment.steps - 1),
        spoken(experiment.steps),
        spoken(experiment.steps - 1),
    )
}
