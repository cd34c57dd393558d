//! What a decoded picture is judged by.

use burn::tensor::Tensor;

use crate::AutoencoderRecipe;

/// The reconstruction loss: mean absolute error, mean squared error, and the mean absolute error
/// of the differences between neighbouring pixels, which blurred edges get wrong.
///
/// # Shapes
/// - error: `[batch, 3, height, width]`, decoded minus true pixels in [-1, 1]
pub(crate) fn reconstruction(error: Tensor<4>, recipe: &AutoencoderRecipe) -> Tensor<1> {
    let mut loss = error.clone().abs().mean();
    if recipe.mse_weight > 0.0 {
        loss = loss + error.clone().square().mean() * recipe.mse_weight;
    }
    if recipe.gradient_weight > 0.0 {
        loss = loss + gradient(error) * recipe.gradient_weight;
    }
    loss
}

/// Mean absolute difference between horizontal and vertical neighbours. Differentiation is linear:
/// the gradient's error is the error's gradient.
fn gradient(error: Tensor<4>) -> Tensor<1> {
    let [_, _, height, width] = error.dims();
    let difference = |dim: usize, length: usize| {
        let ahead = error.clone().narrow(dim, 1, length - 1);
        (ahead - error.clone().narrow(dim, 0, length - 1)).abs().mean()
    };
    (difference(2, height) + difference(3, width)) * 0.5
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, TensorData};

    use super::*;

    fn error(values: [f32; 4]) -> Tensor<4> {
        let data = TensorData::new(values.to_vec(), [1, 1, 2, 2]);
        Tensor::from_data(data, &Device::flex())
    }

    #[test]
    fn gradient_is_zero_for_an_offset_and_counts_edges() {
        let value = |values| gradient(error(values)).into_scalar::<f32>();
        assert_eq!(value([0.5; 4]), 0.0);
        // An edge down the middle: every horizontal pair differs by 1, no vertical one.
        assert_eq!(value([0.0, 1.0, 0.0, 1.0]), 0.5);
        assert_eq!(value([0.0, 0.0, 1.0, 1.0]), 0.5);
    }
}
