//! The U-Net alone, re-weighted, and with FreeU.

use reweight::{BlockWeights, Composed, FreeU, StepMatrix};
use unet_core::Intervention;

use crate::case::Case;
use crate::report::Report;

pub(crate) fn run(case: &Case<'_>, report: &mut Report<'_>) -> anyhow::Result<()> {
    for name in case.golden.cases("unet/", "/out") {
        compare(case, &format!("unet/{name}"), &format!("unet/{name}/out"), None, report)?;
    }
    reweighted(case, report)?;
    freeu(case, report)
}

/// One forward pass with the inputs below `inputs`, against the tensor `out`.
fn compare(
    case: &Case<'_>,
    inputs: &str,
    out: &str,
    intervention: Option<&dyn Intervention>,
    report: &mut Report<'_>,
) -> anyhow::Result<()> {
    let output = case.unet_output(&case.golden, inputs, intervention)?;
    let tolerance = case.unet_tolerance(out.strip_suffix("/out").unwrap_or(out))?;
    report.tensor(&case.label(out), output, case.golden.values(out)?, tolerance);
    Ok(())
}

/// Weights and thresholds stored below `prefix`, as one step.
fn weights(case: &Case<'_>, prefix: &str) -> anyhow::Result<BlockWeights> {
    let weights = case.golden.values(&format!("{prefix}/weights"))?.to_vec();
    let thresholds = case.golden.values(&format!("{prefix}/thresholds"))?.to_vec();
    let one_step = |row| StepMatrix::from_rows(vec![row]);
    Ok(BlockWeights::new(one_step(weights)?)?.with_thresholds(one_step(thresholds)?)?)
}

fn reweighted(case: &Case<'_>, report: &mut Report<'_>) -> anyhow::Result<()> {
    for name in case.golden.cases("rw/", "/out") {
        let prefix = format!("rw/{name}");
        let step = weights(case, &prefix)?.at_step(0)?;
        compare(case, "rw", &format!("{prefix}/out"), Some(&step), report)?;
        let skipped = case.facts.find("rw_skipped_blocks").and_then(|blocks| blocks.find(&name));
        if let Some(skipped) = skipped {
            let expected: Vec<bool> = skipped.parse()?;
            report.equal(&case.label(&format!("{prefix}/skipped")), &step.skipped(0), &expected);
        }
    }
    if case.golden.has("rw_odd/out") {
        let step = weights(case, "rw_odd")?.at_step(0)?;
        compare(case, "rw_odd", "rw_odd/out", Some(&step), report)?;
    }
    Ok(())
}

/// FreeU with the factors that the facts give by `name`.
pub(crate) fn freeu_factors(case: &Case<'_>, name: &str) -> anyhow::Result<FreeU> {
    let facts = case.facts.get("freeu")?.get(name)?;
    Ok(FreeU::constant(facts.read("b1")?, facts.read("b2")?, facts.read("s1")?, facts.read("s2")?))
}

fn freeu(case: &Case<'_>, report: &mut Report<'_>) -> anyhow::Result<()> {
    let Some(variants) = case.facts.find("freeu") else { return Ok(()) };
    for (name, _) in variants.fields()? {
        let freeu = freeu_factors(case, &name)?;
        for size in case.golden.cases("freeu/", &format!("/out_{name}")) {
            let prefix = format!("freeu/{size}");
            compare(case, &prefix, &format!("{prefix}/out_{name}"), Some(&freeu), report)?;
        }
        // With re-weighting: the inputs of `rw/`, the weights of its first random case.
        let out = format!("freeu/rw_{name}/out");
        if case.golden.has(&out) {
            let step = weights(case, "rw/rand_0")?.at_step(0)?;
            let both = Composed::new().with(step).with(freeu);
            compare(case, "rw", &out, Some(&both), report)?;
        }
    }
    Ok(())
}
