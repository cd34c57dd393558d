use ::pruning::{Distances, Origin};

use crate::chart::{Line, Point, line_chart, scatter};
use crate::scores::Measure;
use crate::units::{Runner, Unit};
use crate::{Cell, ReproduceError, Table};

/// Fig. 4: a line for each category and seed, from its table.
pub(crate) fn figure4(
    runner: &Runner<'_>,
    table: &Table,
    measure: Measure,
) -> Result<String, ReproduceError> {
    let ranges = runner.context.experiment().figure4_ranges(runner.context.study.size)?;
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
    let label = format!("{} (dashed: vanilla)", measure.name(runner.context));
    Ok(line_chart(&lines, "low", &label))
}

/// Fig. 3: distances of each pruned student's pictures to the teacher's, as a table and as a
/// scatter plot of the training seed.
pub(crate) fn figure3(runner: &Runner<'_>) -> Result<(Table, String), ReproduceError> {
    let (context, experiment) = (runner.context, runner.context.experiment());
    let strategies = runner.strategies()?.unwrap_or_default();
    let seeds = [("train", experiment.train_seed), ("test", experiment.test_seed)];
    let features = match (&context.fidelity.inception, &context.scorer) {
        (Some(_), _) => "FID".to_string(),
        (None, Some(scorer)) => format!("FID by {}", scorer.name()),
        (None, None) => "FID, not measured".into(),
    };
    let mut columns = Vec::new();
    for (what, _) in seeds {
        columns.extend([
            format!("{what} {features}"),
            format!("{what} KID × 1000"),
            format!("{what} LPIPS"),
        ]);
    }
    let (mut rows, mut points) = (Vec::new(), Vec::new());
    for (number, strategy) in strategies.iter().enumerate() {
        let what = match strategy.origin {
            Origin::Ranking(count) => format!("skip-{count}"),
            Origin::Baseline(1) => "one block".into(),
            Origin::Baseline(_) => "symmetric pair".into(),
        };
        let star = if strategy.duplicate { " ★" } else { "" };
        let mut cells = Vec::new();
        for (index, (_, seed)) in seeds.into_iter().enumerate() {
            let distances: Distances = runner.result(&Unit::Fidelity { strategy: number, seed })?;
            let Distances { fid, kid, lpips } = distances;
            // Without LPIPS the kernel distance stands in the plot.
            if let (0, Some(x), Some(y)) = (index, fid, lpips.or(kid)) {
                let (colour, symbol) = match (strategy.origin, strategy.duplicate) {
                    (Origin::Baseline(_), _) => ("#1f77b4", "●"),
                    (Origin::Ranking(_), true) => ("#9467bd", "★"),
                    (Origin::Ranking(_), false) => ("#e377c2", "▲"),
                };
                points.push(Point { x, y, colour, symbol, label: strategy.skips.to_string() });
            }
            cells.extend([fid, kid.map(|kid| 1000.0 * kid), lpips].map(|v| v.map(Cell::plain)));
        }
        rows.push((format!("{what}: {}{star}", strategy.skips), cells));
    }
    // A star is drawn over the baseline it equals.
    points.sort_by_key(|point| point.symbol != "●");
    let (size, pruning) = (context.study.size, experiment.pruning.as_ref());
    let table = Table {
        name: "figure-3".into(),
        title: format!(
            "Fig. 3: pruned students for \"{}\"",
            runner.example(context.study.focus()).text
        ),
        note: format!(
            "Rows: blocks skipped at each of {} steps; ★ equals a baseline. Each student's attention \
             was fine-tuned on {} samples of the training seed for {} epochs, then its {} pictures \
             compared with the teacher's of the same noise. With fewer pictures than features a \
             Fréchet distance is biased upwards; the kernel distance is not.",
            pruning.map_or(0, |own| own.steps),
            size.pruning_samples,
            size.pruning_epochs,
            size.pruning_samples
        ),
        columns,
        rows,
    };
    let y_label = if context.fidelity.lpips.is_some() {
        "LPIPS (training seed)"
    } else {
        "KID (training seed)"
    };
    Ok((table, scatter(&points, &format!("{features} (training seed)"), y_label)))
}
