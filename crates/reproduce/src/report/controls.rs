//! Controls of Tables III to VI and Fig. 4: schedules of the same mean weight.

use super::cell::Cell;
use super::measure::{Measure, brackets};
use super::table::{Row, Table};
use crate::ReproduceError;
use crate::plan::{ControlGroup, Sample, SeedRole, Study, Weighting, control_groups, sampled};
use crate::run::{Library, mean_weight};

/// The column of differences to the constant.
pub(super) const TO_CONSTANT: usize = 2;

/// Every schedule beside vanilla, beside the constant of its mean weight, and beside itself on
/// shuffled blocks.
pub(crate) fn controls(library: &Library<'_>, measure: Measure) -> Result<Table, ReproduceError> {
    let (context, study) = (library.context, &library.context.study);
    let values = Values { library, measure };
    let vanilla = values.of(&[Weighting::Vanilla])?;
    let first = [Some(Cell::plain(1.0)), vanilla.as_deref().map(Cell::mean), None, None];
    let mut rows = vec![(Weighting::Vanilla.label(), first.to_vec())];
    for group in control_groups(study)? {
        let group = match measure {
            Measure::Snr => Some(group),
            Measure::Score => group.scored(study),
        };
        if let Some(group) = group {
            rows.extend(group_rows(&values, &group, vanilla.as_deref())?);
        }
    }
    let name = measure.name(context);
    let columns = vec![
        "mean weight".into(),
        format!("{name}, to vanilla"),
        "to the constant of the same mean".into(),
        "to shuffled blocks".into(),
    ];
    let title = format!("Controls of Tables III to VI and Fig. 4: the same mean weight ({name})");
    let name = format!("controls{}", measure.suffix(study));
    Ok(Table { name, title, note: note(library, measure), columns, rows })
}

/// Eq. 2 is measured of all examples; pictures are sampled of some.
fn examples(study: &Study, measure: Measure) -> Vec<usize> {
    match measure {
        Measure::Snr => (0..study.count()).collect(),
        Measure::Score => sampled(study),
    }
}

/// What the rows' means are of.
struct Values<'a> {
    library: &'a Library<'a>,
    measure: Measure,
}

impl Values<'_> {
    /// A value for each example: the mean over some weightings. `None` where there is none.
    fn of(&self, weightings: &[Weighting]) -> Result<Option<Vec<f64>>, ReproduceError> {
        let mut sums: Option<Vec<f64>> = None;
        for weighting in weightings {
            let samples = self.samples(*weighting);
            let Some(values) = self.measure.values(self.library, samples)? else { return Ok(None) };
            sums = Some(match sums {
                None => values,
                Some(sums) => sums.iter().zip(values).map(|(sum, value)| sum + value).collect(),
            });
        }
        let count = weightings.len() as f64;
        Ok(sums.map(|sums| sums.iter().map(|sum| sum / count).collect()))
    }

    fn samples(&self, weighting: Weighting) -> impl Iterator<Item = Sample> + use<> {
        let context = self.library.context;
        let experiment = context.experiment();
        let (seed, steps) = (SeedRole::Test.of(experiment), experiment.steps);
        let sample = move |example| Sample { example, seed, steps, weighting };
        examples(&context.study, self.measure).into_iter().map(sample)
    }

    /// The mean weight over the examples.
    fn mean_weight(&self, weighting: Weighting) -> Result<Cell, ReproduceError> {
        let weights = self.samples(weighting).map(|sample| mean_weight(self.library, &sample));
        Ok(Cell::mean(&weights.collect::<Result<Vec<_>, _>>()?))
    }

    /// The row of some weightings together, beside each of the references.
    fn row(
        &self,
        weightings: &[Weighting],
        references: [Option<&[f64]>; 3],
    ) -> Result<Vec<Option<Cell>>, ReproduceError> {
        let values = self.of(weightings)?;
        let weight = weightings.first().map(|weighting| self.mean_weight(*weighting));
        let mut cells = vec![weight.transpose()?];
        for reference in references {
            cells.push(match (&values, reference) {
                (Some(values), Some(reference)) => Some(Cell::paired(values, reference)?),
                _ => None,
            });
        }
        Ok(cells)
    }
}

/// The constant, what is compared with it, and the shuffled blocks.
fn group_rows(
    values: &Values<'_>,
    group: &ControlGroup,
    vanilla: Option<&[f64]>,
) -> Result<Vec<Row>, ReproduceError> {
    let constant = values.of(&[group.constant])?;
    let constant = constant.as_deref();
    let shuffled = values.of(&group.shuffled)?;
    let mut rows =
        vec![(group.constant.label(), values.row(&[group.constant], [vanilla, None, None])?)];
    if let (Some(weighting), count @ 1..) = (group.compared.first(), group.shuffled.len()) {
        let label = format!("{} on shuffled blocks (mean of {count})", weighting.label());
        rows.push((label, values.row(&group.shuffled, [vanilla, constant, None])?));
    }
    for weighting in &group.compared {
        // The shuffled weights are the importance-based ones.
        let is_shuffled = matches!(weighting, Weighting::Importance(_));
        let shuffled = shuffled.as_deref().filter(|_| is_shuffled);
        rows.push((weighting.label(), values.row(&[*weighting], [vanilla, constant, shuffled])?));
    }
    Ok(rows)
}

fn note(library: &Library<'_>, measure: Measure) -> String {
    let (context, study) = (library.context, &library.context.study);
    let experiment = context.experiment();
    let some = match measure {
        Measure::Score if study.has_pictures() => {
            " Pictures are sampled of the range of Tables V and VI alone, for fewer prompts, without \
             shuffled blocks and the empirical schedule: Eq. 2 tells smaller differences."
        }
        _ => " Of Fig. 4's ranges the first and the last.",
    };
    let fitted = match (measure, study.held_out.len()) {
        (Measure::Snr, count @ 1..) => format!(
            " Fitted: least-squares weights for {count} other pictures, one schedule for all \
             prompts."
        ),
        _ => String::new(),
    };
    format!(
        "{}; means over {} prompts, noise seed {} (test), {} steps; {}. What differs from vanilla \
         but not from the constant of the same mean weight is the effect of turning all blocks, \
         whichever is important; what does not differ from the same weights on shuffled blocks owes \
         nothing to which block got which. Shuffled: a seeded order of the blocks for each prompt, \
         mean over {} of them. Inverted at the same mean: Eq. 8's weights and a constant. By \
         derivative: Eq. 7 with the blocks ranked by how far the prediction moves with their weight. \
         Empirical: Sec. III-F.{fitted}{some}",
        measure.what(context),
        examples(study, measure).len(),
        SeedRole::Test.of(experiment),
        experiment.steps,
        brackets("the column's reference"),
        study.size.shuffles,
    )
}
