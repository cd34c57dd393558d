//! What pictures lose where they cost less: by blocks that do not run, or by fewer steps.

use metrics::{EQUAL_PSNR, MeanInterval, mean_interval};

use super::cell::{Cell, RESAMPLES, SEED};
use super::measure::Measure;
use super::table::Table;
use super::tradeoff::{Curve, Estimated, tradeoff};
use crate::ReproduceError;
use crate::plan::{Arm, Likened, SeedRole, TIMED_RUNS, Times, Weighting, arms, is_timed, judged};
use crate::run::{Library, Likeness, skip_plan};

/// What was measured of one way, prompt by prompt.
struct Measured {
    arm: Arm,
    /// What is left of the multiply-accumulates, in percent.
    macs: Vec<f64>,
    /// To the vanilla pictures, in dB; of vanilla itself nothing.
    psnr: Vec<f64>,
    lpips: Option<Vec<f64>>,
    /// 100 · (1 − cosine) of the scorer's features and the vanilla picture's.
    features: Option<Vec<f64>>,
    score: Option<Vec<f64>>,
}

/// What was measured, the table of it, and the curves over multiply-accumulates.
pub(crate) fn skipping(library: &Library<'_>) -> Result<(Table, String), ReproduceError> {
    let (context, study) = (library.context, &library.context.study);
    let measured = all(library)?;
    let vanilla = measured.first().and_then(|vanilla| vanilla.score.as_deref());
    let mut rows = Vec::with_capacity(measured.len());
    for of in &measured {
        let compared =
            of.arm.weighting != Weighting::Vanilla || of.arm.steps != study.experiment.steps;
        let score = match (&of.score, vanilla) {
            (Some(scores), Some(vanilla)) if compared => Some(Cell::paired(scores, vanilla)?),
            (Some(scores), _) => Some(Cell::mean(scores)),
            (None, _) => None,
        };
        let near = |values: Option<&Vec<f64>>| values.filter(|_| compared).map(|v| spread(v));
        rows.push((
            of.arm.label(),
            vec![
                Some(Cell::mean(&of.macs)),
                near(Some(&of.psnr)).transpose()?,
                near(of.features.as_ref()).transpose()?,
                near(of.lpips.as_ref()).transpose()?,
                score,
            ],
        ));
    }
    let score = Measure::Score.name(context);
    let columns = ["MACs %", "PSNR dB", "1 − cosine × 100", "LPIPS"].map(String::from);
    let table = Table {
        name: "skipping".into(),
        title: format!("Skipping: what is lost for what is saved ({score})"),
        note: note(library),
        columns: columns.into_iter().chain([score]).collect(),
        rows,
    };
    let costs: Vec<f64> = measured.iter().map(|of| mean(&of.macs)).collect();
    let svg =
        tradeoff(&curves(&measured, &costs)?, "multiply-accumulates, % of vanilla", "PSNR dB");
    Ok((table, svg))
}

/// How long the runs take on this machine, and the curves over that; another run gives other times.
pub(crate) fn skipping_times(library: &Library<'_>) -> Result<(Table, String), ReproduceError> {
    let study = &library.context.study;
    let timed = judged(study).into_iter().filter(|example| is_timed(study, *example));
    let seconds =
        timed.map(|example| library.times(&Times { example })).collect::<Result<Vec<_>, _>>()?;
    let measured = all(library)?;
    let (mut rows, mut costs) = (Vec::new(), Vec::new());
    for (number, of) in measured.iter().enumerate() {
        let milliseconds: Vec<f64> = seconds.iter().map(|runs| 1000.0 * runs[number]).collect();
        let shares: Vec<f64> = seconds.iter().map(|runs| 100.0 * runs[number] / runs[0]).collect();
        costs.push(mean(&milliseconds));
        let cells = vec![Some(spread(&milliseconds)?), Some(spread(&shares)?)];
        rows.push((of.arm.label(), cells));
    }
    let table = Table {
        name: "skipping-time".into(),
        title: "Skipping: times on this machine".into(),
        note: format!(
            "From noise to latents, {TIMED_RUNS} run of each way for each of {} prompts, the ways \
             taking turns; means with 95 % bootstrap intervals over the prompts. Times are not \
             reproducible: another run of the same work gives other bytes here, and here alone.",
            seconds.len()
        ),
        columns: vec!["ms a picture".into(), "% of vanilla".into()],
        rows,
    };
    let svg = tradeoff(&curves(&measured, &costs)?, "ms a picture", "PSNR dB");
    Ok((table, svg))
}

