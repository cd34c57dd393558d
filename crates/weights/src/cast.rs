//! Modules in another data type.

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{FloatDType, Tensor};

/// The module with its float parameters in another data type; those that have it already are
/// shared, not copied.
pub fn cast<M: Module>(module: M, dtype: FloatDType) -> M {
    module.map(&mut CastTo(dtype))
}

struct CastTo(FloatDType);

impl ModuleMapper for CastTo {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let dtype = self.0;
        param.map(move |tensor| tensor.cast(dtype))
    }
}
