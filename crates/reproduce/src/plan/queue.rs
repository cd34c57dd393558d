//! Units of work in an order in which each comes after those it depends on.

use std::collections::HashSet;
use std::ops::Range;

use super::study::Study;
use super::unit::{Sample, Unit};

/// Units in the order of what they depend on: probes, what needs them, what needs that.
pub(super) struct Queue<'a> {
    pub(super) study: &'a Study,
    stages: [Vec<Unit>; 3],
    seen: HashSet<String>,
}

impl<'a> Queue<'a> {
    /// Nothing to do yet.
    pub(super) fn new(study: &'a Study) -> Self {
        Self { study, stages: Default::default(), seen: HashSet::new() }
    }

    /// All units, each after those it depends on.
    pub(super) fn into_units(self) -> Vec<Unit> {
        self.stages.concat()
    }

    /// One unit more, unless it is there already.
    pub(super) fn add(&mut self, unit: Unit) {
        let stage = match unit {
            Unit::Probe(_)
            | Unit::Search(_)
            | Unit::Estimates(_)
            | Unit::Effects(_)
            | Unit::Fit(_)
            | Unit::Reuse(_) => 0,
            Unit::Snr(_) | Unit::Picture(_) | Unit::Student(_) | Unit::Times(_) => 1,
            Unit::Score(_) | Unit::Identity(_) | Unit::Fidelity(_) => 2,
        };
        if self.seen.insert(format!("{unit:?}")) {
            self.stages[stage].push(unit);
        }
    }

    /// The examples of the categories.
    pub(super) fn examples(&self) -> Range<usize> {
        0..self.study.count()
    }

    /// The probe, the estimates or the fit that a sample's weighting comes from.
    pub(super) fn sources(&mut self, sample: &Sample) {
        if let Some(probe) = sample.probe() {
            self.add(Unit::Probe(probe));
        }
        if let Some(measured) = sample.measured() {
            self.add(Unit::Estimates(measured));
        }
        if let Some(fit) = sample.fit() {
            self.add(Unit::Fit(fit));
        }
        if let Some(reuse) = sample.reuse() {
            self.add(Unit::Reuse(reuse));
        }
    }

    /// A picture and its score, where there is a scorer.
    pub(super) fn scored_picture(&mut self, sample: Sample) {
        if self.study.has_scorer() {
            self.add(Unit::Picture(sample));
            self.add(Unit::Score(sample));
        }
    }
}
