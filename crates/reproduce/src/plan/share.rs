//! Which units fall to which of several runs: what depends on each other stays together, and goes
//! to the run that has least to do.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use pruning::SkipSets;

use super::cost::samples;
use super::part::Part;
use super::shard::Shard;
use super::study::Study;
use super::unit::{Fit, Sample, Student, Unit};
use super::units::pruning_probe;

/// Units of which one may need another's result.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Group {
    /// A prompt's probe and estimates, and what is made of them.
    Example(usize),
    /// What one seed gives for a prompt without knowing its importance.
    Seed(usize, u64),
    /// A pruned student.
    Student(SkipSets),
}

/// The work of one study, for several runs.
pub(crate) struct Shares {
    units: Vec<Unit>,
    /// Of each unit; none where several groups need it.
    groups: Vec<Option<usize>>,
    /// Samples of the U-Net, and one for each unit, by group.
    costs: Vec<u64>,
}

impl Shares {
    /// Groups all units of the parts.
    pub(crate) fn new(study: &Study, parts: &[Part], units: Vec<Unit>) -> Self {
        let probe = pruning_probe(study, parts).map(Unit::Probe);
        let mut groups = Groups::default();
        let of_unit: Vec<Option<usize>> = units
            .iter()
            .map(|unit| match probe.as_ref() == Some(unit) {
                true => None,
                false => groups.number_of(unit),
            })
            .collect();
        // Groups that were joined have one number.
        let of_unit: Vec<Option<usize>> =
            of_unit.into_iter().map(|group| Some(groups.root(group?))).collect();
        let mut costs = vec![0u64; groups.joined.len()];
        for (unit, group) in units.iter().zip(&of_unit) {
            if let Some(group) = group {
                // Decoding and scoring count, too.
                let cost = samples(study, unit).saturating_add(1);
                costs[*group] = costs[*group].saturating_add(cost);
            }
        }
        Self { units, groups: of_unit, costs }
    }

    /// Samples of the U-Net that several runs need, then those of each of `count` runs, with one for
    /// each unit.
    pub(crate) fn loads(&self, study: &Study, count: usize) -> (u64, Vec<u64>) {
        let of_unit = |unit: &Unit| samples(study, unit).saturating_add(1);
        let units = self.units.iter().zip(&self.groups);
        let common = units.filter(|(_, group)| group.is_none()).map(|(unit, _)| of_unit(unit));
        let mut loads = vec![0u64; count];
        for (cost, run) in self.costs.iter().zip(assigned(&self.costs, count)) {
            loads[run] = loads[run].saturating_add(*cost);
        }
        (common.fold(0, u64::saturating_add), loads)
    }

    /// The units that several runs need.
    pub(crate) fn common(self) -> Vec<Unit> {
        let units = self.units.into_iter().zip(self.groups);
        units.filter_map(|(unit, group)| group.is_none().then_some(unit)).collect()
    }

    /// The units that fall to one run, those that others need as well among them, each after those
    /// it depends on.
    pub(crate) fn of(self, shard: Shard) -> Vec<Unit> {
        if shard == Shard::WHOLE {
            return self.units;
        }
        let runs = assigned(&self.costs, shard.count);
        let mine = |group: &Option<usize>| group.is_some_and(|group| runs[group] == shard.index);
        let (mut fits, mut teacher) = (Vec::new(), false);
        for (unit, _) in self.units.iter().zip(&self.groups).filter(|(_, group)| mine(group)) {
            fits.extend(fit_of(unit));
            teacher |= matches!(unit, Unit::Student(_) | Unit::Fidelity(_));
        }
        let is_needed = |unit: &Unit| match unit {
            Unit::Fit(fit) => fits.contains(fit),
            Unit::Student(_) => teacher,
            // Which units there are depends on the probe.
            _ => true,
        };
        let units = self.units.into_iter().zip(self.groups);
        let keep = |(unit, group): (Unit, Option<usize>)| {
            let kept = if group.is_none() { is_needed(&unit) } else { mine(&group) };
            kept.then_some(unit)
        };
        units.filter_map(keep).collect()
    }
}

/// The fit that a unit's weighting comes from.
fn fit_of(unit: &Unit) -> Option<Fit> {
    match unit {
        Unit::Snr(sample) | Unit::Picture(sample) => sample.fit(),
        _ => None,
    }
}

/// The run of each group: the costliest first, each to the run that has least to do.
fn assigned(costs: &[u64], count: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..costs.len()).collect();
    // A stable sort: the same groups fall to the same run wherever that is asked.
    order.sort_by_key(|group| Reverse(costs[*group]));
    let mut loads: BinaryHeap<Reverse<(u64, usize)>> =
        (0..count.min(costs.len())).map(|run| Reverse((0, run))).collect();
    let mut runs = vec![0; costs.len()];
    for group in order {
        let Some(Reverse((load, run))) = loads.pop() else { break };
        runs[group] = run;
        loads.push(Reverse((load.saturating_add(costs[group]), run)));
    }
    runs
}

/// Groups by number, joined where one needs another's results.
#[derive(Default)]
struct Groups {
    numbers: HashMap<Group, usize>,
    /// The group that each was joined to; itself where to none.
    joined: Vec<usize>,
}

