//! What is added to a model's tensors while they are read.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::io;
use std::sync::Arc;

use crate::values::Values;
use crate::{StoredTensor, Tensors};

/// Something that is added to the values of one tensor.
pub trait Addition: Debug + Send + Sync {
    /// Adds to `values`, those of the whole tensor, row by row.
    fn add_to(&self, values: &mut [f32]);
}

/// What is added to a model's tensors, by name; several terms of one tensor in the order they came.
#[derive(Debug, Clone, Default)]
pub struct Additions(BTreeMap<String, Vec<Arc<dyn Addition>>>);

impl Additions {
    /// Nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// One more term for the tensor called `name`.
    pub fn push(&mut self, name: impl Into<String>, term: Arc<dyn Addition>) {
        self.0.entry(name.into()).or_default().push(term);
    }

    /// What `more` adds as well.
    pub fn extend(&mut self, more: Self) {
        for (name, terms) in more.0 {
            self.0.entry(name).or_default().extend(terms);
        }
    }

    /// Whether nothing is added.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The tensors with what is added to them; it is computed in f32, when their values are read.
    pub fn apply<'a>(&self, mut tensors: Tensors<'a>) -> Tensors<'a> {
        for (name, terms) in &self.0 {
            if let Some(tensor) = tensors.remove(name) {
                let (of, terms) = (Arc::new(tensor), terms.clone());
                tensors.insert(name.clone(), StoredTensor::Sum(Sum { of, terms }));
            }
        }
        tensors
    }
}

/// A tensor and what is added to it.
#[derive(Debug, Clone)]
pub struct Sum<'a> {
    pub(crate) of: Arc<StoredTensor<'a>>,
    terms: Vec<Arc<dyn Addition>>,
}

impl Sum<'_> {
    /// The values of the sum; `None` where the tensor has no floats.
    pub(crate) fn values(&self) -> io::Result<Option<Values>> {
        let Some(values) = self.of.values()? else { return Ok(None) };
        let mut values = values.into_f32();
        for term in &self.terms {
            term.add_to(&mut values);
        }
        Ok(Some(Values::F32(values)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Times(f32);

    impl Addition for Times {
        fn add_to(&self, values: &mut [f32]) {
            for value in values {
                *value += self.0 * *value;
            }
        }
    }

    #[test]
    fn terms_are_added_in_their_order_and_other_tensors_stay() {
        let owned = || StoredTensor::Owned { shape: vec![2], values: vec![1.0, 2.0] };
        let tensors = Tensors::from([("a".to_string(), owned()), ("b".to_string(), owned())]);
        let mut additions = Additions::new();
        additions.push("a", Arc::new(Times(1.0)));
        additions.push("a", Arc::new(Times(2.0)));
        additions.push("absent", Arc::new(Times(1.0)));
        let sum = additions.apply(tensors);
        assert_eq!(sum.len(), 2);
        assert_eq!(sum["a"].shape(), [2]);
        assert_eq!(sum["a"].to_f32().unwrap().unwrap(), [6.0, 12.0]);
        assert_eq!(sum["b"].to_f32().unwrap().unwrap(), [1.0, 2.0]);
    }
}
