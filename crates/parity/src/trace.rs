use layers::trace::{Trace, collect};

use crate::golden::Golden;
use crate::pipelines::Case;
use crate::report::Report;

/// Every layer of one U-Net pass and of one pass through the autoencoder, each against its own
/// reference, so that a first excess names the layer that is wrong.
pub(crate) fn run(case: &Case<'_>, report: &mut Report<'_>) -> anyhow::Result<()> {
    let golden = Golden::open(&case.folder.join("golden_trace.safetensors"))?;
    if golden.has("unet_in/sample") {
        let trace = unet(case, &golden)?;
        compare("unet", &trace, case.unet_tolerance(""), (case, &golden), report)?;
    }
    if golden.has("vae_in/image") {
        let trace = vae(case, &golden)?;
        compare("vae", &trace, 1e-4, (case, &golden), report)?;
    }
    for unused in golden.unused() {
        report.missed(&format!("{}/trace/{unused}", case.name), "no layer has this name");
    }
    Ok(())
}

fn unet(case: &Case<'_>, golden: &Golden) -> anyhow::Result<Trace> {
    let sample = golden.tensor("unet_in/sample", &case.device)?;
    let timesteps = golden.values("unet_in/timestep")?;
    let context = golden.tensor("unet_in/encoder_hidden_states", &case.device)?;
    let added = case.added(golden, "unet_in")?;
    let unet = case.pipeline.unet();
    Ok(collect(|| unet.forward(sample, timesteps, context, added.as_ref(), None)).1)
}

fn vae(case: &Case<'_>, golden: &Golden) -> anyhow::Result<Trace> {
    let image = golden.tensor("vae_in/image", &case.device)?;
    let latent = golden.tensor("vae_in/latent", &case.device)?;
    let vae = case.pipeline.vae();
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
            let found: Vec<f64> = data.iter::<f64>().collect();
            let label = format!("{}/trace/{key}", case.name);
            report.compare(&label, &found, golden.values(&key)?, tolerance);
        }
    }
    Ok(())
}
