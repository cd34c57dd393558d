use metrics::{RgbView, decibels, paired_difference, psnr, ssim};
use pipeline::Picture;
use probe::{bootstrap_scores, heatmap_svg, kendalls_w};

use crate::chart::{Line, line_chart};
use crate::plan::{block_weightings, sampled, seeded_weightings};
use crate::units::{Runner, Unit};
use crate::weightings::Weighting;
use crate::{Cell, Context, Part, ReproduceError, Table};

/// Resamples of every bootstrap interval, and their seed.
const RESAMPLES: usize = 2000;
const SEED: u64 = 1;

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
            Part::Table1 => rendered.tables.push(table1(runner)?),
            Part::Table2 => {
                let (table, figure) = table2(runner)?;
                rendered.tables.push(table);
                rendered.figures.push(("heat-map".into(), figure));
            }
            Part::Table3And4 => rendered.tables.push(seeded(
                runner,
                *part,
                "table-3-4",
                "Tables III and IV: importance-based weights in several ranges",
            )?),
            Part::Table5And6 => rendered.tables.push(seeded(
                runner,
                *part,
                "table-5-6",
                "Tables V and VI: inverted importance",
            )?),
            Part::Figure4 => {
                let name = "figure-4";
                let title = "Fig. 4: the effect of the range's lower end";
                let table = seeded(runner, *part, name, title)?;
                rendered.figures.push((name.into(), figure4(runner, &table)?));
                rendered.tables.push(table);
            }
            Part::Pictures => {
                rendered.tables.push(fidelity(runner)?);
                rendered.pictures = pictures(runner)?;
            }
        }
    }
    Ok(rendered)
}

/// Eq. 2 in decibels, its mean over the steps of one unit.
fn mean_decibels(ratios: &[f64]) -> f64 {
    ratios.iter().map(|ratio| decibels(*ratio)).sum::<f64>() / ratios.len() as f64
}

fn snr_values(
    runner: &Runner<'_>,
    examples: impl Iterator<Item = usize>,
    seed: u64,
    steps: usize,
    weighting: Weighting,
) -> Result<Vec<f64>, ReproduceError> {
    examples
        .map(|example| {
            let ratios = runner.ratios(&Unit::Snr { example, seed, steps, weighting })?;
            Ok(mean_decibels(&ratios))
        })
        .collect()
}

/// A mean beside its paired difference to the vanilla values.
fn cell(values: &[f64], vanilla: &[f64], is_vanilla: bool) -> Result<Cell, ReproduceError> {
    let value = values.iter().sum::<f64>() / values.len().max(1) as f64;
    if is_vanilla {
        return Ok(Cell::plain(value));
    }
    let difference = paired_difference(values, vanilla, RESAMPLES, SEED)?;
    Ok(Cell { value, difference: Some(difference), interval: None })
}

fn table1(runner: &Runner<'_>) -> Result<Table, ReproduceError> {
    let experiment = &runner.context.experiment;
    let examples = runner.context.examples().count();
    let seed = experiment.train_seed;
    let weightings = block_weightings(runner.context);
    let mut rows: Vec<_> = weightings.iter().map(|w| (w.label(), Vec::new())).collect();
    for steps in &experiment.table1_steps {
        let vanilla = snr_values(runner, 0..examples, seed, *steps, Weighting::Vanilla)?;
        for (row, weighting) in rows.iter_mut().zip(&weightings) {
            let values = snr_values(runner, 0..examples, seed, *steps, *weighting)?;
            row.1.push(Some(cell(&values, &vanilla, *weighting == Weighting::Vanilla)?));
        }
    }
    Ok(Table {
        name: "table-1".into(),
        title: format!("Table I: each block alone at {}", experiment.table1_weight),
        note: snr_note(examples),
        columns: experiment.table1_steps.iter().map(|s| format!("{s} steps, SNR dB")).collect(),
        rows,
    })
}

fn snr_note(examples: usize) -> String {
    format!(
        "Signal-to-noise ratio by Eq. 2 in dB, mean over {examples} real pictures and all steps; in \
         brackets the mean difference to vanilla over the same pictures with its 95 % bootstrap \
         interval (↑ above, ↓ below vanilla). HPS, FID and LPIPS are not computed here."
    )
}

