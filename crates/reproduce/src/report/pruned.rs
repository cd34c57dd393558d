//! Fig. 3: distances of each pruned student's pictures to the teacher's, as a table and as a
//! scatter plot of the training seed.

use pruning::{Distances, Origin, Strategy};

use super::cell::Cell;
use super::chart::{Mark, Point, scatter};
use super::table::Table;
use crate::ReproduceError;
use crate::plan::{Fidelity, Part, SeedRole};
use crate::run::{Context, Library};

/// The table, and the plot.
pub(crate) fn figure3(library: &Library<'_>) -> Result<(Table, String), ReproduceError> {
    let (context, experiment) = (library.context, library.context.experiment());
    let features = match (&context.networks.inception, &context.scorer) {
        (Some(_), _) => "FID".to_string(),
        (None, Some(scorer)) => format!("FID by {}", scorer.name()),
        (None, None) => "FID, not measured".into(),
    };
    let columns = SeedRole::BOTH.iter().flat_map(|seed| {
        [features.as_str(), "KID × 1000", "LPIPS"]
            .map(|measure| format!("{} {measure}", seed.label()))
    });
    let columns = columns.collect();
    let (mut rows, mut points) = (Vec::new(), Vec::new());
    for strategy in library.strategies(&[Part::Figure3])? {
        let mut cells = Vec::new();
        for role in SeedRole::BOTH {
            let fidelity = Fidelity { skips: strategy.skips.clone(), seed: role.of(experiment) };
            let distances = library.distances(&fidelity)?;
            if role == SeedRole::Train {
                points.extend(point(&strategy, &distances));
            }
            let Distances { fid, kid, lpips } = distances;
            cells.extend([fid, kid.map(|kid| 1000.0 * kid), lpips].map(|v| v.map(Cell::plain)));
        }
        rows.push((label(&strategy), cells));
    }
    // A star is drawn over the baseline it equals.
    points.sort_by_key(|point| point.mark != Mark::Baseline);
    let title =
        format!("Fig. 3: pruned students for \"{}\"", context.example(context.study.focus()).text);
    let table = Table { name: "figure-3".into(), title, note: note(context), columns, rows };
    let y_label = match &context.networks.lpips {
        Some(_) => "LPIPS (training seed)",
        None => "KID (training seed)",
    };
    Ok((table, scatter(&points, &format!("{features} (training seed)"), y_label)))
}

fn label(strategy: &Strategy) -> String {
    let what = match strategy.origin {
        Origin::Ranking(count) => format!("skip-{count}"),
        Origin::Baseline(1) => "one block".into(),
        Origin::Baseline(_) => "symmetric pair".into(),
    };
    let star = if strategy.duplicate { " ★" } else { "" };
    format!("{what}: {}{star}", strategy.skips)
}

/// The mark of a strategy, where both its distances are there.
fn point(strategy: &Strategy, distances: &Distances) -> Option<Point> {
    let mark = match (strategy.origin, strategy.duplicate) {
        (Origin::Baseline(_), _) => Mark::Baseline,
        (Origin::Ranking(_), true) => Mark::Both,
        (Origin::Ranking(_), false) => Mark::Ranking,
    };
    // Without LPIPS the kernel distance stands in the plot.
    let y = distances.lpips.or(distances.kid)?;
    Some(Point { x: distances.fid?, y, mark, label: strategy.skips.to_string() })
}

fn note(context: &Context) -> String {
    let (size, pruning) = (context.study.size, context.experiment().pruning.as_ref());
    format!(
        "Rows: blocks skipped at each of {} steps; ★ equals a baseline. Each student's attention \
         was fine-tuned on {} samples of the training seed for {} epochs, then its {} pictures \
         compared with the teacher's of the same noise. With fewer pictures than features a \
         Fréchet distance is biased upwards; the kernel distance is not. One prompt, and the vote's \
         ranking alone: every further prompt or ranking takes as many students, and as long, again, \
         so there are no intervals over prompts.",
        pruning.map_or(0, |pruning| pruning.steps),
        size.pruning_samples,
        size.pruning_epochs,
        size.pruning_samples
    )
}
