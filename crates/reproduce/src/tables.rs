use metrics::paired_difference;

use crate::figures::{figure3, figure4};
use crate::pictures::{PictureRow, fidelity, gallery};
use crate::plan::{block_weightings, seeded_weightings};
use crate::ranking::table2;
use crate::scores::Measure;
use crate::settings::ScorerConfig;
use crate::units::Runner;
use crate::weightings::Weighting;
use crate::{Cell, Part, ReproduceError, Table, paper};

/// Resamples of every bootstrap interval, and their seed.
pub(crate) const RESAMPLES: usize = 2000;
pub(crate) const SEED: u64 = 1;

/// Everything a report shows.
pub(crate) struct Rendered {
    pub(crate) tables: Vec<Table>,
    /// Name and SVG.
    pub(crate) figures: Vec<(String, String)>,
    pub(crate) pictures: Vec<PictureRow>,
}

/// Two parts that are one table where both are made: this model's stands for both of the paper's.
const PAIRS: [([Part; 2], [&str; 3], &str); 2] = [
    (
        [Part::Table3, Part::Table4],
        ["Table III", "Table IV", "Tables III and IV"],
        "importance-based weights in several ranges",
    ),
    (
        [Part::Table5, Part::Table6],
        ["Table V", "Table VI", "Tables V and VI"],
        "inverted importance",
    ),
];

pub(crate) fn build(runner: &Runner<'_>, parts: &[Part]) -> Result<Rendered, ReproduceError> {
    let mut rendered = Rendered { tables: vec![], figures: vec![], pictures: vec![] };
    let measures = Measure::all(&runner.context.study);
    for part in parts {
        match part {
            Part::Table1 => {
                for measure in measures {
                    rendered.tables.push(table1(runner, *measure)?);
                }
            }
            Part::Table2 => {
                let (table, figure) = table2(runner)?;
                rendered.tables.push(table);
                rendered.figures.push(("heat-map".into(), figure));
            }
            Part::Table3 | Part::Table4 | Part::Table5 | Part::Table6 => {
                for (pair, titles, what) in PAIRS {
                    let own: Vec<Part> =
                        pair.into_iter().filter(|part| parts.contains(part)).collect();
                    if own.first() != Some(part) {
                        continue;
                    }
                    let (name, title) = match (own.len(), *part == pair[0]) {
                        (2, _) => (pair_name(pair), titles[2]),
                        (_, true) => (number_name(pair[0]), titles[0]),
                        (_, false) => (number_name(pair[1]), titles[1]),
                    };
                    for measure in measures {
                        let title = format!("{title}: {what}");
                        rendered.tables.push(seeded(runner, &own, *measure, (&name, &title))?);
                    }
                }
            }
            Part::Figure3 => {
                let (table, figure) = figure3(runner)?;
                rendered.figures.push((table.name.clone(), figure));
                rendered.tables.push(table);
            }
            Part::Figure4 => {
                let title = "Fig. 4: the effect of the range's lower end";
                let measure = measures[0];
                let table = seeded(runner, &[*part], measure, ("figure-4", title))?;
                rendered.figures.push((table.name.clone(), figure4(runner, &table, measure)?));
                rendered.tables.push(table);
            }
            Part::Pictures => {
                rendered.tables.push(fidelity(runner)?);
                rendered.pictures = gallery(runner)?;
            }
        }
    }
    Ok(rendered)
}

/// `table-3`, or `table-3-4` for two.
fn number_name(part: Part) -> String {
    format!("table-{}", part as usize + 1)
}

fn pair_name([first, second]: [Part; 2]) -> String {
    format!("{}-{}", number_name(first), second as usize + 1)
}

/// A mean beside its paired difference to the vanilla values; nothing where nothing was measured.
fn cell(
    values: Option<&[f64]>,
    vanilla: Option<&[f64]>,
    is_vanilla: bool,
) -> Result<Option<Cell>, ReproduceError> {
    let (Some(values), Some(vanilla)) = (values, vanilla) else { return Ok(None) };
    let value = values.iter().sum::<f64>() / values.len().max(1) as f64;
    if is_vanilla {
        return Ok(Some(Cell::plain(value)));
    }
    let difference = paired_difference(values, vanilla, RESAMPLES, SEED)?;
    Ok(Some(Cell { difference: Some(difference), ..Cell::plain(value) }))
}

