//! What is measured on sampled pictures: their scores, and how close they are to the vanilla ones.

use metrics::{psnr, ssim};

use super::decoded::Decoded;
use super::library::Library;
use super::results::{Likeness, Scored};
use crate::ReproduceError;
use crate::plan::{Likened, Sample, Unit};

/// Stores the scorer's word on a picture that is stored.
pub(crate) fn score(
    library: &Library<'_>,
    decoded: &Decoded<'_>,
    sample: &Sample,
) -> Result<(), ReproduceError> {
    let context = library.context;
    let scorer = context.scorer.as_ref().ok_or_else(|| {
        ReproduceError::Experiment("a score needs a `[scorer]` in the experiment".into())
    })?;
    let vectors = scorer.embed(&decoded.picture(sample)?)?;
    let prompt = [context.example(sample.example).text.clone()];
    let scores = scorer.cosines(&vectors, &prompt)?;
    for (features, score) in vectors.into_iter().zip(scores) {
        library.store(&Unit::Score(*sample), &Scored { score, features })?;
    }
    Ok(())
}

/// Stores how close a picture is to a vanilla one.
pub(crate) fn compare(
    library: &Library<'_>,
    decoded: &Decoded<'_>,
    pair: &Likened,
) -> Result<(), ReproduceError> {
    let (pictures, vanilla) = (decoded.picture(&pair.sample)?, decoded.picture(&pair.vanilla())?);
    let lpips = match &library.context.networks.lpips {
        Some(lpips) => lpips.distances(&pictures, &vanilla)?.total.first().copied(),
        None => None,
    };
    for (picture, vanilla) in pictures.iter().zip(vanilla.iter()) {
        let decibels = psnr(picture, vanilla)?;
        let psnr = (picture != vanilla).then_some(decibels);
        let likeness = Likeness { psnr, ssim: ssim(picture, vanilla)?, lpips };
        library.store(&Unit::Identity(*pair), &likeness)?;
    }
    Ok(())
}