impl Groups {
    /// The group of a unit; none where several groups need it.
    fn number_of(&mut self, unit: &Unit) -> Option<usize> {
        let of_sample = |sample: &Sample| {
            let sources =
                sample.probe().is_some() || sample.measured().is_some() || sample.reuse().is_some();
            match sources {
                true => Group::Example(sample.example),
                false => Group::Seed(sample.example, sample.seed),
            }
        };
        let group = match unit {
            Unit::Fit(_) | Unit::Student(Student::Teacher) => return None,
            Unit::Probe(unit) => Group::Example(unit.example),
            Unit::Search(unit) => Group::Example(unit.example),
            Unit::Estimates(unit) => Group::Example(unit.example),
            Unit::Effects(unit) => Group::Example(unit.example),
            Unit::Reuse(unit) => Group::Example(unit.example),
            Unit::Times(unit) => Group::Example(unit.example),
            Unit::Snr(sample) | Unit::Picture(sample) | Unit::Score(sample) => of_sample(sample),
            Unit::Identity(pair) => {
                let vanilla = self.number(of_sample(&pair.vanilla()));
                let number = self.number(of_sample(&pair.sample));
                self.join(number, vanilla);
                return Some(number);
            }
            Unit::Student(Student::Pruned(skips)) => Group::Student(skips.clone()),
            Unit::Fidelity(fidelity) => Group::Student(fidelity.skips.clone()),
        };
        Some(self.number(group))
    }

    fn number(&mut self, group: Group) -> usize {
        let next = self.joined.len();
        let number = *self.numbers.entry(group).or_insert(next);
        if number == next {
            self.joined.push(next);
        }
        number
    }

    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.root(a), self.root(b));
        self.joined[a.max(b)] = a.min(b);
    }

    fn root(&self, mut number: usize) -> usize {
        while self.joined[number] != number {
            number = self.joined[number];
        }
        number
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Experiment, Scale, units};

    fn study(scale: Scale) -> Study {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let experiment = Experiment::from_file(root.join("experiments/emoji-sd.toml")).unwrap();
        Study::new(experiment, scale, &root).unwrap()
    }

    fn shares(study: &Study) -> Shares {
        Shares::new(study, &Part::ALL, units(study, &Part::ALL, None).unwrap())
    }

    /// What must be done before a unit.
    fn needed(study: &Study, unit: &Unit) -> Vec<Unit> {
        let sources = |sample: &Sample| -> Vec<Unit> {
            let probe = sample.probe().map(Unit::Probe);
            let measured = sample.measured().map(Unit::Estimates);
            let (fit, reuse) = (sample.fit().map(Unit::Fit), sample.reuse().map(Unit::Reuse));
            [probe, measured, fit, reuse].into_iter().flatten().collect()
        };
        match unit {
            Unit::Snr(sample) | Unit::Picture(sample) => sources(sample),
            Unit::Score(sample) => vec![Unit::Picture(*sample)],
            Unit::Identity(pair) => vec![Unit::Picture(pair.sample), Unit::Picture(pair.vanilla())],
            Unit::Fidelity(fidelity) => vec![
                Unit::Student(Student::Teacher),
                Unit::Student(Student::Pruned(fidelity.skips.clone())),
            ],
            Unit::Times(times) => {
                let timed = crate::plan::timed_samples(study, times.example);
                timed.iter().flat_map(sources).collect()
            }
            _ => Vec::new(),
        }
    }

    #[test]
    fn of_gives_every_unit_to_one_run_after_all_that_it_needs() {
        let study = study(Scale::Smoke);
        let all = shares(&study).units;
        let common = shares(&study).common();
        assert!(common.iter().any(|unit| matches!(unit, Unit::Fit(_))));
        assert!(common.iter().any(|unit| matches!(unit, Unit::Probe(_))));
        for count in [1, 2, 3, 7, 5000] {
            let mut seen: Vec<Unit> = Vec::new();
            for index in 0..count {
                let mine = shares(&study).of(Shard { index, count });
                for (number, unit) in mine.iter().enumerate() {
                    for before in needed(&study, unit) {
                        assert!(mine[..number].contains(&before), "{unit} needs {before}");
                    }
                    assert!(common.contains(unit) || !seen.contains(unit), "{unit}");
                }
                seen.extend(mine.into_iter().filter(|unit| !common.contains(unit)));
                if index > 40 {
                    break;
                }
            }
            let expected = all.iter().filter(|unit| !common.contains(unit)).count();
            assert!(count == 5000 || seen.len() == expected, "{count}");
        }
    }

    #[test]
    fn loads_differ_by_no_more_than_the_costliest_group() {
        let study = study(Scale::Paper);
        let shares = shares(&study);
        let largest = *shares.costs.iter().max().unwrap();
        for count in [2, 8, 32] {
            let (_, loads) = shares.loads(&study, count);
            let (least, most) = (loads.iter().min().unwrap(), loads.iter().max().unwrap());
            assert!(most - least <= largest, "{count}: {least} to {most}, at most {largest}");
        }
    }

    #[test]
    fn assigned_is_the_same_for_the_same_costs_and_spreads_what_is_costly() {
        assert_eq!(assigned(&[1, 9, 1, 1, 9, 1], 2), [0, 0, 1, 0, 1, 1]);
        assert_eq!(assigned(&[], 3), Vec::<usize>::new());
        assert_eq!(assigned(&[2, 2], 5), [0, 1]);
    }
}
