//! All parameters of a module as one vector, in the order in which the module is traversed.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Device, Gradients, Tensor, TensorData};

/// The values of all float parameters.
pub(crate) fn parameters<M: Module>(module: &M) -> Vec<f32> {
    struct Collect(Vec<f32>);
    impl ModuleVisitor for Collect {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            extend(&mut self.0, &param.val().into_data());
        }
    }
    let mut collect = Collect(Vec::with_capacity(module.num_params()));
    module.visit(&mut collect);
    collect.0
}

fn extend(values: &mut Vec<f32>, data: &TensorData) {
    match data.as_slice::<f32>() {
        Ok(plain) => values.extend_from_slice(plain),
        Err(_) => values.extend(data.iter::<f32>()),
    }
}

/// The gradients of all float parameters; zero where the loss does not depend on one.
pub(crate) fn gradients<M: Module>(module: &M, gradients: &Gradients) -> Vec<f32> {
    struct Collect<'a>(&'a Gradients, Vec<f32>);
    impl ModuleVisitor for Collect<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let tensor = param.val();
            match tensor.grad(self.0) {
                Some(gradient) => extend(&mut self.1, &gradient.into_data()),
                None => self.1.extend(std::iter::repeat_n(0.0, tensor.shape().num_elements())),
            }
        }
    }
    let mut collect = Collect(gradients, Vec::with_capacity(module.num_params()));
    module.visit(&mut collect);
    collect.1
}

/// The module with its float parameters replaced by `values`.
///
/// # Panics
/// Where the number of values is not that of the parameters.
pub(crate) fn assign<M: Module>(module: M, values: &[f32]) -> M {
    struct Assign<'a>(&'a [f32]);
    impl ModuleMapper for Assign<'_> {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            let shape = param.lazy_shape();
            let (values, rest) = self.0.split_at(shape.num_elements());
            self.0 = rest;
            let device = param.lazy_device();
            let data = TensorData::new(values.to_vec(), shape);
            let id = param.id;
            param.transform_for_load(Tensor::from_data(data, &device), id)
        }
    }
    let mut assign = Assign(values);
    let module = module.map(&mut assign);
    assert!(assign.0.is_empty(), "{} values too many", assign.0.len());
    module
}

/// The gradients of all float parameters as one tensor on `device`, which has no graph.
pub(crate) fn gradient_tensor<M: Module>(
    module: &M,
    gradients: &Gradients,
    device: &Device,
) -> Tensor<1> {
    struct Collect<'a>(&'a Gradients, &'a Device, Vec<Tensor<1>>);
    impl ModuleVisitor for Collect<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let tensor = param.val();
            let count = tensor.shape().num_elements();
            self.2.push(match tensor.grad(self.0) {
                Some(gradient) => gradient.reshape([count]),
                None => Tensor::zeros([count], self.1),
            });
        }
    }
    let mut collect = Collect(gradients, device, Vec::new());
    module.visit(&mut collect);
    Tensor::cat(collect.2, 0)
}

/// A vector cut into parameters, one after the other.
struct Parts<'a>(&'a Tensor<1>, usize);

impl Parts<'_> {
    /// The values of `param`.
    fn next<const D: usize>(&mut self, param: &Param<Tensor<D>>) -> Tensor<D> {
        let shape = param.lazy_shape();
        let count = shape.num_elements();
        let part = self.0.clone().narrow(0, self.1, count).reshape(shape);
        self.1 += count;
        part
    }
}

/// The module with its float parameters replaced by parts of `values`, which stays on its device.
///
/// # Panics
/// Where there are fewer values than parameters.
pub(crate) fn assign_tensor<M: Module>(module: M, values: &Tensor<1>) -> M {
    struct Assign<'a>(Parts<'a>);
    impl ModuleMapper for Assign<'_> {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            let (values, id) = (Tensor::from_inner(self.0.next(&param)), param.id);
            param.transform_for_load(values, id)
        }
    }
    module.map(&mut Assign(Parts(values, 0)))
}

/// [`assign_tensor`] with every part a leaf of `graph`.
#[cfg(feature = "tch")]
pub(crate) fn assign_leaves<M: Module>(
    module: M,
    values: &Tensor<1>,
    graph: &mut kernels::TorchGraph,
) -> M {
    struct Assign<'a>(Parts<'a>, &'a mut kernels::TorchGraph);
    impl ModuleMapper for Assign<'_> {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            let (values, id) = (self.1.leaf(self.0.next(&param)), param.id);
            param.transform_for_load(values, id)
        }
    }
    module.map(&mut Assign(Parts(values, 0), graph))
}
