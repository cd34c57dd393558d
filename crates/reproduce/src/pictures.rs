use metrics::{Features, frechet_from_features, kernel_distance, psnr, ssim};

use crate::plan::{compared, seeded_weightings, shown};
use crate::tables::SEED;
use crate::units::{Runner, Scored, Unit};
use crate::weightings::Weighting;
use crate::{Cell, Part, ReproduceError, Table};

/// Subsets a kernel distance is the mean of, and the most pictures of one.
const SUBSETS: usize = 100;
const SUBSET_SIZE: usize = 1000;

/// Caption, then label and PNG of each picture.
pub(crate) type PictureRow = (String, Vec<(String, Vec<u8>)>);

/// How far each weighting moves the sampled pictures from the vanilla ones.
pub(crate) fn fidelity(runner: &Runner<'_>) -> Result<Table, ReproduceError> {
    let context = runner.context;
    let experiment = context.experiment();
    let seeds = [("train", experiment.train_seed), ("test", experiment.test_seed)];
    let weightings = seeded_weightings(&context.study, Part::Pictures)?;
    let (examples, steps) = (compared(&context.study), experiment.steps);
    let pairs = examples.len();
    let mut rows: Vec<_> = weightings[1..].iter().map(|w| (w.label(), Vec::new())).collect();
    let mut columns = Vec::new();
    for (what, seed) in seeds {
        for column in ["PSNR dB", "SSIM", "LPIPS", "CLIP-FID", "KID × 1000"] {
            columns.push(format!("{what} {column}"));
        }
        for (row, weighting) in rows.iter_mut().zip(&weightings[1..]) {
            let (mut decibels, mut similarities) = (0.0, 0.0);
            for example in examples.iter().copied() {
                let decoded = |weighting| {
                    runner.decoded(&Unit::Picture { example, seed, steps, weighting })
                };
                let (weighted, vanilla) = (decoded(*weighting)?, decoded(Weighting::Vanilla)?);
                decibels += psnr(&weighted, &vanilla)?.min(100.0);
                similarities += ssim(&weighted, &vanilla)?;
            }
            let count = pairs.max(1) as f64;
            row.1.push(Some(Cell::plain(decibels / count)));
            row.1.push(Some(Cell::plain(similarities / count)));
            // LPIPS needs weights that do not ship with the project.
            row.1.push(None);
            row.1.extend(set_distances(runner, &examples, seed, *weighting)?);
        }
    }
    let freeu = &experiment.freeu;
    Ok(Table {
        name: "pictures".into(),
        title: "Identity: how close weighted pictures stay to the vanilla ones".into(),
        note: format!(
            "Against the vanilla pictures of the same {pairs} prompts and the seed: PSNR (100 dB \
             for equal pictures) and SSIM, means over pairs; Fréchet and kernel distance of the two \
             sets by the scorer's features. With fewer pictures than features a Fréchet distance is \
             biased upwards; the kernel distance is not, and stands beside it. LPIPS is not measured \
             here: `unet-reweight score lpips` does with weights at hand. FreeU with b1 {}, b2 {}, \
             s1 {}, s2 {}.",
            freeu.b1, freeu.b2, freeu.s1, freeu.s2
        ),
        columns,
        rows,
    })
}

/// Fréchet and kernel distance to the vanilla pictures; nothing without a scorer, or for fewer
/// pictures than a covariance needs.
fn set_distances(
    runner: &Runner<'_>,
    examples: &[usize],
    seed: u64,
    weighting: Weighting,
) -> Result<[Option<Cell>; 2], ReproduceError> {
    let steps = runner.context.experiment().steps;
    let Some(scorer) = &runner.context.scorer else { return Ok([None, None]) };
    let features = |weighting: Weighting| -> Result<Features, ReproduceError> {
        let mut values = Vec::new();
        for example in examples.iter().copied() {
            let unit = Unit::Score { example, seed, steps, weighting };
            let scored: Scored = runner.result(&unit)?;
            values.extend(scored.features.into_iter().map(f64::from));
        }
        let dims = values.len() / examples.len().max(1);
        Ok(Features { network: scorer.name().into(), dims, values })
    };
    let (own, vanilla) = (features(weighting)?, features(Weighting::Vanilla)?);
    let fid = match examples.len() {
        0 | 1 => None,
        _ => Some(Cell::plain(frechet_from_features(&own, &vanilla)?)),
    };
    let kid = match examples.len() {
        0..=3 => None,
        _ => {
            let kid = kernel_distance(&own, &vanilla, SUBSETS, SUBSET_SIZE, SEED)?;
            Some(Cell::plain(1000.0 * kid.mean))
        }
    };
    Ok([fid, kid])
}

/// The pictures that are shown side by side.
pub(crate) fn gallery(runner: &Runner<'_>) -> Result<Vec<PictureRow>, ReproduceError> {
    let experiment = runner.context.experiment();
    let weightings = seeded_weightings(&runner.context.study, Part::Pictures)?;
    let mut rows = Vec::new();
    for example in shown(&runner.context.study) {
        for (what, seed) in [("train", experiment.train_seed), ("test", experiment.test_seed)] {
            let mut row = Vec::new();
            for weighting in &weightings {
                let steps = experiment.steps;
                let unit = Unit::Picture { example, seed, steps, weighting: *weighting };
                row.push((weighting.label(), runner.png(&unit)?));
            }
            let text = &runner.example(example).text;
            rows.push((format!("{text} ({what}, seed {seed})"), row));
        }
    }
    Ok(rows)
}
