use ::pruning::strategy_count;

use crate::pruning::Students;
use crate::study::Study;
use crate::units::Unit;
use crate::weightings::Weighting;
use crate::{Part, ReproduceError};

/// One of several runs that share the work: `index` of `count`, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    /// Which of them, below `count`.
    pub index: usize,
    /// How many there are.
    pub count: usize,
}

impl Shard {
    /// All work in one run.
    pub const WHOLE: Self = Self { index: 0, count: 1 };

    /// Whether the work on the `number`th example, or strategy, falls to this run.
    fn has(self, number: usize) -> bool {
        number % self.count.max(1) == self.index
    }
}

impl std::str::FromStr for Shard {
    type Err = String;

    /// Reads `i/n`, `i` from 1 to `n`.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("expected a shard `i/n` with i from 1 to n, found `{text}`");
        let (index, count) = text.split_once('/').ok_or_else(wrong)?;
        match (index.trim().parse::<usize>(), count.trim().parse::<usize>()) {
            (Ok(index), Ok(count)) if index >= 1 && index <= count => {
                Ok(Self { index: index - 1, count })
            }
            _ => Err(wrong()),
        }
    }
}

/// The weightings of each part that is measured on both seeds.
pub(crate) fn seeded_weightings(
    study: &Study,
    part: Part,
) -> Result<Vec<Weighting>, ReproduceError> {
    let experiment = &study.experiment;
    let mut weightings = vec![Weighting::Vanilla];
    match part {
        Part::Table3 | Part::Table4 => {
            weightings.extend(experiment.ranges.iter().map(|range| Weighting::Importance(*range)));
        }
        Part::Table5 | Part::Table6 => weightings.extend([
            Weighting::Inverted(experiment.ablation_range),
            Weighting::Importance(experiment.ablation_range),
        ]),
        Part::Figure4 => weightings
            .extend(experiment.figure4_ranges(study.size)?.into_iter().map(Weighting::Importance)),
        Part::Pictures => weightings.extend([
            Weighting::Importance(experiment.ablation_range),
            Weighting::Inverted(experiment.ablation_range),
            Weighting::FreeU(experiment.freeu),
        ]),
        Part::Table1 | Part::Table2 | Part::Figure3 => {}
    }
    Ok(weightings)
}

/// Table I's weightings: vanilla, then each block.
pub(crate) fn block_weightings(study: &Study) -> Vec<Weighting> {
    let weight = study.experiment.table1_weight;
    let blocks = (0..study.blocks()).map(|block| Weighting::Block { block, weight });
    std::iter::once(Weighting::Vanilla).chain(blocks).collect()
}

/// Examples whose pictures are shown: the first of each category.
pub(crate) fn shown(study: &Study) -> Vec<usize> {
    let mut first = 0;
    let mut all = Vec::new();
    for (_, count) in &study.styles {
        all.extend(first..first + (*count).min(study.size.sampled));
        first += count;
    }
    all
}

/// Examples whose pictures are compared with the vanilla ones. Those with pictures of their own are
/// few; of thousands of prompts the shown ones must do.
pub(crate) fn compared(study: &Study) -> Vec<usize> {
    if study.has_pictures() { (0..study.examples()).collect() } else { shown(study) }
}

/// All units the parts need that fall to `shard`, each after those it depends on.
pub(crate) fn units(
    study: &Study,
    parts: &[Part],
    shard: Shard,
) -> Result<Vec<Unit>, ReproduceError> {
    let mut queue = Queue { study, shard, stages: Default::default(), seen: Default::default() };
    for part in parts {
        match part {
            Part::Table1 => queue.table1(),
            Part::Table2 => {
                let (example, steps) = (study.focus(), study.experiment.steps);
                if shard.has(example) {
                    queue.add(Unit::Probe { example, steps });
                }
            }
            Part::Figure3 => queue.figure3()?,
            _ => queue.seeded(*part)?,
        }
    }
    Ok(queue.stages.concat())
}

/// Units in the order of what they depend on: probes, what needs them, what needs that.
struct Queue<'a> {
    study: &'a Study,
    shard: Shard,
    stages: [Vec<Unit>; 3],
    seen: std::collections::HashSet<String>,
}

