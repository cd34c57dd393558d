//! Samples of a batch that are alike so far, and are computed once.

use std::collections::HashMap;
use std::hash::Hash;

/// For each sample of a batch, which of the tensors' rows is its own.
///
/// Rows are numbered in the order of their first samples, so that a row for each sample is the
/// batch itself.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Rows {
    of: Vec<usize>,
    count: usize,
}

impl Rows {
    /// Samples with the same key have the same row. Besides, a sample of each row.
    pub(crate) fn by<K: Eq + Hash>(keys: impl IntoIterator<Item = K>) -> (Self, Vec<usize>) {
        let mut rows = HashMap::new();
        let mut first = Vec::new();
        let of = keys.into_iter().enumerate().map(|(sample, key)| {
            *rows.entry(key).or_insert_with(|| {
                first.push(sample);
                first.len() - 1
            })
        });
        let of = of.collect();
        (Self { of, count: first.len() }, first)
    }

    /// Samples of one row part where their keys differ. Besides, which of these rows each of the
    /// new ones comes from; `None` where all stays as it is.
    pub(crate) fn split<K: Eq + Hash>(
        &self,
        key: impl Fn(usize) -> K,
    ) -> Option<(Self, Vec<usize>)> {
        let keys = self.of.iter().enumerate().map(|(sample, row)| (*row, key(sample)));
        let (rows, first) = Self::by(keys);
        let from = first.into_iter().map(|sample| self.of[sample]).collect();
        (rows.count > self.count).then_some((rows, from))
    }

    /// Whether every sample has a row of its own.
    pub(crate) fn are_samples(&self) -> bool {
        self.count == self.of.len()
    }

    /// For each sample its row.
    pub(crate) fn of_samples(&self) -> &[usize] {
        &self.of
    }

    /// A sample of each row.
    pub(crate) fn samples(&self) -> Vec<usize> {
        let mut samples = vec![0; self.count];
        for (sample, row) in self.of.iter().enumerate().rev() {
            samples[*row] = sample;
        }
        samples
    }

    /// For each of `finer`, which parts these rows further, the row it comes from here.
    pub(crate) fn of_rows(&self, finer: &Self) -> Vec<usize> {
        finer.samples().into_iter().map(|sample| self.of[sample]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::Rows;

    #[test]
    fn rows_part_where_keys_differ_and_know_where_they_come_from() {
        let (rows, first) = Rows::by(["a", "b", "a", "b", "a"]);
        assert_eq!((rows.of_samples(), first), (&[0, 1, 0, 1, 0][..], vec![0, 1]));
        assert_eq!(rows.split(|_| ()), None);
        let (finer, from) = rows.split(|sample| sample == 2).unwrap();
        assert_eq!((finer.of_samples(), from), (&[0, 1, 2, 1, 0][..], vec![0, 1, 0]));
        assert_eq!((finer.samples(), rows.of_rows(&finer)), (vec![0, 1, 2], vec![0, 1, 0]));
        let (each, _) = finer.split(|sample| sample).unwrap();
        assert_eq!(each, Rows::by(0..5).0);
        assert!(each.are_samples() && !finer.are_samples());
    }
}
