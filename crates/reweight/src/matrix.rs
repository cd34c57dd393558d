//! A value for every attention block at every inference step.

use std::ops::{Index, IndexMut};

use serde::{Deserialize, Serialize};

use crate::ReweightError;

/// A matrix of inference steps (rows, 0 the noisiest) by attention blocks (columns, in execution
/// order); every row has the same length.
///
/// Serialised as a list of rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Vec<T>>", into = "Vec<Vec<T>>")]
#[serde(bound(serialize = "T: Clone + Serialize", deserialize = "T: Deserialize<'de>"))]
pub struct StepMatrix<T = f64> {
    /// Row by row.
    values: Vec<T>,
    steps: usize,
    blocks: usize,
}

impl<T> StepMatrix<T> {
    /// Rows, one per step.
    ///
    /// # Errors
    /// [`ReweightError::Ragged`] where there is no row, no block, or rows differ in length.
    pub fn from_rows(rows: Vec<Vec<T>>) -> Result<Self, ReweightError> {
        let (steps, blocks) = (rows.len(), rows.first().map_or(0, Vec::len));
        if blocks == 0 {
            return Err(ReweightError::Ragged { expected: 1, found: 0, step: 0 });
        }
        if let Some(step) = rows.iter().position(|row| row.len() != blocks) {
            let found = rows[step].len();
            return Err(ReweightError::Ragged { expected: blocks, found, step });
        }
        Ok(Self { values: rows.into_iter().flatten().collect(), steps, blocks })
    }

    /// The matrix of `value(step, block)`.
    pub fn from_fn(steps: usize, blocks: usize, mut value: impl FnMut(usize, usize) -> T) -> Self {
        let at = (0..steps).flat_map(|step| (0..blocks).map(move |block| (step, block)));
        Self { values: at.map(|(step, block)| value(step, block)).collect(), steps, blocks }
    }

    /// The same value everywhere.
    pub fn filled(steps: usize, blocks: usize, value: T) -> Self
    where
        T: Clone,
    {
        Self { values: vec![value; steps * blocks], steps, blocks }
    }

    /// Number of inference steps.
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// Number `m` of blocks.
    pub fn blocks(&self) -> usize {
        self.blocks
    }

    /// The values of one step; `None` where there is no such step.
    pub fn get(&self, step: usize) -> Option<&[T]> {
        (step < self.steps).then(|| &self[step])
    }

    /// The rows, from the first step on.
    pub fn rows(&self) -> impl DoubleEndedIterator<Item = &[T]> + ExactSizeIterator + Clone {
        (0..self.steps).map(|step| &self[step])
    }

    /// All values, row by row.
    pub fn values(&self) -> &[T] {
        &self.values
    }

    /// The matrix of `value(x)` for each value `x`.
    pub fn map<U>(&self, value: impl FnMut(&T) -> U) -> StepMatrix<U> {
        let values = self.values.iter().map(value).collect();
        StepMatrix { values, steps: self.steps, blocks: self.blocks }
    }

    /// Checks its numbers of steps and blocks.
    ///
    /// # Errors
    /// [`ReweightError::Mismatch`] naming what differs.
    pub fn check_shape(&self, steps: usize, blocks: usize) -> Result<(), ReweightError> {
        for (what, expected, found) in
            [("steps", steps, self.steps), ("blocks", blocks, self.blocks)]
        {
            if expected != found {
                return Err(ReweightError::Mismatch { what, expected, found });
            }
        }
        Ok(())
    }
}

impl StepMatrix<f64> {
    /// Checks that every value is finite and 0 or more.
    ///
    /// # Errors
    /// [`ReweightError::Weight`] naming the first that is not.
    pub fn check_not_negative(&self) -> Result<(), ReweightError> {
        self.check_at_most(f64::MAX)
    }

    /// Checks that every value is from 0 to `most`.
    ///
    /// # Errors
    /// [`ReweightError::Weight`] naming the first that is not.
    pub fn check_at_most(&self, most: f64) -> Result<(), ReweightError> {
        let wrong = |value: &f64| !(0.0..=most).contains(value);
        match self.values.iter().position(wrong) {
            Some(at) => Err(ReweightError::Weight {
                step: at / self.blocks,
                block: at % self.blocks,
                most,
                found: self.values[at],
            }),
            None => Ok(()),
        }
    }
}

/// The values of a step.
///
/// # Panics
/// Where there is no such step.
impl<T> Index<usize> for StepMatrix<T> {
    type Output = [T];

    fn index(&self, step: usize) -> &[T] {
        &self.values[step * self.blocks..][..self.blocks]
    }
}

impl<T> IndexMut<usize> for StepMatrix<T> {
    fn index_mut(&mut self, step: usize) -> &mut [T] {
        &mut self.values[step * self.blocks..][..self.blocks]
    }
}

impl<T> TryFrom<Vec<Vec<T>>> for StepMatrix<T> {
    type Error = ReweightError;

    fn try_from(rows: Vec<Vec<T>>) -> Result<Self, ReweightError> {
        Self::from_rows(rows)
    }
}

impl<T: Clone> From<StepMatrix<T>> for Vec<Vec<T>> {
    fn from(matrix: StepMatrix<T>) -> Self {
        matrix.rows().map(<[T]>::to_vec).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn from_rows_empty_and_ragged_matrices_are_refused() {
        for (rows, wrong) in [(vec![], 0), (vec![vec![]], 0), (vec![vec![1.0, 1.0], vec![1.0]], 1)]
        {
            let error = StepMatrix::from_rows(rows).unwrap_err();
            assert!(matches!(error, ReweightError::Ragged { step, .. } if step == wrong));
        }
    }

    #[test]
    fn rows_are_those_given_and_stay_so_through_json() {
        let matrix = StepMatrix::from_rows(vec![vec![1, 2, 3], vec![4, 5, 6]]).unwrap();
        assert_eq!((matrix.steps(), matrix.blocks()), (2, 3));
        assert_eq!((&matrix[1], matrix.get(2)), (&[4, 5, 6][..], None));
        let text = serde_json::to_string(&matrix).unwrap();
        assert_eq!(text, "[[1,2,3],[4,5,6]]");
        assert_eq!(serde_json::from_str::<StepMatrix<i32>>(&text).unwrap(), matrix);
        assert!(serde_json::from_str::<StepMatrix<i32>>("[[1,2],[3]]").is_err());
        assert_eq!(StepMatrix::from_fn(2, 3, |step, block| (3 * step + block + 1) as i32), matrix);
    }

    #[test]
    fn check_shape_names_what_differs() {
        let matrix = StepMatrix::filled(2, 3, 0.0);
        let what = |steps, blocks| match matrix.check_shape(steps, blocks) {
            Err(ReweightError::Mismatch { what, .. }) => what,
            _ => "",
        };
        assert_eq!([what(2, 3), what(1, 3), what(2, 4)], ["", "steps", "blocks"]);
    }
}