impl Queue<'_> {
    fn add(&mut self, unit: Unit) {
        let stage = match unit {
            Unit::Probe { .. } => 0,
            Unit::Snr { .. } | Unit::Picture { .. } | Unit::Students(_) => 1,
            Unit::Score { .. } | Unit::Fidelity { .. } => 2,
        };
        if self.seen.insert(format!("{unit:?}")) {
            self.stages[stage].push(unit);
        }
    }

    /// The examples of the categories that fall to this run.
    fn examples(&self) -> Vec<usize> {
        (0..self.study.examples()).filter(|example| self.shard.has(*example)).collect()
    }

    /// A picture and its score, where there is a scorer.
    fn scored_picture(&mut self, example: usize, seed: u64, steps: usize, weighting: Weighting) {
        if self.study.has_scorer() {
            self.add(Unit::Picture { example, seed, steps, weighting });
            self.add(Unit::Score { example, seed, steps, weighting });
        }
    }

    fn table1(&mut self) {
        let experiment = &self.study.experiment;
        let seed = experiment.train_seed;
        for weighting in block_weightings(self.study) {
            for example in self.examples() {
                if self.study.has_pictures() {
                    for steps in &experiment.table1_steps {
                        self.add(Unit::Snr { example, seed, steps: *steps, weighting });
                    }
                }
                for steps in &experiment.table1_scored_steps {
                    self.scored_picture(example, seed, *steps, weighting);
                }
            }
        }
    }

    /// The parts that compare weightings on both seeds.
    fn seeded(&mut self, part: Part) -> Result<(), ReproduceError> {
        let experiment = &self.study.experiment;
        let steps = experiment.steps;
        let compared = compared(self.study);
        for weighting in seeded_weightings(self.study, part)? {
            for example in self.examples() {
                if part == Part::Pictures && !compared.contains(&example) {
                    continue;
                }
                self.add(Unit::Probe { example, steps });
                for seed in [experiment.train_seed, experiment.test_seed] {
                    if part == Part::Pictures {
                        self.add(Unit::Picture { example, seed, steps, weighting });
                    } else if self.study.has_pictures() {
                        self.add(Unit::Snr { example, seed, steps, weighting });
                    }
                    // Fig. 4 is about Eq. 2 where it can be measured.
                    if part != Part::Figure4 || !self.study.has_pictures() {
                        self.scored_picture(example, seed, steps, weighting);
                    }
                }
            }
        }
        Ok(())
    }

    /// The teacher's pictures, the students', and their distances. What is skipped depends on the
    /// focus prompt's probe, which every run of several makes for itself.
    fn figure3(&mut self) -> Result<(), ReproduceError> {
        let experiment = &self.study.experiment;
        let Some(pruning) = &experiment.pruning else { return Ok(()) };
        let count = strategy_count(pruning.steps, self.study.blocks())?;
        let own: Vec<usize> = (0..count).filter(|strategy| self.shard.has(*strategy)).collect();
        if own.is_empty() {
            return Ok(());
        }
        self.add(Unit::Probe { example: self.study.focus(), steps: pruning.steps });
        self.add(Unit::Students(Students::Teacher));
        for strategy in own {
            self.add(Unit::Students(Students::Pruned(strategy)));
            for seed in [experiment.train_seed, experiment.test_seed] {
                self.add(Unit::Fidelity { strategy, seed });
            }
        }
        Ok(())
    }
}

/// Samples the U-Net runs on for a unit; a training step counts as four (the teacher, and the
/// student forwards and backwards).
pub(crate) fn cost(study: &Study, unit: &Unit) -> usize {
    let experiment = &study.experiment;
    let doubled = study.doubled();
    match unit {
        Unit::Probe { steps, .. } => {
            let probe = experiment.probe_at(study.size);
            doubled * (probe.evaluations(*steps, 1) + steps)
        }
        Unit::Snr { steps, .. } => *steps,
        Unit::Picture { steps, .. } => doubled * steps,
        Unit::Score { .. } | Unit::Fidelity { .. } => 0,
        Unit::Students(students) => {
            let steps = experiment.pruning.as_ref().map_or(0, |pruning| pruning.steps);
            let samples = doubled * steps * study.size.pruning_samples;
            let training = match students {
                Students::Teacher => 0,
                Students::Pruned(_) => 4 * samples * study.size.pruning_epochs,
            };
            training + 2 * samples
        }
    }
}

/// Bytes a unit's results take, roughly: pictures are counted as 2 bytes a pixel.
pub(crate) fn bytes(study: &Study, unit: &Unit) -> u64 {
    let picture = 2 * (study.picture_size * study.picture_size) as u64;
    match unit {
        Unit::Probe { steps, .. } => {
            (10 * steps * study.blocks() * study.size.rounds) as u64 + 1000
        }
        Unit::Snr { steps, .. } => 20 * *steps as u64,
        Unit::Picture { .. } => picture,
        Unit::Score { .. } => 16_000,
        Unit::Fidelity { .. } => 100,
        Unit::Students(_) => 2 * study.size.pruning_samples as u64 * picture,
    }
}
