//! The kernels as operations of burn's backends: its CPU backend here, LibTorch beside it.

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Flex, backend_extension};
use burn::tensor::{DType, Shape};
use burn_flex::{FlexTensor, Layout};

use crate::cpu::linear::Order;
use crate::cpu::{activation, attention, conv, gated, linear, norm};
use crate::shapes::{
    attention_shape, conv_shape, dims, last, norm_shape, rows_per_sample, turned_back,
};

/// Operations with a kernel of their own on the CPU, and with one of PyTorch's.
#[backend_extension(Flex, LibTorch: cfg(feature = "tch"), Autodiff)]
pub(crate) trait LayerOps: Backend {
    /// 2-D convolution.
    fn layer_conv(
        x: FloatTensor<Self>,
        w: FloatTensor<Self>,
        b: FloatTensor<Self>,
        stride: usize,
        padding: [usize; 2],
    ) -> FloatTensor<Self>;
    /// [`Self::layer_group_norm`] with SiLU, then [`Self::layer_conv`] of stride 1, plus `addend`
    /// of the output's shape, or of height and width 1.
    #[allow(clippy::too_many_arguments)]
    fn layer_norm_conv_add(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        w: FloatTensor<Self>,
        b: FloatTensor<Self>,
        addend: FloatTensor<Self>,
        groups: usize,
        epsilon: f64,
        padding: [usize; 2],
    ) -> FloatTensor<Self>;
    /// [`Self::layer_conv`] of stride 1 of `x` doubled in height and width, each value repeated.
    fn layer_doubled_conv(
        x: FloatTensor<Self>,
        w: FloatTensor<Self>,
        b: FloatTensor<Self>,
        padding: [usize; 2],
    ) -> FloatTensor<Self>;
    /// Affine map of the last dimension; `turned` asks for a result that is `[batch, channels,
    /// rows]` in memory, where that costs no copy.
    fn layer_linear(
        x: FloatTensor<Self>,
        w: FloatTensor<Self>,
        b: FloatTensor<Self>,
        turned: bool,
    ) -> FloatTensor<Self>;
    /// [`Self::layer_geglu`] of [`Self::layer_linear`].
    fn layer_linear_geglu(
        x: FloatTensor<Self>,
        w: FloatTensor<Self>,
        b: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        Self::layer_geglu(Self::layer_linear(x, w, b, false))
    }
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

pub(crate) fn tensor(values: Vec<f32>, shape: impl Into<Shape>) -> FlexTensor {
    let bytes = burn::tensor::Bytes::from_elems(values);
    FlexTensor::new(bytes, Layout::contiguous(shape.into()), DType::F32)
}

/// Samples of `rows` rows as they lie in memory, where a linear layer can read them so.
fn with_order(x: FlexTensor, rows: usize) -> (FlexTensor, Order) {
    match turned_back(&x).filter(|_| linear::any_order(rows)) {
        Some(x) => (x, Order::Channels),
        None => (x, Order::Rows),
    }
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

    fn layer_norm_conv_add(
        x: FlexTensor,
        gamma: FlexTensor,
        beta: FlexTensor,
        w: FlexTensor,
        b: FlexTensor,
        addend: FlexTensor,
        groups: usize,
        epsilon: f64,
        padding: [usize; 2],
    ) -> FlexTensor {
        let shape = conv_shape(&x, &w, 1, padding);
        let norm = norm_shape(&x, Some(groups), epsilon, true);
        let [channels, height, width] = shape.output;
        values!(x, gamma, beta, w, b, addend);
        let addend = if addend.len() == shape.batch * channels {
            conv::Addend::Channels(addend)
        } else {
            conv::Addend::Positions(addend)
        };
        let y = conv::normalised(x, (gamma, beta, norm), w, b, addend, shape);
        tensor(y, [shape.batch, channels, height, width])
    }

    fn layer_doubled_conv(
        x: FlexTensor,
        w: FlexTensor,
        b: FlexTensor,
        padding: [usize; 2],
    ) -> FlexTensor {
        let [batch, channels, height, width] = dims(&x);
        let [outputs, _, rows, columns] = dims(&w);
        let doubled = [batch, channels, 2 * height, 2 * width];
        let shape = conv::ConvShape::new(doubled, outputs, [rows, columns], 1, padding);
        values!(x, w, b);
        let [channels, height, width] = shape.output;
        tensor(conv::doubled(x, w, b, shape), [batch, channels, height, width])
    }

    fn layer_linear(x: FlexTensor, w: FlexTensor, b: FlexTensor, turned: bool) -> FlexTensor {
        let sizes = dims(&w);
        let rows = rows_per_sample(&x);
        let mut shape = x.layout().shape().clone();
        let axis = shape.num_dims() - 1;
        shape[axis] = sizes[1];
        let (x, from) = with_order(x, rows);
        let turned = turned && linear::any_order(rows) && shape.num_dims() == 3;
        let to = if turned { Order::Channels } else { Order::Rows };
        values!(x, w, b);
        let y = linear::forward(x, w, b, rows, sizes, [from, to]);
        if turned {
            return tensor(y, [shape[0], shape[2], shape[1]]).transpose(1, 2);
        }
        tensor(y, shape)
    }

    fn layer_linear_geglu(x: FlexTensor, w: FlexTensor, b: FlexTensor) -> FlexTensor {
        let sizes = dims(&w);
        let rows = rows_per_sample(&x);
        let mut shape = x.layout().shape().clone();
        let axis = shape.num_dims() - 1;
        shape[axis] = sizes[1] / 2;
        let (x, from) = with_order(x, rows);
        values!(x, w, b);
        tensor(gated::forward(x, w, b, rows, sizes, from), shape)
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

pub(crate) use values;