/// The table with the paper's own values, where they are of the same metric.
fn beside_the_paper(
    runner: &Runner<'_>,
    mut table: Table,
    measure: Measure,
    parts: &[Part],
) -> Result<Table, ReproduceError> {
    let scorer = &runner.context.experiment().scorer;
    if measure == Measure::Score && matches!(scorer, Some(ScorerConfig::Hps { .. })) {
        paper::annotate(&mut table, &runner.context.study, parts)?;
    }
    Ok(table)
}

fn table1(runner: &Runner<'_>, measure: Measure) -> Result<Table, ReproduceError> {
    let (study, experiment) = (&runner.context.study, runner.context.experiment());
    let seed = experiment.train_seed;
    let weightings = block_weightings(study);
    let steps = match measure {
        Measure::Snr => &experiment.table1_steps,
        Measure::Score => &experiment.table1_scored_steps,
    };
    let mut rows: Vec<_> = weightings.iter().map(|w| (w.label(), Vec::new())).collect();
    for steps in steps {
        let range = 0..study.examples();
        let values = |weighting| measure.values(runner, range.clone(), seed, *steps, weighting);
        let vanilla = values(Weighting::Vanilla)?;
        for (row, weighting) in rows.iter_mut().zip(&weightings) {
            let values = values(*weighting)?;
            let is_vanilla = *weighting == Weighting::Vanilla;
            row.1.push(cell(values.as_deref(), vanilla.as_deref(), is_vanilla)?);
        }
    }
    let name = measure.name(runner.context);
    let table = Table {
        name: format!("table-1{}", measure.suffix(study)),
        title: format!("Table I: each block alone at {} ({name})", experiment.table1_weight),
        note: measure.note(runner.context),
        columns: steps.iter().map(|steps| format!("{steps} steps")).collect(),
        rows,
    };
    beside_the_paper(runner, table, measure, &[Part::Table1])
}

/// The tables that compare weightings on both seeds, category by category.
fn seeded(
    runner: &Runner<'_>,
    parts: &[Part],
    measure: Measure,
    (name, title): (&str, &str),
) -> Result<Table, ReproduceError> {
    let (study, experiment) = (&runner.context.study, runner.context.experiment());
    let seeds = [("train", experiment.train_seed), ("test", experiment.test_seed)];
    let weightings = seeded_weightings(study, parts[0])?;
    let mut rows: Vec<_> = weightings.iter().map(|w| (w.label(), Vec::new())).collect();
    let mut columns = Vec::new();
    for (style, range) in study.ranges() {
        for (what, seed) in seeds {
            columns.push(format!("{style} {what}"));
            let values = |weighting| {
                measure.values(runner, range.clone(), seed, experiment.steps, weighting)
            };
            let vanilla = values(Weighting::Vanilla)?;
            for (row, weighting) in rows.iter_mut().zip(&weightings) {
                let is_vanilla = *weighting == Weighting::Vanilla;
                let values = values(*weighting)?;
                row.1.push(cell(values.as_deref(), vanilla.as_deref(), is_vanilla)?);
            }
        }
    }
    let stand_in = match study.has_pictures() {
        true => "The styles stand where the paper has anime, concept-art, paintings and photo. ",
        false => "",
    };
    let note = format!(
        "{} {stand_in}Train: noise seed {}, with which the importance was probed; test: noise seed \
         {}. {} steps.",
        measure.note(runner.context),
        experiment.train_seed,
        experiment.test_seed,
        experiment.steps
    );
    let title = format!("{title} ({})", measure.name(runner.context));
    let name = format!("{name}{}", measure.suffix(study));
    let table = Table { name, title, note, columns, rows };
    beside_the_paper(runner, table, measure, parts)
}
