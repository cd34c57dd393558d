//! The stored results of a run, by unit.

use std::path::PathBuf;

use probe::{Estimates, FitState, Vote};
use pruning::{Distances, ReuseLosses, Strategy, strategies};

use super::context::Context;
use super::results::{
    Finished, Likeness, MeasuredEffects, Ratios, Sampled, Scored, Seconds, SeedPictures,
    UnitResult, Voted,
};
use super::store::Damage;
use crate::ReproduceError;
use crate::plan::{
    Fidelity, Fit, Influence, Key, Likened, Measured, Part, Probe, Reuse, Sample, Search, Student,
    Times, Unit, pruning_probe,
};

/// Reads and writes results by their unit.
#[derive(Clone, Copy)]
pub(crate) struct Library<'a> {
    pub(crate) context: &'a Context,
}

impl<'a> Library<'a> {
    pub(crate) fn new(context: &'a Context) -> Self {
        Self { context }
    }

    pub(crate) fn key(&self, unit: &Unit) -> Key {
        self.context.keys().of(unit)
    }

    /// Stores what a unit gave, unless it cannot be.
    pub(crate) fn store<T: UnitResult>(
        &self,
        unit: &Unit,
        result: &T,
    ) -> Result<(), ReproduceError> {
        result.check().map_err(ReproduceError::Impossible)?;
        self.context.store.write(&self.key(unit), result)
    }

    /// Whether the unit's result is stored, whole.
    pub(crate) fn is_done(&self, unit: &Unit) -> Result<bool, Damage> {
        match unit {
            Unit::Probe(_) | Unit::Search(_) => self.has::<Voted>(unit),
            Unit::Estimates(_) => self.has::<Estimates>(unit),
            Unit::Effects(_) => self.has::<MeasuredEffects>(unit),
            Unit::Fit(_) => self.has::<FitState>(unit),
            Unit::Reuse(_) => self.has::<ReuseLosses>(unit),
            Unit::Snr(_) => self.has::<Ratios>(unit),
            Unit::Picture(_) => Ok(self.read_png(unit)?.is_some()),
            Unit::Score(_) => self.has::<Scored>(unit),
            Unit::Identity(_) => self.has::<Likeness>(unit),
            Unit::Student(student) => {
                let Some(finished) = self.read::<Finished>(unit)? else { return Ok(false) };
                for pictures in &finished.seeds {
                    self.read_student_pngs(student, pictures)?;
                }
                Ok(true)
            }
            Unit::Fidelity(_) => self.has::<Distances>(unit),
            Unit::Times(_) => self.has::<Seconds>(unit),
        }
    }

    pub(crate) fn vote(&self, probe: &Probe) -> Result<Vote, ReproduceError> {
        Ok(self.voted(probe)?.vote)
    }

    pub(crate) fn voted(&self, probe: &Probe) -> Result<Voted, ReproduceError> {
        self.result(&Unit::Probe(*probe))
    }

    pub(crate) fn searched(&self, search: &Search) -> Result<Voted, ReproduceError> {
        self.result(&Unit::Search(*search))
    }

    pub(crate) fn estimates(&self, measured: &Measured) -> Result<Estimates, ReproduceError> {
        self.result(&Unit::Estimates(*measured))
    }

    pub(crate) fn fit(&self, fit: &Fit) -> Result<FitState, ReproduceError> {
        self.result(&Unit::Fit(*fit))
    }

    pub(crate) fn effects(&self, influence: &Influence) -> Result<MeasuredEffects, ReproduceError> {
        self.result(&Unit::Effects(*influence))
    }

    pub(crate) fn reuse_losses(&self, reuse: &Reuse) -> Result<ReuseLosses, ReproduceError> {
        self.result(&Unit::Reuse(*reuse))
    }

    pub(crate) fn ratios(&self, sample: &Sample) -> Result<Ratios, ReproduceError> {
        self.result(&Unit::Snr(*sample))
    }

    pub(crate) fn scored(&self, sample: &Sample) -> Result<Scored, ReproduceError> {
        self.result(&Unit::Score(*sample))
    }

    pub(crate) fn likeness(&self, pair: &Likened) -> Result<Likeness, ReproduceError> {
        self.result(&Unit::Identity(*pair))
    }

