//! Every layer of one U-Net pass and of one pass through the autoencoder.

use layers::trace::{Trace, collect};

use crate::case::Case;
use crate::golden::Golden;
use crate::report::Report;

/// Tolerance of the autoencoder's layers: that of its results, ten times the reference's noise.
const VAE_TOLERANCE: f64 = 1e-4;

/// Each layer against its own reference, so that a first excess names the layer that is wrong.
pub(crate) fn run(case: &Case<'_>, report: &mut Report<'_>) -> anyhow::Result<()> {
    let golden = Golden::open(&case.folder.join("golden_trace.safetensors"))?;
    if golden.has("unet_in/sample") {
        let (output, trace) = collect(|| case.unet_output(&golden, "unet_in", None));
        output?;
        compare("unet", &trace, case.unet_tolerance("")?, (case, &golden), report)?;
    }
    if golden.has("vae_in/image") {
        let trace = vae(case, &golden)?;
        compare("vae", &trace, VAE_TOLERANCE, (case, &golden), report)?;
    }
    for unused in golden.unused() {
        report.missed(&case.label(&format!("trace/{unused}")), "no layer has this name");
    }
    Ok(())
}

fn vae(case: &Case<'_>, golden: &Golden) -> anyhow::Result<Trace> {
    let vae = case.pipeline.vae();
    let channels = |channels: usize| [None, Some(channels), None, None];
    let pixels = channels(vae.config().in_channels);
    let image = golden.tensor("vae_in/image", pixels, &case.device)?;
    let latents = channels(vae.config().latent_channels);
    let latent = golden.tensor("vae_in/latent", latents, &case.device)?;
    Ok(collect(|| (vae.encode(image), vae.decode(latent))).1)
}

/// Compares what was recorded with every reference output below `part`; layers that the reference
/// does not hold are passed over.
fn compare(
    part: &str,
    trace: &Trace,
    tolerance: f64,
    (case, golden): (&Case<'_>, &Golden),
    report: &mut Report<'_>,
) -> anyhow::Result<()> {
    for (path, data) in trace {
        let key = format!("{part}/{path}");
        if golden.has(&key) {
            let values: Vec<f64> = data.iter::<f64>().collect();
            let label = case.label(&format!("trace/{key}"));
            report.computed(&label, &values, golden.values(&key)?, tolerance);
        }
    }
    Ok(())
}
