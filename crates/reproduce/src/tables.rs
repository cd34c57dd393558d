use metrics::paired_difference;
use probe::{bootstrap_scores, heatmap_svg, kendalls_w};

use crate::chart::{Line, line_chart};
use crate::pictures::{PictureRow, fidelity, gallery};
use crate::plan::{block_weightings, seeded_weightings};
use crate::scores::Measure;
use crate::units::Runner;
use crate::weightings::Weighting;
use crate::{Cell, Context, Part, ReproduceError, Table};

/// Resamples of every bootstrap interval, and their seed.
pub(crate) const RESAMPLES: usize = 2000;
pub(crate) const SEED: u64 = 1;
/// What the tables measure, in the order in which they are printed.
const MEASURES: [Measure; 2] = [Measure::Snr, Measure::Score];

/// Everything a report shows.
pub(crate) struct Rendered {
    pub(crate) tables: Vec<Table>,
    /// Name and SVG.
    pub(crate) figures: Vec<(String, String)>,
    pub(crate) pictures: Vec<PictureRow>,
}

pub(crate) fn build(runner: &Runner<'_>, parts: &[Part]) -> Result<Rendered, ReproduceError> {
    let mut rendered = Rendered { tables: vec![], figures: vec![], pictures: vec![] };
    for part in parts {
        match part {
            Part::Table1 => {
                for measure in MEASURES {
                    rendered.tables.push(table1(runner, measure)?);
                }
            }
            Part::Table2 => {
                let (table, figure) = table2(runner)?;
                rendered.tables.push(table);
                rendered.figures.push(("heat-map".into(), figure));
            }
            Part::Table3And4 => {
                let title = "Tables III and IV: importance-based weights in several ranges";
                for measure in MEASURES {
                    let table = seeded(runner, *part, measure, ("table-3-4", title))?;
                    rendered.tables.push(table);
                }
            }
            Part::Table5And6 => {
                let title = "Tables V and VI: inverted importance";
                for measure in MEASURES {
                    let table = seeded(runner, *part, measure, ("table-5-6", title))?;
                    rendered.tables.push(table);
                }
            }
            Part::Figure4 => {
                let name = "figure-4";
                let title = "Fig. 4: the effect of the range's lower end";
                let table = seeded(runner, *part, Measure::Snr, (name, title))?;
                rendered.figures.push((name.into(), figure4(runner, &table)?));
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
    Ok(Some(Cell { value, difference: Some(difference), interval: None }))
}

fn table1(runner: &Runner<'_>, measure: Measure) -> Result<Table, ReproduceError> {
    let experiment = &runner.context.experiment;
    let examples = runner.context.examples().count();
    let seed = experiment.train_seed;
    let weightings = block_weightings(runner.context);
    let steps = match measure {
        Measure::Snr => experiment.table1_steps.clone(),
        Measure::Score => vec![experiment.steps],
    };
    let mut rows: Vec<_> = weightings.iter().map(|w| (w.label(), Vec::new())).collect();
    for steps in &steps {
        let values = |weighting| measure.values(runner, 0..examples, seed, *steps, weighting);
        let vanilla = values(Weighting::Vanilla)?;
        for (row, weighting) in rows.iter_mut().zip(&weightings) {
            let values = values(*weighting)?;
            let is_vanilla = *weighting == Weighting::Vanilla;
            row.1.push(cell(values.as_deref(), vanilla.as_deref(), is_vanilla)?);
        }
    }
    let name = measure.name(runner.context);
    Ok(Table {
        name: format!("table-1{}", measure.suffix()),
        title: format!("Table I: each block alone at {} ({name})", experiment.table1_weight),
        note: measure.note(runner.context),
        columns: steps.iter().map(|steps| format!("{steps} steps")).collect(),
        rows,
    })
}

/// The tables that compare weightings on both seeds, style by style.
fn seeded(
    runner: &Runner<'_>,
    part: Part,
    measure: Measure,
    (name, title): (&str, &str),
) -> Result<Table, ReproduceError> {
    let context = runner.context;
    let experiment = &context.experiment;
    let seeds = [("train", experiment.train_seed), ("test", experiment.test_seed)];
    let weightings = seeded_weightings(context, part)?;
    let mut rows: Vec<_> = weightings.iter().map(|w| (w.label(), Vec::new())).collect();
    let mut columns = Vec::new();
    for (style, range) in ranges(context) {
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
    let note = format!(
        "{} The four styles stand where the paper has anime, concept-art, paintings and photo. Train: \
         noise seed {}, with which the importance was probed; test: noise seed {}. {} steps.",
        measure.note(context),
        experiment.train_seed,
        experiment.test_seed,
        experiment.steps
    );
    let title = format!("{title} ({})", measure.name(context));
    Ok(Table { name: format!("{name}{}", measure.suffix()), title, note, columns, rows })
}

/// Every style, then all together, with their examples.
fn ranges(context: &Context) -> Vec<(String, std::ops::Range<usize>)> {
    let mut first = 0;
    let mut all = Vec::new();
    for (style, examples) in &context.styles {
        all.push((style.clone(), first..first + examples.len()));
        first += examples.len();
    }
    all.push(("avg".into(), 0..first));
    all
}

fn table2(runner: &Runner<'_>) -> Result<(Table, String), ReproduceError> {
    let context = runner.context;
    let vote = runner.vote(0)?;
    let importance = vote.importance()?;
    let intervals = bootstrap_scores(&vote, RESAMPLES, SEED);
    let concordance = kendalls_w(&vote);
    let blocks = context.pipeline.unet().config().blocks();
    let labels: Vec<String> =
        blocks.iter().map(|b| format!("{} {}", b.site.index, b.path)).collect();
    let mut columns: Vec<String> = blocks.iter().map(|b| format!("blk-{}", b.site.index)).collect();
    columns.push("Kendall's W".into());
    let rows = (0..importance.rows().len())
        .map(|step| {
            let order: Vec<String> = vote.ranking[step].iter().map(usize::to_string).collect();
            let mut cells: Vec<Option<Cell>> = importance.rows()[step]
                .iter()
                .zip(&intervals[step])
                .map(|(score, interval)| {
                    let interval = Some([interval.low, interval.high]);
                    Some(Cell { value: *score, difference: None, interval })
                })
                .collect();
            cells.push(Some(Cell::plain(concordance[step])));
            (format!("step {step}: {}", order.join(" ")), cells)
        })
        .collect();
    let table = Table {
        name: "table-2".into(),
        title: format!("Table II: dynamic importance for \"{}\"", runner.example(0).text),
        note: format!(
            "Rows: blocks in ascending importance; cells: importance score (Eq. 6) and its 95 % \
             bootstrap interval over {} rounds; Kendall's W is the rounds' agreement. {} equal \
             thresholds were ordered by the seeded draw.",
            vote.rounds, vote.ties
        ),
        columns,
        rows,
    };
    Ok((table, heatmap_svg(&importance, &labels)))
}

fn figure4(runner: &Runner<'_>, table: &Table) -> Result<String, ReproduceError> {
    let ranges = runner.context.experiment.figure4_ranges(runner.context.size)?;
    let lows: Vec<f64> = ranges.iter().map(reweight::WeightRange::low).collect();
    let mut lines = Vec::new();
    for (column, label) in table.columns.iter().enumerate() {
        let value = |row: usize| table.rows[row].1[column].map_or(f64::NAN, |cell| cell.value);
        lines.push(Line {
            label: label.clone(),
            points: lows.iter().enumerate().map(|(i, low)| (*low, value(i + 1))).collect(),
            baseline: value(0),
        });
    }
    Ok(line_chart(&lines, "low", "SNR in dB (dashed: vanilla)"))
}
