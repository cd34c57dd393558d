//! Which units the parts of an experiment need, in an order in which they can be done.

use probe::{Effect, Estimator};
use pruning::{Strategy, distinct_skips};
use reweight::StepMatrix;

use super::comparisons::{
    SeedRole, block_weightings, compared, judged, sampled, seeded_weightings,
};
use super::control::{ControlGroup, control_groups, fewer_steps_weightings};
use super::part::Part;
use super::queue::Queue;
use super::skipping::{arms, is_timed};
use super::study::Study;
use super::unit::{
    Fidelity, Influence, Likened, Measured, Probe, Sample, Search, Student, Times, Unit,
};
use super::weighting::Weighting;
use crate::ReproduceError;

/// The probe whose ranking the pruning strategies come from, where Fig. 3 is made.
pub(crate) fn pruning_probe(study: &Study, parts: &[Part]) -> Option<Probe> {
    let pruning = study.experiment.pruning.as_ref()?;
    let made = parts.contains(&Part::Figure3);
    made.then_some(Probe { example: study.focus(), steps: pruning.steps })
}

/// All units the parts need, each after those it depends on.
///
/// `strategies` are those of Fig. 3; before the [probe](pruning_probe) they come from is done,
/// as many others stand for them.
pub(crate) fn units(
    study: &Study,
    parts: &[Part],
    strategies: Option<&[Strategy]>,
) -> Result<Vec<Unit>, ReproduceError> {
    let mut queue = Queue::new(study);
    for part in parts {
        match part {
            Part::Table1 => queue.table1(),
            Part::Table1Seeds => queue.table1_seeds(),
            Part::Controls => queue.controls()?,
            Part::FewerSteps => queue.fewer_steps(),
            Part::Table2 => {
                let (example, steps) = (study.focus(), study.experiment.steps);
                queue.add(Unit::Probe(Probe { example, steps }));
            }
            Part::TableA => queue.table_a(),
            Part::Skipping => queue.skipping()?,
            Part::Figure3 => queue.figure3(strategies)?,
            _ => queue.seeded(*part)?,
        }
    }
    Ok(queue.into_units())
}