    /// Seconds of each of the timed runs.
    pub(crate) fn times(&self, times: &Times) -> Result<Vec<f64>, ReproduceError> {
        self.result::<Seconds>(&Unit::Times(*times)).map(|Seconds(seconds)| seconds)
    }

    pub(crate) fn distances(&self, fidelity: &Fidelity) -> Result<Distances, ReproduceError> {
        self.result(&Unit::Fidelity(fidelity.clone()))
    }

    /// The PNG of a sampled picture.
    pub(crate) fn png(&self, sample: &Sample) -> Result<Vec<u8>, ReproduceError> {
        let unit = Unit::Picture(*sample);
        self.read_png(&unit)?.ok_or_else(|| ReproduceError::Missing(unit.to_string()))
    }

    /// Stores the PNG of a sampled picture.
    pub(crate) fn store_png(&self, sample: &Sample, png: &[u8]) -> Result<(), ReproduceError> {
        let unit = Unit::Picture(*sample);
        let store = &self.context.store;
        let sha256 = store.write_file(&store.path(&self.key(&unit), "png"), png)?;
        self.store(&unit, &Sampled { sha256 })
    }

    /// The PNGs of a student's pictures of one seed, in the order of the draws.
    pub(crate) fn student_pngs(
        &self,
        student: &Student,
        seed: u64,
    ) -> Result<Vec<Vec<u8>>, ReproduceError> {
        let unit = Unit::Student(student.clone());
        let finished: Finished = self.result(&unit)?;
        let pictures = finished.seeds.iter().find(|pictures| pictures.seed == seed);
        let pictures = pictures.ok_or_else(|| ReproduceError::Missing(unit.to_string()))?;
        Ok(self.read_student_pngs(student, pictures)?)
    }

    /// Stores one PNG of a student, and returns its hash.
    pub(crate) fn store_student_png(
        &self,
        student: &Student,
        seed: u64,
        draw: usize,
        png: &[u8],
    ) -> Result<String, ReproduceError> {
        let key = self.key(&Unit::Student(student.clone()));
        let store = &self.context.store;
        store.write_file(&store.path(&key, &format!("{seed}-{draw}.png")), png)
    }

    /// Where a student that is not finished keeps its checkpoints.
    pub(crate) fn training_folder(&self, student: &Student) -> PathBuf {
        let key = self.key(&Unit::Student(student.clone()));
        self.context.store.path(&key, "training")
    }

    /// The strategies of Fig. 3, once the probe they come from is done; none where it is not made.
    pub(crate) fn strategies(&self, parts: &[Part]) -> Result<Vec<Strategy>, ReproduceError> {
        match pruning_probe(&self.context.study, parts) {
            Some(probe) => Ok(strategies(&self.vote(&probe)?.ranking)?),
            None => Ok(Vec::new()),
        }
    }

    fn read<T: UnitResult>(&self, unit: &Unit) -> Result<Option<T>, Damage> {
        let (store, key) = (&self.context.store, self.key(unit));
        let result: Option<T> = store.read(&key)?;
        match result.as_ref().map(T::check) {
            Some(Err(reason)) => Err(Damage { path: store.path(&key, "json"), reason }),
            _ => Ok(result),
        }
    }

    fn has<T: UnitResult>(&self, unit: &Unit) -> Result<bool, Damage> {
        Ok(self.read::<T>(unit)?.is_some())
    }

    fn result<T: UnitResult>(&self, unit: &Unit) -> Result<T, ReproduceError> {
        self.read(unit)?.ok_or_else(|| ReproduceError::Missing(unit.to_string()))
    }

    fn read_png(&self, unit: &Unit) -> Result<Option<Vec<u8>>, Damage> {
        let store = &self.context.store;
        let Some(Sampled { sha256 }) = self.read(unit)? else { return Ok(None) };
        store.read_file(&store.path(&self.key(unit), "png"), &sha256).map(Some)
    }

    fn read_student_pngs(
        &self,
        student: &Student,
        SeedPictures { seed, sha256 }: &SeedPictures,
    ) -> Result<Vec<Vec<u8>>, Damage> {
        let store = &self.context.store;
        let key = self.key(&Unit::Student(student.clone()));
        let read = |(draw, sha256): (usize, &String)| {
            store.read_file(&store.path(&key, &format!("{seed}-{draw}.png")), sha256)
        };
        sha256.iter().enumerate().map(read).collect()
    }
}
