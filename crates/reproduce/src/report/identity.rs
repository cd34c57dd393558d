//! How far each weighting moves the sampled pictures from the vanilla ones, and the pictures side
//! by side.

use metrics::{Features, frechet_from_features, kernel_distance};

use super::cell::{Cell, SEED};
use super::measure::{Measure, brackets};
use super::table::Table;
use crate::ReproduceError;
use crate::plan::{Likened, Part, Sample, SeedRole, Weighting, compared, seeded_weightings, shown};
use crate::run::{Library, Likeness};

/// Subsets a kernel distance is the mean of, and the most pictures of one.
const SUBSETS: usize = 100;
const SUBSET_SIZE: usize = 1000;

/// Pictures of one prompt and seed.
pub(crate) struct PictureRow {
    pub(crate) caption: String,
    /// Label and PNG of each.
    pub(crate) pictures: Vec<(String, Vec<u8>)>,
}

/// The table of all weightings but vanilla.
pub(crate) fn identity(library: &Library<'_>) -> Result<Table, ReproduceError> {
    let context = library.context;
    let mut weightings = seeded_weightings(&context.study, Part::Pictures)?;
    weightings.retain(|weighting| *weighting != Weighting::Vanilla);
    let score = Measure::Score.name(context);
    let columns = SeedRole::BOTH.iter().flat_map(|seed| {
        ["PSNR dB", "SSIM", "LPIPS", "CLIP-FID", "KID × 1000", &score]
            .map(|measure| format!("{} {measure}", seed.label()))
    });
    let columns = columns.collect();
    let mut rows = Vec::new();
    for weighting in weightings {
        let mut cells = Vec::new();
        for seed in SeedRole::BOTH {
            let pairs = samples(library, weighting, seed).map(Sample::beside_vanilla);
            cells.extend(closeness(library, pairs)?);
            cells.extend(set_distances(library, weighting, seed)?);
            cells.push(score_beside_vanilla(library, weighting, seed)?);
        }
        rows.push((weighting.label(), cells));
    }
    Ok(Table {
        name: "pictures".into(),
        title: format!("Identity: how close weighted pictures stay to the vanilla ones ({score})"),
        note: note(library),
        columns,
        rows,
    })
}

fn note(library: &Library<'_>) -> String {
    let context = library.context;
    let (pairs, freeu) = (compared(&context.study).len(), &context.experiment().freeu);
    format!(
        "Against the vanilla pictures of the same {pairs} prompts and the seed: PSNR (100 dB for \
         equal pictures) and SSIM, means over pairs; Fréchet and kernel distance of the two sets by \
         the scorer's features. With fewer pictures than features a Fréchet distance is biased \
         upwards; the kernel distance is not, and stands beside it. {} {}; {}. FreeU with b1 {}, b2 \
         {}, s1 {}, s2 {}.",
        lpips_note(library),
        Measure::Score.what(context),
        brackets("the vanilla pictures"),
        freeu.b1,
        freeu.b2,
        freeu.s1,
        freeu.s2
    )
}

/// What LPIPS is measured by, or that it is not.
pub(super) fn lpips_note(library: &Library<'_>) -> String {
    match &library.context.networks.lpips {
        Some(lpips) => format!("{}, mean over pairs.", lpips.name()),
        None => "LPIPS is not measured here: `unet-reweight score lpips` does with weights at \
                 hand."
            .into(),
    }
}

/// The compared samples of one weighting and seed.
fn samples(
    library: &Library<'_>,
    weighting: Weighting,
    seed: SeedRole,
) -> impl Iterator<Item = Sample> {
    let experiment = library.context.experiment();
    let (seed, steps) = (seed.of(experiment), experiment.steps);
    let sample = move |example| Sample { example, seed, steps, weighting };
    compared(&library.context.study).into_iter().map(sample)
}

/// The mean score beside that of the vanilla pictures.
fn score_beside_vanilla(
    library: &Library<'_>,
    weighting: Weighting,
    seed: SeedRole,
) -> Result<Option<Cell>, ReproduceError> {
    let scores = |weighting| Measure::Score.values(library, samples(library, weighting, seed));
    let (Some(weighted), Some(vanilla)) = (scores(weighting)?, scores(Weighting::Vanilla)?) else {
        return Ok(None);
    };
    Ok(Some(Cell::paired(&weighted, &vanilla)?))
}

/// Means of PSNR, SSIM and LPIPS.
pub(super) fn closeness(
    library: &Library<'_>,
    pairs: impl Iterator<Item = Likened>,
) -> Result<[Option<Cell>; 3], ReproduceError> {
    let pairs: Vec<Likeness> =
        pairs.map(|pair| library.likeness(&pair)).collect::<Result<_, _>>()?;
    let mean = |value: &dyn Fn(&Likeness) -> Option<f64>| {
        let values: Option<Vec<f64>> = pairs.iter().map(value).collect();
        values.map(|values| Cell::mean(&values))
    };
    Ok([
        mean(&|pair| Some(pair.capped_psnr())),
        mean(&|pair| Some(pair.ssim)),
        mean(&|pair| pair.lpips).filter(|_| !pairs.is_empty()),
    ])
}

/// Fréchet and kernel distance to the vanilla pictures; nothing without a scorer, or for fewer
/// pictures than a covariance needs.
fn set_distances(
    library: &Library<'_>,
    weighting: Weighting,
    seed: SeedRole,
) -> Result<[Option<Cell>; 2], ReproduceError> {
    let Some(scorer) = &library.context.scorer else { return Ok([None, None]) };
    let features = |weighting: Weighting| -> Result<Features, ReproduceError> {
        let (mut values, mut count) = (Vec::new(), 0);
        for sample in samples(library, weighting, seed) {
            values.extend(library.scored(&sample)?.features.into_iter().map(f64::from));
            count += 1;
        }
        let dims = values.len() / count.max(1);
        Ok(Features { network: scorer.name().into(), dims, values })
    };
    let (weighted, vanilla) = (features(weighting)?, features(Weighting::Vanilla)?);
    let count = weighted.count();
    let fid = match count {
        0 | 1 => None,
        _ => Some(Cell::plain(frechet_from_features(&weighted, &vanilla)?)),
    };
    let kid = match count {
        0..=3 => None,
        _ => {
            let kid = kernel_distance(&weighted, &vanilla, SUBSETS, SUBSET_SIZE, SEED)?;
            Some(Cell::plain(1000.0 * kid.mean))
        }
    };
    Ok([fid, kid])
}

/// The pictures that are shown side by side.
pub(crate) fn gallery(library: &Library<'_>) -> Result<Vec<PictureRow>, ReproduceError> {
    let (context, experiment) = (library.context, library.context.experiment());
    let weightings = seeded_weightings(&context.study, Part::Pictures)?;
    let mut rows = Vec::new();
    for example in shown(&context.study) {
        for role in SeedRole::BOTH {
            let (seed, steps) = (role.of(experiment), experiment.steps);
            let picture = |weighting: &Weighting| -> Result<_, ReproduceError> {
                let sample = Sample { example, seed, steps, weighting: *weighting };
                Ok((weighting.label(), library.png(&sample)?))
            };
            let pictures = weightings.iter().map(picture).collect::<Result<_, _>>()?;
            let text = &context.example(example).text;
            let caption = format!("{text} ({}, seed {seed})", role.label());
            rows.push(PictureRow { caption, pictures });
        }
    }
    Ok(rows)
}
