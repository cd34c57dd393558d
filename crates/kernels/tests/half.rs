//! Half precision against f32, where sums and exponentials would overflow or lose their digits.

use burn::nn::GroupNormConfig;
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
        let gamma = random([320], 1.0, 0.2).cast(dtype);
        let beta = random([320], 0.0, 0.2).cast(dtype);
        let wide_of = |value: &Tensor<1>| value.clone().cast(DType::F32);
        let expected = ops::layer_norm(wide, wide_of(&gamma), wide_of(&beta), 1e-5);
        let found = error(ops::layer_norm(narrow, gamma, beta, 1e-5), expected);
        assert!(found < 4.0 * unit, "{dtype:?} layer norm: {found}");
    }
}

#[test]
fn attention_of_moderate_scores_stays_within_their_rounding() {
    for (_, dtype, unit) in TYPES {
        // Scores of deviation 1, below 6: rounded in the type they are off by 6 roundings, which
        // the exponential turns into as large a relative error of a weight, above and below the
        // line; four more roundings are those of the weights, the products and the result.
        let (query, narrow_query) = both(random([1, 40, 128], 0.0, 1.0), dtype);
        let (key, narrow_key) = both(random([1, 77, 128], 0.0, 1.0), dtype);
        let (value, narrow_value) = both(random([1, 77, 128], 0.0, 1.0), dtype);
        let found = ops::attention(narrow_query, narrow_key, narrow_value, 2, false);
        let found = error(found, ops::attention(query, key, value, 2, false));
        assert!(found < 16.0 * unit, "{dtype:?}: {found}");
    }
}

#[test]
fn attention_of_scores_whose_exponentials_overflow_picks_the_largest() {
    let device = Device::flex();
    for (_, dtype, unit) in TYPES {
        // Query and key `i` share the axis `i` alone: scores are 40² / √40 = 253 or 0, whose
        // exponentials overflow f16 at 11 and f32 at 88, and every query picks its own value.
        let axes = Tensor::<2>::eye(40, &device).unsqueeze::<3>() * 40.0;
        let value = random([1, 40, 40], 0.0, 1.0).cast(dtype);
        let picked =
            ops::attention(axes.clone().cast(dtype), axes.cast(dtype), value.clone(), 1, false);
        let error = error(picked, value.cast(DType::F32));
        assert!(error < 2.0 * unit, "{dtype:?}: {error}");
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
