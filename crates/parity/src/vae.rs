//! The autoencoder's two directions.

use burn::tensor::Tensor;
use pipeline::pictures_from_tensor;

use crate::case::Case;
use crate::report::Report;

/// Tolerance of encoded and decoded values: seven times the reference's noise of 1.5e-5.
pub(crate) const TOLERANCE: f64 = 1e-4;
/// Tolerance of 8-bit values: a value on the border between two steps may round to either.
pub(crate) const BYTE_TOLERANCE: f64 = 1.0;

pub(crate) fn run(case: &Case<'_>, report: &mut Report<'_>) -> anyhow::Result<()> {
    let vae = case.pipeline.vae();
    let channels = |channels: usize| [None, Some(channels), None, None];
    for name in case.golden.cases("vae/", "/image") {
        let key = |part: &str| format!("vae/{name}/{part}");
        let tolerance = case.tolerance("vae", &format!("vae/{name}"), TOLERANCE)?;
        let shape = channels(vae.config().in_channels);
        let image: Tensor<4> = case.golden.tensor(&key("image"), shape, &case.device)?;
        let posterior = vae.encode(image);
        for (part, values) in [("mean", posterior.mean), ("logvar", posterior.logvar)] {
            let expected = case.golden.values(&key(part))?;
            report.tensor(&case.label(&key(part)), values, expected, tolerance);
        }
    }
    for name in case.golden.cases("vae/", "/latent") {
        let key = |part: &str| format!("vae/{name}/{part}");
        let tolerance = case.tolerance("vae", &format!("vae/{name}"), TOLERANCE)?;
        let shape = channels(vae.config().latent_channels);
        let latent: Tensor<4> = case.golden.tensor(&key("latent"), shape, &case.device)?;
        // The reference decodes these latents as they are, without the scaling factor.
        let decoded = vae.decode(latent);
        let expected = case.golden.values(&key("out"))?;
        report.tensor(&case.label(&key("out")), decoded.clone(), expected, tolerance);
        if case.golden.has(&key("uint8_hwc")) {
            let expected = case.golden.values(&key("uint8_hwc"))?;
            let label = case.label(&key("uint8_hwc"));
            report.computed(&label, &bytes(decoded), expected, BYTE_TOLERANCE);
        }
    }
    Ok(())
}

/// Decoded pictures as 8-bit values, row by row.
pub(crate) fn bytes(decoded: Tensor<4>) -> Vec<f64> {
    let pictures = pictures_from_tensor(decoded).into_iter();
    pictures.flat_map(|picture| picture.rgb.into_iter().map(f64::from)).collect()
}
