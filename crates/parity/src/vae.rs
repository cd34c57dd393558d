use burn::tensor::Tensor;
use pipeline::pictures_from_tensor;

use crate::pipelines::Case;
use crate::report::Report;

/// Tolerance of the autoencoder.
const TOLERANCE: f64 = 1e-4;

pub(crate) fn run(case: &Case<'_>, report: &mut Report<'_>) -> anyhow::Result<()> {
    let vae = case.pipeline.vae();
    let tolerance = |key: &str| case.tolerance("vae", key, TOLERANCE);
    for name in case.golden.cases("vae/", "/image") {
        let key = |part: &str| format!("vae/{name}/{part}");
        let image: Tensor<4> = case.golden.tensor(&key("image"), &case.device)?;
        let posterior = vae.encode(image);
        for (part, found) in [("mean", posterior.mean), ("logvar", posterior.logvar)] {
            let expected = case.golden.values(&key(part))?;
            let label = format!("{}/{}", case.name, key(part));
            report.tensor(&label, found, expected, tolerance(&format!("vae/{name}")));
        }
    }
    for name in case.golden.cases("vae/", "/latent") {
        let key = |part: &str| format!("vae/{name}/{part}");
        let latent: Tensor<4> = case.golden.tensor(&key("latent"), &case.device)?;
        // The reference decodes these latents as they are, without the scaling factor.
        let decoded = vae.decode(latent);
        let expected = case.golden.values(&key("out"))?;
        let label = format!("{}/{}", case.name, key("out"));
        report.tensor(&label, decoded.clone(), expected, tolerance(&format!("vae/{name}")));
        if case.golden.has(&key("uint8_hwc")) {
            let bytes: Vec<f64> = pictures_from_tensor(decoded)
                .into_iter()
                .flat_map(|picture| picture.rgb.into_iter().map(f64::from))
                .collect();
            let expected = case.golden.values(&key("uint8_hwc"))?;
            report.compare(&format!("{}/{}", case.name, key("uint8_hwc")), &bytes, expected, 1.0);
        }
    }
    Ok(())
}
