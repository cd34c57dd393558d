//! PyTorch's own graph of a computation on burn's LibTorch backend.

use std::cell::RefCell;

use burn::backend::libtorch::{LibTorch, Storage, TchTensor};
use burn::tensor::Tensor;
use tch::Kind;

thread_local! {
    /// What PyTorch's graph may need again while a [`TorchGraph`] is recorded: burn writes over
    /// memory that nobody else holds, and does not know that the graph does.
    static HELD: RefCell<Option<Vec<Storage>>> = const { RefCell::new(None) };
}

/// The result of an operation on `inputs`.
pub(crate) fn made<const N: usize>(inputs: [&TchTensor; N], result: tch::Tensor) -> TchTensor {
    let result = TchTensor::new(result);
    HELD.with_borrow_mut(|held| {
        if let Some(held) = held {
            held.extend(inputs.map(|input| input.storage.clone()));
            held.push(result.storage.clone());
        }
    });
    result
}

/// PyTorch's own graph of a computation on one of its devices without burn's autodiff, whose
/// training steps took half as long again.
#[derive(Debug)]
pub struct TorchGraph {
    leaves: Vec<tch::Tensor>,
}

impl TorchGraph {
    /// Begins to record what this thread computes from leaves. Where a factor of a product is needed
    /// no longer, a clone of it has to be: otherwise burn may write the product over it, which
    /// [`Self::gradient`] notices.
    pub fn record() -> Self {
        HELD.set(Some(Vec::new()));
        Self { leaves: Vec::new() }
    }

    /// `values` as a leaf.
    ///
    /// # Panics
    /// Where `values` are not on a device of PyTorch's, or recorded by burn's autodiff.
    pub fn leaf<const D: usize>(&mut self, values: Tensor<D>) -> Tensor<D> {
        let leaf = primitive(values).detach().set_requires_grad(true);
        self.leaves.push(leaf.shallow_clone());
        plain(leaf)
    }

    /// The gradient of `loss`, that of all leaves after one another, zero for those it does not
    /// depend on; and `loss` without its graph.
    ///
    /// # Panics
    /// As [`Self::leaf`]; and where something the graph needs has been written over.
    pub fn gradient(self, loss: Tensor<1>) -> (Tensor<1>, Tensor<1>) {
        let loss = primitive(loss);
        let whole = [loss.sum(None::<Kind>)];
        let found = tch::Tensor::run_backward(&whole, &self.leaves, false, false);
        let flat = |(found, leaf): (&tch::Tensor, &tch::Tensor)| {
            if found.defined() { found.reshape([-1]) } else { leaf.zeros_like().reshape([-1]) }
        };
        let flat: Vec<tch::Tensor> = found.iter().zip(&self.leaves).map(flat).collect();
        (plain(tch::Tensor::cat(&flat, 0)), plain(loss.detach().copy()))
    }
}

fn primitive<const D: usize>(tensor: Tensor<D>) -> tch::Tensor {
    let found = tensor.try_into_primitive::<LibTorch>();
    assert!(found.is_ok(), "the graph is one of tensors on LibTorch's devices without autodiff");
    found.map_or_else(|_| tch::Tensor::new(), |found| found.tensor)
}

fn plain<const D: usize>(tensor: tch::Tensor) -> Tensor<D> {
    Tensor::from_primitive::<LibTorch>(TchTensor::new(tensor))
}

impl Drop for TorchGraph {
    fn drop(&mut self) {
        HELD.set(None);
    }
}
