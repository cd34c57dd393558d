//! A fit on the terminal.

use probe::{FitOutcome, FitReport, Mean, Proposition};

use crate::commands::table::print_cells;

/// Prints weights, what they change, and the terms of Proposition 1.
pub fn report(report: &FitReport) -> anyhow::Result<()> {
    let FitReport { blocks, plan, .. } = report;
    terminal::line("fitted weights")?;
    print_cells(
        blocks,
        report.groups.iter().enumerate().map(|(at, group)| {
            let name = plan.settings.span.name(at, report.steps.len());
            (name, group.weights.iter().map(|weight| format!("{weight:.4}")).collect())
        }),
    )?;
    let held = report.groups.iter().map(|group| group.held.len()).sum::<usize>();
    if held > 0 {
        let limit = plan.settings.limit;
        terminal::line(format_args!("{held} weights are held at the limit, ±{limit} from 1"))?;
    }
    terminal::line("change of the signal-to-noise ratio (Eq. 2) in dB")?;
    terminal::line(format_args!("{:>8}  {:>28}  {:>28}", "", "in sample", "out of sample"))?;
    for step in 0..report.steps.len() {
        let tested = report.tested.as_ref().map(|outcome| outcome.measured[step]);
        let (fitted, tested) = (decibels(report.fitted.measured[step]), tested.map(decibels));
        terminal::line(format_args!(
            "step {step:>3}  {fitted:>28}  {:>28}",
            tested.unwrap_or_default()
        ))?;
    }
    outcome("in sample", &report.fitted)?;
    if let Some(tested) = &report.tested {
        outcome("out of sample", tested)?;
        gradients(&report.fitted, tested)?;
    }
    match &report.proposition {
        Some(proposition) => self::proposition(report, proposition),
        None => Ok(()),
    }
}

fn outcome(name: &str, outcome: &FitOutcome) -> anyhow::Result<()> {
    terminal::line(format_args!(
        "{name}, mean over the steps, {} pictures: {} dB, {:+.4} by the first-order model",
        outcome.pictures,
        decibels(outcome.measured_mean),
        outcome.predicted_mean.mean
    ))
}

/// How many signs of the gradient come back on other pictures.
fn gradients(fitted: &FitOutcome, tested: &FitOutcome) -> anyhow::Result<()> {
    let pairs = || fitted.gradient.values().iter().zip(tested.gradient.values());
    let signed = || pairs().filter(|(a, _)| a.is_signed());
    let same = signed().filter(|(a, b)| a.mean * b.mean > 0.0).count();
    terminal::line(format_args!(
        "of {} gradients, {} have a sign that is sure in sample, and {same} of these have it out of \
         sample",
        pairs().count(),
        signed().count()
    ))
}

/// Every term in a table of steps by blocks, then how the signs compare.
fn proposition(report: &FitReport, proposition: &Proposition) -> anyhow::Result<()> {
    let Proposition { steps, compared, agree, signed, signed_agree, share_of_error } = proposition;
    type Term = fn(&probe::BlockComponents) -> f64;
    let terms: [(&str, Term); 7] = [
        ("A, the gain from a block's output to the prediction", |block| block.gain),
        ("A² Var(f), of what the picture decides", |block| block.signal),
        ("A² Var(g), of what the noise decides", |block| block.noise),
        ("A² Var(n), of what neither decides alone", |block| block.rest),
        ("slope of the error's variance with the weight, by Eq. 4", |b| b.predicted_slope()),
        ("the slope as measured", |block| block.slope.mean),
        ("weight of least error, by Eq. 4", |block| block.predicted_weight()),
    ];
    terminal::line("Proposition 1")?;
    for (name, term) in terms {
        terminal::line(name)?;
        print_cells(
            &report.blocks,
            steps.iter().enumerate().map(|(step, components)| {
                let cells = components.blocks.iter().map(|block| format!("{:.4}", term(block)));
                (format!("step {step}"), cells.collect())
            }),
        )?;
    }
    let shares: Vec<String> = share_of_error.iter().map(|share| format!("{share:.2}")).collect();
    terminal::line(format_args!(
        "its error at weights 1 by the measured one, step by step: {}",
        shares.join(" ")
    ))?;
    terminal::line(format_args!(
        "its sign is that of the measured slope for {agree} of {compared} blocks and steps, and for \
         {signed_agree} of the {signed} whose measured sign is sure"
    ))
}

/// A mean with its interval.
fn decibels(mean: Mean) -> String {
    match mean.interval {
        Some(interval) => {
            format!("{:+.4} [{:+.4}, {:+.4}]", mean.mean, interval.low, interval.high)
        }
        None => format!("{:+.4}", mean.mean),
    }
}
