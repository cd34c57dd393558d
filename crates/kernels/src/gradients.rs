//! The kernels' derivatives on burn's CPU backend.

use burn::backend::Flex;
use burn::backend::tensor::FloatTensor;
use burn_flex::FlexTensor;

use crate::cpu::activation::{geglu_backward, gelu_backward, silu_backward};
use crate::cpu::{attention, conv, linear, norm};
use crate::extension::{LayerOps, tensor, values};
use crate::shapes::{attention_shape, conv_shape, dims, last, norm_shape};

/// Derivatives of [`LayerOps`].
pub(crate) trait LayerGradients: LayerOps {
    /// Gradients of input, weight and bias.
    fn layer_conv_backward(
        inputs: [FloatTensor<Self>; 2],
        dy: FloatTensor<Self>,
        stride: usize,
        padding: [usize; 2],
    ) -> [FloatTensor<Self>; 3];
    /// Gradients of input, weight and bias.
    fn layer_linear_backward(
        inputs: [FloatTensor<Self>; 2],
        dy: FloatTensor<Self>,
    ) -> [FloatTensor<Self>; 3];
    /// Gradients of input, scale and shift.
    fn layer_norm_backward(
        inputs: [FloatTensor<Self>; 3],
        dy: FloatTensor<Self>,
        groups: Option<usize>,
        epsilon: f64,
        silu: bool,
    ) -> [FloatTensor<Self>; 3];
    /// Gradients of queries, keys and values.
    fn layer_attention_backward(
        inputs: [FloatTensor<Self>; 3],
        dy: FloatTensor<Self>,
        heads: usize,
        causal: bool,
    ) -> [FloatTensor<Self>; 3];
    /// Gradient of an element-wise operation's input.
    fn layer_elementwise_backward(
        operation: Elementwise,
        x: FloatTensor<Self>,
        dy: FloatTensor<Self>,
    ) -> FloatTensor<Self>;
}

/// The operations of one operand.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Elementwise {
    Geglu,
    Silu,
    Gelu,
}

impl LayerGradients for Flex {
    fn layer_conv_backward(
        [x, w]: [FlexTensor; 2],
        dy: FlexTensor,
        stride: usize,
        padding: [usize; 2],
    ) -> [FlexTensor; 3] {
        let shape = conv_shape(&x, &w, stride, padding);
        let (x_dims, w_dims) = (x.layout().shape().clone(), w.layout().shape().clone());
        values!(x, w, dy);
        let (dx, dw, db) = conv::backward(x, w, dy, shape);
        [tensor(dx, x_dims), tensor(dw, w_dims), tensor(db, [shape.output[0]])]
    }

    fn layer_linear_backward([x, w]: [FlexTensor; 2], dy: FlexTensor) -> [FlexTensor; 3] {
        let sizes = dims(&w);
        let x_dims = x.layout().shape().clone();
        values!(x, w, dy);
        let (dx, dw, db) = linear::backward(x, w, dy, sizes);
        [tensor(dx, x_dims), tensor(dw, sizes), tensor(db, [sizes[1]])]
    }

    fn layer_norm_backward(
        [x, gamma, beta]: [FlexTensor; 3],
        dy: FlexTensor,
        groups: Option<usize>,
        epsilon: f64,
        silu: bool,
    ) -> [FlexTensor; 3] {
        let shape = norm_shape(&x, groups, epsilon, silu);
        let channels = last(&gamma);
        values!(x, gamma, beta);
        let (dx, [dgamma, dbeta]) = in_place(dy, |dy| norm::backward(x, gamma, beta, dy, shape));
        [dx, tensor(dgamma, [channels]), tensor(dbeta, [channels])]
    }

    fn layer_attention_backward(
        [q, k, v]: [FlexTensor; 3],
        dy: FlexTensor,
        heads: usize,
        causal: bool,
    ) -> [FlexTensor; 3] {
        let shape = attention_shape(&q, &k, heads, causal);
        let (q_dims, k_dims) = (q.layout().shape().clone(), k.layout().shape().clone());
        values!(q, k, v, dy);
        let (dq, dk, dv) = attention::backward(q, k, v, dy, shape);
        [tensor(dq, q_dims), tensor(dk, k_dims.clone()), tensor(dv, k_dims)]
    }

    fn layer_elementwise_backward(
        operation: Elementwise,
        x: FlexTensor,
        dy: FlexTensor,
    ) -> FlexTensor {
        let (shape, inner) = (x.layout().shape().clone(), last(&dy));
        values!(x);
        let backward = match operation {
            Elementwise::Silu => return in_place(dy, |dy| silu_backward(x, dy)).0,
            Elementwise::Geglu => |x: &[f32], dy: &[f32], inner| geglu_backward(x, dy, inner),
            Elementwise::Gelu => |x: &[f32], dy: &[f32], _| gelu_backward(x, dy),
        };
        values!(dy);
        tensor(backward(x, dy, inner), shape)
    }
}

/// A tensor whose values `work` has changed, in its own memory where nobody else holds it; and what
/// `work` gives.
fn in_place<R>(tensor: FlexTensor, work: impl FnOnce(&mut [f32]) -> R) -> (FlexTensor, R) {
    let mut tensor = if tensor.is_contiguous() { tensor } else { tensor.to_contiguous() };
    let count = tensor.layout().shape().num_elements();
    let result = work(&mut tensor.storage_mut::<f32>()[..count]);
    (tensor, result)
}
