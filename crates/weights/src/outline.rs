//! Names and shapes of a module's tensors as its file has them, without their values.

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::Tensor;

use crate::key_path::KeyPath;

/// Name and shape of one of a module's tensors, as its file has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outline {
    /// Name, for example `down_blocks.0.resnets.1.conv1.weight`.
    pub name: String,
    /// Shape; a linear layer's is `[outputs, inputs]`.
    pub shape: Vec<usize>,
}

impl Outline {
    /// Number of values; the largest number there is where the product is beyond it.
    pub fn len(&self) -> usize {
        self.shape.iter().fold(1, |product: usize, size| product.saturating_mul(*size))
    }

    /// Whether it has no values.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The float tensors of a module in its own order. Parameters that were never materialised stay so.
pub fn outline<M: Module>(module: &M) -> Vec<Outline> {
    let mut visitor = Visitor { path: KeyPath::default(), tensors: Vec::new() };
    module.visit(&mut visitor);
    visitor.tensors
}

struct Visitor {
    path: KeyPath,
    tensors: Vec<Outline>,
}

impl ModuleVisitor for Visitor {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.exit();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let mut shape: Vec<usize> = param.lazy_shape().iter().copied().collect();
        if self.path.is_linear_weight() {
            shape.reverse();
        }
        self.tensors.push(Outline { name: self.path.key(), shape });
    }
}
