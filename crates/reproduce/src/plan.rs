use crate::units::{Runner, Unit};
use crate::weightings::Weighting;
use crate::{Context, Part, ReproduceError};

/// What a run would do.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Plan {
    /// Units in all.
    pub units: usize,
    /// Units whose results are stored already.
    pub done: usize,
    /// Samples the U-Net still has to run on.
    pub unet_samples: usize,
    /// Seconds one sample takes, measured just now.
    pub seconds_per_sample: f64,
}

/// The weightings of each part that is measured on both seeds.
pub(crate) fn seeded_weightings(
    context: &Context,
    part: Part,
) -> Result<Vec<Weighting>, ReproduceError> {
    let experiment = &context.experiment;
    let mut weightings = vec![Weighting::Vanilla];
    match part {
        Part::Table3And4 => {
            weightings.extend(experiment.ranges.iter().map(|range| Weighting::Importance(*range)));
        }
        Part::Table5And6 => weightings.extend([
            Weighting::Inverted(experiment.ablation_range),
            Weighting::Importance(experiment.ablation_range),
        ]),
        Part::Figure4 => weightings.extend(
            experiment.figure4_ranges(context.size)?.into_iter().map(Weighting::Importance),
        ),
        Part::Pictures => weightings.extend([
            Weighting::Importance(experiment.ablation_range),
            Weighting::Inverted(experiment.ablation_range),
            Weighting::FreeU(experiment.freeu),
        ]),
        Part::Table1 | Part::Table2 => {}
    }
    Ok(weightings)
}

/// Table I's weightings: vanilla, then each block.
pub(crate) fn block_weightings(context: &Context) -> Vec<Weighting> {
    let weight = context.experiment.table1_weight;
    let blocks = (0..context.blocks()).map(|block| Weighting::Block { block, weight });
    std::iter::once(Weighting::Vanilla).chain(blocks).collect()
}

/// Examples whose pictures are shown: the first of each style.
pub(crate) fn shown(context: &Context) -> Vec<usize> {
    let mut first = 0;
    let mut all = Vec::new();
    for (_, examples) in &context.styles {
        all.extend(first..first + examples.len().min(context.size.sampled));
        first += examples.len();
    }
    all
}

/// All units the parts need, each after those it depends on.
pub(crate) fn units(context: &Context, parts: &[Part]) -> Result<Vec<Unit>, ReproduceError> {
    let experiment = &context.experiment;
    let examples = context.examples().count();
    let seeds = [experiment.train_seed, experiment.test_seed];
    let mut queue = Queue { context, stages: Default::default() };
    for part in parts {
        match part {
            Part::Table1 => {
                for weighting in block_weightings(context) {
                    for example in 0..examples {
                        for steps in &experiment.table1_steps {
                            let (seed, steps) = (experiment.train_seed, *steps);
                            queue.add(Unit::Snr { example, seed, steps, weighting });
                        }
                        queue.scored_picture(example, experiment.train_seed, weighting);
                    }
                }
            }
            Part::Table2 => queue.add(Unit::Probe { example: 0 }),
            Part::Table3And4 | Part::Table5And6 | Part::Figure4 | Part::Pictures => {
                for weighting in seeded_weightings(context, *part)? {
                    for example in 0..examples {
                        queue.add(Unit::Probe { example });
                        for seed in seeds {
                            if *part != Part::Pictures {
                                let steps = experiment.steps;
                                queue.add(Unit::Snr { example, seed, steps, weighting });
                            }
                            match part {
                                Part::Figure4 => {}
                                Part::Pictures => {
                                    queue.add(Unit::Picture { example, seed, weighting });
                                    queue.scored_picture(example, seed, weighting);
                                }
                                _ => queue.scored_picture(example, seed, weighting),
                            }
                        }
                    }
                }
            }
        }
    }
    Ok(queue.stages.concat())
}

/// Units in the order of what they depend on: probes, what needs them, scores of pictures.
struct Queue<'a> {
    context: &'a Context,
    stages: [Vec<Unit>; 3],
}

impl Queue<'_> {
    fn add(&mut self, unit: Unit) {
        let stage = match unit {
            Unit::Probe { .. } => 0,
            Unit::Snr { .. } | Unit::Picture { .. } => 1,
            Unit::Score { .. } => 2,
        };
        if !self.stages[stage].contains(&unit) {
            self.stages[stage].push(unit);
        }
    }

    /// A picture and its score, where there is a scorer.
    fn scored_picture(&mut self, example: usize, seed: u64, weighting: Weighting) {
        if self.context.scorer.is_some() {
            self.add(Unit::Picture { example, seed, weighting });
            self.add(Unit::Score { example, seed, weighting });
        }
    }
}

/// Counts what is left to do, and measures how long one sample takes.
pub(crate) fn plan(runner: &Runner<'_>, units: &[Unit]) -> Result<Plan, ReproduceError> {
    let (mut done, mut unet_samples) = (0, 0);
    for unit in units {
        if runner.is_done(unit)? {
            done += 1;
        } else {
            unet_samples += runner.cost(unit);
        }
    }
    let seconds_per_sample = runner.seconds_per_sample()?;
    Ok(Plan { units: units.len(), done, unet_samples, seconds_per_sample })
}
