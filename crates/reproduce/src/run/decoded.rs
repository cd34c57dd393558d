//! Stored pictures, decoded once however often they are looked at.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;

use pictures::RgbImage;

use super::library::Library;
use crate::ReproduceError;
use crate::plan::{Sample, Student};

/// Bytes of pictures that are kept; beyond that the oldest are forgotten, and decoded again.
const KEPT: usize = 512 << 20;

/// Pictures by what they are of.
pub(crate) struct Decoded<'a> {
    library: Library<'a>,
    kept: RefCell<Kept>,
}

#[derive(Default)]
struct Kept {
    sets: HashMap<String, Rc<Vec<RgbImage>>>,
    order: VecDeque<String>,
    bytes: usize,
}

impl<'a> Decoded<'a> {
    pub(crate) fn new(library: Library<'a>) -> Self {
        Self { library, kept: RefCell::default() }
    }

    /// A sampled picture, as a set of one.
    pub(crate) fn picture(&self, sample: &Sample) -> Result<Rc<Vec<RgbImage>>, ReproduceError> {
        self.set(format!("{sample:?}"), || Ok(vec![self.library.png(sample)?]))
    }

    /// A student's pictures of one seed, in the order of the draws.
    pub(crate) fn student(
        &self,
        student: &Student,
        seed: u64,
    ) -> Result<Rc<Vec<RgbImage>>, ReproduceError> {
        self.set(format!("{student:?} {seed}"), || self.library.student_pngs(student, seed))
    }

    fn set(
        &self,
        name: String,
        read: impl FnOnce() -> Result<Vec<Vec<u8>>, ReproduceError>,
    ) -> Result<Rc<Vec<RgbImage>>, ReproduceError> {
        if let Some(set) = self.kept.borrow().sets.get(&name) {
            return Ok(set.clone());
        }
        let decode = |png: Vec<u8>| {
            let picture = RgbImage::decode(&png);
            picture.map_err(|error| ReproduceError::Impossible(error.to_string()))
        };
        let set: Vec<RgbImage> = read()?.into_iter().map(decode).collect::<Result<_, _>>()?;
        let set = Rc::new(set);
        self.kept.borrow_mut().keep(name, set.clone());
        Ok(set)
    }
}

impl Kept {
    fn keep(&mut self, name: String, set: Rc<Vec<RgbImage>>) {
        self.bytes += bytes(&set);
        self.sets.insert(name.clone(), set);
        self.order.push_back(name);
        while self.bytes > KEPT && self.order.len() > 1 {
            let Some(oldest) = self.order.pop_front() else { break };
            if let Some(set) = self.sets.remove(&oldest) {
                self.bytes -= bytes(&set);
            }
        }
    }
}

fn bytes(set: &[RgbImage]) -> usize {
    set.iter().map(|picture| picture.rgb.len()).sum()
}