impl Queue<'_> {
    fn table1(&mut self) {
        let experiment = &self.study.experiment;
        let seed = experiment.train_seed;
        for weighting in block_weightings(self.study) {
            for example in self.examples() {
                if self.study.has_pictures() {
                    for steps in experiment.table1_steps.iter().copied() {
                        self.add(Unit::Snr(Sample { example, seed, steps, weighting }));
                    }
                }
                for steps in experiment.table1_scored_steps.iter().copied() {
                    self.scored_picture(Sample { example, seed, steps, weighting });
                }
            }
        }
    }

    /// Table I's one prompt.
    fn table1_seeds(&mut self) {
        let study = self.study;
        let example = study.table1_example();
        for weighting in block_weightings(study) {
            for seed in 0..study.size.table1_seeds {
                for steps in study.experiment.table1_scored_steps.iter().copied() {
                    self.scored_picture(Sample { example, seed: seed as u64, steps, weighting });
                }
            }
        }
    }

    /// Weightings of the same mean, on the test seed.
    fn controls(&mut self) -> Result<(), ReproduceError> {
        let (study, experiment) = (self.study, &self.study.experiment);
        let (seed, steps) = (SeedRole::Test.of(experiment), experiment.steps);
        let groups = control_groups(study)?;
        let vanilla = || std::iter::once(Weighting::Vanilla);
        let measured = groups.iter().flat_map(ControlGroup::weightings);
        let measured: Vec<_> = vanilla().chain(measured).collect();
        let scored = groups.iter().cloned().filter_map(|group| group.scored(study));
        let scored = scored.flat_map(|group| group.weightings().collect::<Vec<_>>());
        let scored: Vec<_> = vanilla().chain(scored).collect();
        let drawn = sampled(study);
        for example in self.examples() {
            let sample = |weighting| Sample { example, seed, steps, weighting };
            for sample in measured.iter().copied().map(sample).filter(|_| study.has_pictures()) {
                self.sources(&sample);
                self.add(Unit::Snr(sample));
            }
            for sample in scored.iter().copied().map(sample).filter(|_| drawn.contains(&example)) {
                self.sources(&sample);
                self.scored_picture(sample);
            }
        }
        Ok(())
    }

    /// Pictures of one step less, and the vanilla ones of all steps, on the test seed.
    fn fewer_steps(&mut self) {
        let experiment = &self.study.experiment;
        let (seed, all) = (SeedRole::Test.of(experiment), experiment.steps);
        for weighting in fewer_steps_weightings(self.study) {
            for example in sampled(self.study) {
                let sample = Sample { example, seed, steps: all - 1, weighting };
                let pair = Likened { sample, vanilla_steps: all };
                self.sources(&sample);
                for sample in [pair.vanilla(), sample] {
                    self.add(Unit::Picture(sample));
                    self.scored_picture(sample);
                }
                self.add(Unit::Identity(pair));
            }
        }
    }

    /// Every estimate of importance, and the effects it is judged by.
    fn table_a(&mut self) {
        let (steps, blocks) = (self.study.experiment.steps, self.study.blocks());
        for example in judged(self.study) {
            self.add(Unit::Probe(Probe { example, steps }));
            for both_ways in [false, true] {
                self.add(Unit::Search(Search { example, steps, both_ways }));
            }
            let possible = |estimator: &Estimator| estimator.check(blocks).is_ok();
            for estimator in Estimator::ALL.into_iter().filter(possible) {
                self.add(Unit::Estimates(Measured { example, steps, estimator }));
            }
            for effect in Effect::BOTH {
                self.add(Unit::Effects(Influence { example, steps, effect }));
            }
        }
    }

    /// Pictures of every way to make them cheaper, beside the vanilla ones, on the test seed.
    fn skipping(&mut self) -> Result<(), ReproduceError> {
        let study = self.study;
        let (seed, all) = (SeedRole::Test.of(&study.experiment), study.experiment.steps);
        let arms = arms(study)?;
        for example in judged(study) {
            for arm in &arms {
                let sample = arm.sample(example, seed);
                self.sources(&sample);
                self.add(Unit::Picture(sample));
                self.scored_picture(sample);
                let pair = Likened { sample, vanilla_steps: all };
                if sample != pair.vanilla() {
                    self.add(Unit::Identity(pair));
                }
            }
            if is_timed(study, example) {
                self.add(Unit::Times(Times { example }));
            }
        }
        Ok(())
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
                self.add(Unit::Probe(Probe { example, steps }));
                for role in SeedRole::BOTH {
                    let sample = Sample { example, seed: role.of(experiment), steps, weighting };
                    if part == Part::Pictures {
                        self.add(Unit::Picture(sample));
                        if weighting != Weighting::Vanilla {
                            self.add(Unit::Identity(sample.beside_vanilla()));
                        }
                    } else if self.study.has_pictures() {
                        self.add(Unit::Snr(sample));
                    }
                    // Fig. 4 is about Eq. 2 where it can be measured.
                    if part != Part::Figure4 || !self.study.has_pictures() {
                        self.scored_picture(sample);
                    }
                }
            }
        }
        Ok(())
    }

    /// The teacher's pictures, the students', and their distances. What is skipped depends on the
    /// focus prompt's probe. A strategy that equals another is the same unit.
    fn figure3(&mut self, strategies: Option<&[Strategy]>) -> Result<(), ReproduceError> {
        let Some(probe) = pruning_probe(self.study, &[Part::Figure3]) else { return Ok(()) };
        let strategies = match strategies {
            Some(strategies) => strategies.to_vec(),
            None => {
                let blocks = self.study.blocks();
                pruning::strategies(&StepMatrix::from_fn(probe.steps, blocks, |_, block| block))?
            }
        };
        self.add(Unit::Probe(probe));
        self.add(Unit::Student(Student::Teacher));
        for skips in distinct_skips(&strategies) {
            self.add(Unit::Student(Student::Pruned(skips.clone())));
            for role in SeedRole::BOTH {
                let seed = role.of(&self.study.experiment);
                self.add(Unit::Fidelity(Fidelity { skips: skips.clone(), seed }));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Experiment, Scale};

    #[test]
    fn units_of_equal_strategies_are_one() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let experiment = Experiment::from_file(root.join("experiments/emoji-sd.toml")).unwrap();
        let study = Study::new(experiment, Scale::Smoke, &root).unwrap();
        // The same two blocks are the least important at both steps.
        let ranking = vec![vec![0, 1, 2, 4, 6, 5, 3], vec![1, 0, 5, 4, 2, 6, 3]];
        let ranking = StepMatrix::from_rows(ranking).unwrap();
        let strategies = pruning::strategies(&ranking).unwrap();
        let duplicates = strategies.iter().filter(|strategy| strategy.duplicate).count();
        assert!(duplicates > 0);
        let units = units(&study, &[Part::Figure3], Some(&strategies)).unwrap();
        let pruned = |unit: &&Unit| matches!(unit, Unit::Student(Student::Pruned(_)));
        assert_eq!(units.iter().filter(pruned).count(), strategies.len() - duplicates);
    }
}
