//! Half precision against f32, where sums and exponentials would overflow or lose their digits.

use burn::module::Module;
use burn::nn::{GroupNormConfig, LayerNormConfig};
use burn::tensor::{DType, Device, Distribution, FloatDType, Tensor};
use kernels as ops;
use weights::cast;

/// Each type with the largest relative error of one rounding.
const TYPES: [(FloatDType, DType, f32); 2] =
    [(FloatDType::F16, DType::F16, 4.9e-4), (FloatDType::BF16, DType::BF16, 3.9e-3)];

fn random<const D: usize>(shape: [usize; D], mean: f64, deviation: f64) -> Tensor<D> {
    Tensor::random(shape, Distribution::Normal(mean, deviation), &Device::flex())
}

/// Largest difference of `found` from `expected`, relative to the largest value.
fn error<const D: usize>(found: Tensor<D>, expected: Tensor<D>) -> f32 {
    let largest = expected.clone().abs().max().into_scalar::<f32>();
    (found.cast(DType::F32) - expected).abs().max().into_scalar::<f32>() / largest
}

/// The values that the type can hold, as f32 and as the type.
fn both<const D: usize>(x: Tensor<D>, dtype: DType) -> (Tensor<D>, Tensor<D>) {
    let narrow = x.cast(dtype);
    (narrow.clone().cast(DType::F32), narrow)
}

#[test]
fn norms_of_large_values_stay_close_to_f32() {
    let device = Device::flex();
    for (float, dtype, unit) in TYPES {
        // 320 channels around 60: their squares sum to more than f16 holds, and bf16 would keep two
        // digits of the sum.
        let (wide, narrow) = both(random([2, 320, 8, 8], 60.0, 9.0), dtype);
        let group = GroupNormConfig::new(32, 320).with_epsilon(1e-5).init(&device);
        let found = ops::group_norm_silu(&cast(group.clone(), float), narrow);
        let found = error(found, ops::group_norm_silu(&group, wide));
        assert!(found < 4.0 * unit, "{dtype:?} group norm: {found}");
        let (wide, narrow) = both(random([2, 9, 320], 60.0, 9.0), dtype);
        let layer = LayerNormConfig::new(320).with_epsilon(1e-5).init(&device);
        let found = ops::layer_norm(&cast(layer.clone(), float), 1e-5, narrow);
        let found = error(found, ops::layer_norm(&layer, 1e-5, wide));
        assert!(found < 4.0 * unit, "{dtype:?} layer norm: {found}");
        assert_eq!(layer.num_params(), 640);
    }
}

#[test]
fn attention_of_large_scores_stays_close_to_f32() {
    for (_, dtype, unit) in TYPES {
        // Scores up to some hundreds before the softmax: their exponentials overflow f16 at 11.
        let (query, narrow_query) = both(random([1, 40, 128], 0.0, 6.0), dtype);
        let (key, narrow_key) = both(random([1, 77, 128], 0.0, 6.0), dtype);
        let (value, narrow_value) = both(random([1, 77, 128], 0.0, 1.0), dtype);
        let found = ops::attention(narrow_query, narrow_key, narrow_value, 2, false);
        let found = error(found, ops::attention(query, key, value, 2, false));
        // Scores of a hundred are rounded to a tenth of that in the type, and the exponential
        // multiplies it.
        assert!(found < 200.0 * unit && found.is_finite(), "{dtype:?}: {found}");
    }
}

#[test]
fn activations_stay_close_to_f32() {
    for (_, dtype, unit) in TYPES {
        let (wide, narrow) = both(random([2, 5, 64], 0.0, 3.0), dtype);
        let found = error(ops::geglu(narrow.clone()), ops::geglu(wide.clone()));
        assert!(found < 4.0 * unit, "{dtype:?} geglu: {found}");
        let found = error(ops::silu(narrow), ops::silu(wide));
        assert!(found < 4.0 * unit, "{dtype:?} silu: {found}");
    }
}
