use anyhow::Context;
use reweight::{BlockWeights, Composed, FreeU, StepMatrix};
use unet_core::Intervention;

use crate::pipelines::Case;
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
    let input = |part: &str| format!("{inputs}/{part}");
    let timesteps = case.golden.values(&input("timestep"))?.to_vec();
    let added = case.added(&case.golden, inputs)?;
    let found = case.pipeline.unet().forward(
        case.golden.tensor(&input("sample"), &case.device)?,
        &timesteps,
        case.golden.tensor(&input("encoder_hidden_states"), &case.device)?,
        added.as_ref(),
        intervention,
    );
    let key = out.strip_suffix("/out").unwrap_or(out);
    let tolerance = case.unet_tolerance(key);
    report.tensor(&format!("{}/{out}", case.name), found, case.golden.values(out)?, tolerance);
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
        let expected: Option<Vec<bool>> =
            serde_json::from_value(case.facts["rw_skipped_blocks"][&name].clone()).ok();
        if let Some(expected) = expected {
            let label = format!("{}/{prefix}/skipped", case.name);
            report.equal(&label, &step.skipped(0), &expected);
        }
    }
    if case.golden.has("rw_odd/out") {
        let step = weights(case, "rw_odd")?.at_step(0)?;
        compare(case, "rw_odd", "rw_odd/out", Some(&step), report)?;
    }
    Ok(())
}

fn factors(case: &Case<'_>, name: &str) -> anyhow::Result<FreeU> {
    let facts = &case.facts["freeu"][name];
    let factor = |key: &str| {
        facts[key].as_f64().with_context(|| format!("`freeu.{name}.{key}` in golden.json"))
    };
    Ok(FreeU::constant(factor("b1")?, factor("b2")?, factor("s1")?, factor("s2")?))
}

fn freeu(case: &Case<'_>, report: &mut Report<'_>) -> anyhow::Result<()> {
    let names: Vec<String> = case.facts["freeu"]
        .as_object()
        .map(|all| all.keys().cloned().collect())
        .unwrap_or_default();
    for name in names {
        let freeu = factors(case, &name)?;
        for size in case.golden.cases("freeu/", &format!("/out_{name}")) {
            let prefix = format!("freeu/{size}");
            compare(case, &prefix, &format!("{prefix}/out_{name}"), Some(&freeu), report)?;
        }
        // With re-weighting: the inputs of `rw/`, the weights of the first random case.
        let out = format!("freeu/rw_{name}/out");
        if case.golden.has(&out) {
            let step = weights(case, "rw/rand_0")?.at_step(0)?;
            let both = Composed::new().with(step).with(freeu);
            compare(case, "rw", &out, Some(&both), report)?;
        }
    }
    Ok(())
}
