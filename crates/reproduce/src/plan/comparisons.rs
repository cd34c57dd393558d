//! What each part of the paper compares: weightings, seeds, examples.

use serde::Deserialize;

use super::experiment::Experiment;
use super::part::Part;
use super::study::Study;
use super::weighting::Weighting;
use crate::ReproduceError;

/// The two noise seeds of an experiment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum SeedRole {
    /// The importance is probed with it.
    Train,
    /// The schedules are tested with it.
    Test,
}

impl SeedRole {
    /// Both, in the order of the tables.
    pub(crate) const BOTH: [Self; 2] = [Self::Train, Self::Test];

    /// Its number in an experiment.
    pub(crate) fn of(self, experiment: &Experiment) -> u64 {
        match self {
            Self::Train => experiment.train_seed,
            Self::Test => experiment.test_seed,
        }
    }

    /// As tables name it.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Test => "test",
        }
    }
}

/// The weightings of each part that is measured on both seeds, vanilla first.
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
        Part::Table1
        | Part::Table1Seeds
        | Part::Table2
        | Part::Controls
        | Part::Figure3
        | Part::FewerSteps
        | Part::TableA
        | Part::Skipping => {}
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
    let first =
        |category: &super::study::Category| category.examples.clone().take(study.size.sampled);
    study.categories.iter().flat_map(first).collect()
}

/// Examples whose pictures are sampled for controls and in fewer steps: all, but the shown ones where
/// Eq. 2, which tells smaller differences, is measured of all.
pub(crate) fn sampled(study: &Study) -> Vec<usize> {
    if study.has_pictures() { shown(study) } else { (0..study.count()).collect() }
}

/// Examples by which estimates of importance are judged: the first of each category.
pub(crate) fn judged(study: &Study) -> Vec<usize> {
    let first =
        |category: &super::study::Category| category.examples.clone().take(study.size.judged);
    study.categories.iter().flat_map(first).collect()
}

/// Examples whose pictures are compared with the vanilla ones. Those with pictures of their own are
/// few; of thousands of prompts the shown ones must do.
pub(crate) fn compared(study: &Study) -> Vec<usize> {
    if study.has_pictures() { (0..study.count()).collect() } else { shown(study) }
}
