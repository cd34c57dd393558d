//! The kernels as operations of burn's CPU backend.

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Flex, backend_extension};
use burn::tensor::{DType, Shape};
use burn_flex::{FlexTensor, Layout};

use crate::cpu::{activation, attention, conv, linear, norm};
use crate::shapes::{attention_shape, conv_shape, dims, last, norm_shape, rows_per_sample};

/// Operations with a kernel of their own on the CPU.
#[backend_extension(Flex, Autodiff)]
pub(crate) trait LayerOps: Backend {
    /// 2-D convolution.
    fn layer_conv(
        x: FloatTensor<Self>,
        w: FloatTensor<Self>,
        b: FloatTensor<Self>,
        stride: usize,
        padding: [usize; 2],
    ) -> FloatTensor<Self>;
    /// Affine map of the last dimension.
    fn layer_linear(
        x: FloatTensor<Self>,
        w: FloatTensor<Self>,
        b: FloatTensor<Self>,
    ) -> FloatTensor<Self>;
    /// GroupNorm over `[batch, channels, …]`, followed by SiLU where asked.
    fn layer_group_norm(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        groups: usize,
        epsilon: f64,
        silu: bool,
    ) -> FloatTensor<Self>;
    /// LayerNorm over the last dimension.
    fn layer_layer_norm(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        epsilon: f64,
    ) -> FloatTensor<Self>;
    /// Multi-head attention over `[batch, tokens, channels]`.
    fn layer_attention(
        q: FloatTensor<Self>,
        k: FloatTensor<Self>,
        v: FloatTensor<Self>,
        heads: usize,
        causal: bool,
    ) -> FloatTensor<Self>;
    /// GEGLU of the last dimension.
    fn layer_geglu(x: FloatTensor<Self>) -> FloatTensor<Self>;
    /// SiLU.
    fn layer_silu(x: FloatTensor<Self>) -> FloatTensor<Self>;
    /// The exact GELU.
    fn layer_gelu(x: FloatTensor<Self>) -> FloatTensor<Self>;
}

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

fn tensor(values: Vec<f32>, shape: impl Into<Shape>) -> FlexTensor {
    let bytes = burn::tensor::Bytes::from_elems(values);
    FlexTensor::new(bytes, Layout::contiguous(shape.into()), DType::F32)
}

/// A contiguous copy where needed, and the values.
macro_rules! values {
    ($($tensor:ident),*) => {
        $(
            let $tensor = $tensor.to_contiguous();
            let $tensor = &$tensor.storage::<f32>()[..$tensor.layout().shape().num_elements()];
        )*
    };
}

impl LayerOps for Flex {
    fn layer_conv(
        x: FlexTensor,
        w: FlexTensor,
        b: FlexTensor,
        stride: usize,
        padding: [usize; 2],
    ) -> FlexTensor {
        let shape = conv_shape(&x, &w, stride, padding);
        values!(x, w, b);
        let [channels, height, width] = shape.output;
        tensor(conv::forward(x, w, b, shape), [shape.batch, channels, height, width])
    }

    fn layer_linear(x: FlexTensor, w: FlexTensor, b: FlexTensor) -> FlexTensor {
        let sizes = dims(&w);
        let rows = rows_per_sample(&x);
        let mut shape = x.layout().shape().clone();
        let axis = shape.num_dims() - 1;
        shape[axis] = sizes[1];
        values!(x, w, b);
        tensor(linear::forward(x, w, b, rows, sizes), shape)
    }

    fn layer_group_norm(
        x: FlexTensor,
        gamma: FlexTensor,
        beta: FlexTensor,
        groups: usize,
        epsilon: f64,
        silu: bool,
    ) -> FlexTensor {
        let shape = norm_shape(&x, Some(groups), epsilon, silu);
        let out = x.layout().shape().clone();
        values!(x, gamma, beta);
        tensor(norm::forward(x, gamma, beta, shape), out)
    }

    fn layer_layer_norm(
        x: FlexTensor,
        gamma: FlexTensor,
        beta: FlexTensor,
        epsilon: f64,
    ) -> FlexTensor {
        let shape = norm_shape(&x, None, epsilon, false);
        let out = x.layout().shape().clone();
        values!(x, gamma, beta);
        tensor(norm::forward(x, gamma, beta, shape), out)
    }

    fn layer_attention(
        q: FlexTensor,
        k: FlexTensor,
        v: FlexTensor,
        heads: usize,
        causal: bool,
    ) -> FlexTensor {
        let shape = attention_shape(&q, &k, heads, causal);
        let out = q.layout().shape().clone();
        values!(q, k, v);
        tensor(attention::forward(q, k, v, shape), out)
    }

    fn layer_geglu(x: FlexTensor) -> FlexTensor {
        let inner = last(&x) / 2;
        let mut shape = x.layout().shape().clone();
        let axis = shape.num_dims() - 1;
        shape[axis] = inner;
        values!(x);
        tensor(activation::geglu(x, inner), shape)
    }

    fn layer_silu(x: FlexTensor) -> FlexTensor {
        let shape = x.layout().shape().clone();
        values!(x);
        tensor(activation::silu(x.to_vec()), shape)
    }

    fn layer_gelu(x: FlexTensor) -> FlexTensor {
        let shape = x.layout().shape().clone();
        values!(x);
        tensor(activation::gelu_all(x), shape)
    }
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
        let (x_dims, channels) = (x.layout().shape().clone(), last(&gamma));
        values!(x, gamma, beta, dy);
        let (dx, dgamma, dbeta) = norm::backward(x, gamma, beta, dy.to_vec(), shape);
        [tensor(dx, x_dims), tensor(dgamma, [channels]), tensor(dbeta, [channels])]
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
        values!(x, dy);
        let dx = match operation {
            Elementwise::Geglu => activation::geglu_backward(x, dy, inner),
            Elementwise::Silu => activation::silu_backward(x, dy.to_vec()),
            Elementwise::Gelu => activation::gelu_backward(x, dy),
        };
        tensor(dx, shape)
    }
}