/// The tables that compare weightings on both seeds, style by style.
fn seeded(
    runner: &Runner<'_>,
    part: Part,
    name: &str,
    title: &str,
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
            let values =
                |weighting| snr_values(runner, range.clone(), seed, experiment.steps, weighting);
            let vanilla = values(Weighting::Vanilla)?;
            for (row, weighting) in rows.iter_mut().zip(&weightings) {
                let is_vanilla = *weighting == Weighting::Vanilla;
                row.1.push(Some(cell(&values(*weighting)?, &vanilla, is_vanilla)?));
            }
        }
    }
    let note = format!(
        "{} The four styles stand where the paper has anime, concept-art, paintings and photo. Train: \
         noise seed {}, with which the importance was probed; test: noise seed {}. {} steps.",
        snr_note(context.examples().count()),
        experiment.train_seed,
        experiment.test_seed,
        experiment.steps
    );
    Ok(Table { name: name.into(), title: title.into(), note, columns, rows })
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

fn decoded(runner: &Runner<'_>, unit: &Unit) -> Result<Picture, ReproduceError> {
    Ok(Picture::from_png(&runner.png(unit)?)?)
}

/// How far each weighting moves the sampled pictures from the vanilla ones.
fn fidelity(runner: &Runner<'_>) -> Result<Table, ReproduceError> {
    let context = runner.context;
    let experiment = &context.experiment;
    let seeds = [("train", experiment.train_seed), ("test", experiment.test_seed)];
    let weightings = seeded_weightings(context, Part::Pictures)?;
    let chosen = sampled(context);
    let mut rows: Vec<_> = weightings[1..].iter().map(|w| (w.label(), Vec::new())).collect();
    let mut columns = Vec::new();
    for (what, seed) in seeds {
        columns.extend([format!("{what} PSNR dB"), format!("{what} SSIM")]);
        for (row, weighting) in rows.iter_mut().zip(&weightings[1..]) {
            let (mut decibels, mut similarities) = (0.0, 0.0);
            for example in &chosen {
                let unit = |weighting| Unit::Picture { example: *example, seed, weighting };
                let own = decoded(runner, &unit(*weighting))?;
                let vanilla = decoded(runner, &unit(Weighting::Vanilla))?;
                let view = |p: &'_ Picture| (p.width, p.height);
                let (width, height) = view(&own);
                let a = RgbView { width, height, data: &own.rgb };
                let b =
                    RgbView { width: vanilla.width, height: vanilla.height, data: &vanilla.rgb };
                decibels += psnr(a, b)?.min(100.0);
                similarities += ssim(a, b)?;
            }
            let count = chosen.len().max(1) as f64;
            row.1.push(Some(Cell::plain(decibels / count)));
            row.1.push(Some(Cell::plain(similarities / count)));
        }
    }
    Ok(Table {
        name: "pictures".into(),
        title: "Identity: how close weighted pictures stay to the vanilla ones".into(),
        note: format!(
            "PSNR (100 dB for equal pictures) and SSIM against the vanilla picture of the same prompt \
             and seed, mean over {} prompts. FreeU with b1 {}, b2 {}, s1 {}, s2 {}.",
            chosen.len(),
            experiment.freeu.b1,
            experiment.freeu.b2,
            experiment.freeu.s1,
            experiment.freeu.s2
        ),
        columns,
        rows,
    })
}

/// Caption, then label and PNG of each picture.
pub(crate) type PictureRow = (String, Vec<(String, Vec<u8>)>);

fn pictures(runner: &Runner<'_>) -> Result<Vec<PictureRow>, ReproduceError> {
    let experiment = &runner.context.experiment;
    let weightings = seeded_weightings(runner.context, Part::Pictures)?;
    let mut rows = Vec::new();
    for example in sampled(runner.context) {
        for (what, seed) in [("train", experiment.train_seed), ("test", experiment.test_seed)] {
            let mut row = Vec::new();
            for weighting in &weightings {
                let unit = Unit::Picture { example, seed, weighting: *weighting };
                row.push((weighting.label(), runner.png(&unit)?));
            }
            let text = &runner.example(example).text;
            rows.push((format!("{text} ({what}, seed {seed})"), row));
        }
    }
    Ok(rows)
}