fn all(library: &Library<'_>) -> Result<Vec<Measured>, ReproduceError> {
    arms(&library.context.study)?.into_iter().map(|arm| measure(library, arm)).collect()
}

fn measure(library: &Library<'_>, arm: Arm) -> Result<Measured, ReproduceError> {
    let study = &library.context.study;
    let (steps, seed) = (study.experiment.steps, SeedRole::Test.of(&study.experiment));
    let scored = study.has_scorer();
    let (mut macs, mut likeness) = (Vec::new(), Vec::new());
    let (mut features, mut score) = (Vec::new(), Vec::new());
    for example in judged(study) {
        let sample = arm.sample(example, seed);
        let pair = Likened { sample, vanilla_steps: steps };
        macs.push(match &arm.weighting {
            Weighting::Skipping(skipping) => 100.0 * skip_plan(library, &sample, skipping)?.share,
            _ => 100.0 * arm.steps as f64 / steps as f64,
        });
        if sample != pair.vanilla() {
            likeness.push(library.likeness(&pair)?);
        }
        if scored {
            let (of, vanilla) = (library.scored(&sample)?, library.scored(&pair.vanilla())?);
            let pairs = of.features.iter().zip(&vanilla.features);
            let cosine: f64 = pairs.map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
            features.push(100.0 * (1.0 - cosine));
            score.push(100.0 * of.score);
        }
    }
    let decibels = Likeness::capped_psnr;
    Ok(Measured {
        arm,
        macs,
        psnr: likeness.iter().map(decibels).collect(),
        lpips: likeness.iter().map(|pair| pair.lpips).collect(),
        features: scored.then_some(features),
        score: scored.then_some(score),
    })
}

/// The curves over what each way costs; vanilla itself, at no distance, is on none.
fn curves(measured: &[Measured], costs: &[f64]) -> Result<Vec<Curve>, ReproduceError> {
    let mut curves: Vec<Curve> = Vec::new();
    for (of, x) in measured.iter().zip(costs).filter(|(of, _)| !of.psnr.is_empty()) {
        let MeanInterval { mean: y, low, high, .. } = interval(&of.psnr)?;
        let point = Estimated { x: *x, y, interval: [low, high], label: of.arm.label() };
        let label = of.arm.curve();
        match curves.iter_mut().find(|curve| curve.label == label) {
            Some(curve) => curve.points.push(point),
            None => {
                let joined = !label.starts_with("one block");
                curves.push(Curve { label, points: vec![point], joined });
            }
        }
    }
    Ok(curves)
}

fn note(library: &Library<'_>) -> String {
    let (context, study) = (library.context, &library.context.study);
    let lpips = match &context.networks.lpips {
        Some(lpips) => lpips.name(),
        None => "not measured here".into(),
    };
    format!(
        "Pictures of {} prompts from the test seed, beside the vanilla ones of {} steps from the same \
         noise: multiply-accumulates of the U-Net in percent; PSNR ({EQUAL_PSNR} dB for equal pictures), \
         distance of the scorer's features, LPIPS ({lpips}), means with 95 % bootstrap intervals over \
         the prompts; score, in brackets its difference to vanilla. What does not run was chosen for \
         each prompt on the training seed: \"best sets\" by the losses of all skip sets, \"block by \
         block\" by each block's own, \"vote\" by the ranking of the probe. Where blocks are \"reused\" \
         what they added when they last ran is added again: \"best sets\" and \"block by block\" are \
         still chosen by the losses of skips, \"measured\" by those of reuse, of every block, step and \
         age.",
        judged(study).len(),
        study.experiment.steps
    )
}

fn interval(values: &[f64]) -> Result<MeanInterval, ReproduceError> {
    Ok(mean_interval(values, RESAMPLES, SEED)?)
}

/// The mean of some values and its interval.
fn spread(values: &[f64]) -> Result<Cell, ReproduceError> {
    let MeanInterval { mean, low, high, .. } = interval(values)?;
    Ok(Cell { interval: Some([low, high]), ..Cell::plain(mean) })
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}
