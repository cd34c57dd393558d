//! The operations on burn's LibTorch backend, by PyTorch's own kernels; gradients by its autograd.

use burn::backend::libtorch::{LibTorch, TchTensor};
use tch::{Kind, Tensor};

use crate::extension::LayerOps;
use crate::gradients::{Elementwise, LayerGradients};
use crate::torch_graph::made;

fn int(value: usize) -> i64 {
    value as i64
}

fn conv(x: &Tensor, w: &Tensor, b: &Tensor, stride: usize, padding: [usize; 2]) -> Tensor {
    let stride = [int(stride); 2];
    x.conv2d(w, Some(b), stride, padding.map(int), [1, 1], 1)
}

/// GroupNorm with `groups`, else LayerNorm over the last dimension; then SiLU where asked.
fn norm([x, gamma, beta]: [&Tensor; 3], groups: Option<usize>, epsilon: f64, silu: bool) -> Tensor {
    let normed = match groups {
        Some(groups) => x.group_norm(int(groups), Some(gamma), Some(beta), epsilon, true),
        None => x.layer_norm(gamma.size(), Some(gamma), Some(beta), epsilon, true),
    };
    if silu { normed.silu() } else { normed }
}

fn attend([q, k, v]: [&Tensor; 3], heads: usize, causal: bool) -> Tensor {
    let split = |x: &Tensor| {
        let size = x.size();
        x.reshape([size[0], size[1], int(heads), size[2] / int(heads)]).transpose(1, 2)
    };
    let none = None::<&Tensor>;
    let mixed = Tensor::scaled_dot_product_attention(
        &split(q),
        &split(k),
        &split(v),
        none,
        0.0,
        causal,
        None,
        false,
    );
    mixed.transpose(1, 2).reshape(q.size())
}

fn geglu(x: &Tensor) -> Tensor {
    let halves = x.chunk(2, -1);
    &halves[0] * halves[1].gelu("none")
}

/// The product of what `dy` says of `operation`'s result with its derivatives by `inputs`.
fn gradients<const N: usize>(
    inputs: [&TchTensor; N],
    dy: &TchTensor,
    operation: impl FnOnce([&Tensor; N]) -> Tensor,
) -> [TchTensor; N] {
    let leaves = inputs.map(|input| input.tensor.detach().set_requires_grad(true));
    let told = (operation(leaves.each_ref()) * &dy.tensor).sum(None::<Kind>);
    let mut found = Tensor::run_backward(&[told], &leaves, false, false).into_iter();
    inputs.map(|input| TchTensor::new(found.next().unwrap_or_else(|| input.tensor.zeros_like())))
}

impl LayerOps for LibTorch {
    fn layer_conv(
        x: TchTensor,
        w: TchTensor,
        b: TchTensor,
        stride: usize,
        padding: [usize; 2],
    ) -> TchTensor {
        made([&x, &w, &b], conv(&x.tensor, &w.tensor, &b.tensor, stride, padding))
    }

    fn layer_norm_conv_add(
        x: TchTensor,
        gamma: TchTensor,
        beta: TchTensor,
        w: TchTensor,
        b: TchTensor,
        addend: TchTensor,
        groups: usize,
        epsilon: f64,
        padding: [usize; 2],
    ) -> TchTensor {
        let inputs = [&x.tensor, &gamma.tensor, &beta.tensor];
        let normed = norm(inputs, Some(groups), epsilon, true);
        let y = conv(&normed, &w.tensor, &b.tensor, 1, padding) + &addend.tensor;
        made([&x, &gamma, &beta, &w, &b, &addend], y)
    }

    fn layer_doubled_conv(
        x: TchTensor,
        w: TchTensor,
        b: TchTensor,
        padding: [usize; 2],
    ) -> TchTensor {
        let size = x.tensor.size();
        let doubled = x.tensor.upsample_nearest2d([2 * size[2], 2 * size[3]], None, None);
        made([&x, &w, &b], conv(&doubled, &w.tensor, &b.tensor, 1, padding))
    }

    fn layer_linear(x: TchTensor, w: TchTensor, b: TchTensor, _turned: bool) -> TchTensor {
        let mut size = x.tensor.size();
        let rows = x.tensor.reshape([-1, w.tensor.size()[0]]);
        if let Some(last) = size.last_mut() {
            *last = w.tensor.size()[1];
        }
        made([&x, &w, &b], b.tensor.addmm(&rows, &w.tensor).reshape(size))
    }

    fn layer_group_norm(
        x: TchTensor,
        gamma: TchTensor,
        beta: TchTensor,
        groups: usize,
        epsilon: f64,
        silu: bool,
    ) -> TchTensor {
        let inputs = [&x.tensor, &gamma.tensor, &beta.tensor];
        made([&x, &gamma, &beta], norm(inputs, Some(groups), epsilon, silu))
    }

    fn layer_layer_norm(
        x: TchTensor,
        gamma: TchTensor,
        beta: TchTensor,
        epsilon: f64,
    ) -> TchTensor {
        let inputs = [&x.tensor, &gamma.tensor, &beta.tensor];
        made([&x, &gamma, &beta], norm(inputs, None, epsilon, false))
    }

    fn layer_attention(
        q: TchTensor,
        k: TchTensor,
        v: TchTensor,
        heads: usize,
        causal: bool,
    ) -> TchTensor {
        made([&q, &k, &v], attend([&q.tensor, &k.tensor, &v.tensor], heads, causal))
    }

    fn layer_geglu(x: TchTensor) -> TchTensor {
        made([&x], geglu(&x.tensor))
    }

    fn layer_silu(x: TchTensor) -> TchTensor {
        made([&x], x.tensor.silu())
    }

    fn layer_gelu(x: TchTensor) -> TchTensor {
        made([&x], x.tensor.gelu("none"))
    }
}

impl LayerGradients for LibTorch {
    fn layer_conv_backward(
        [x, w]: [TchTensor; 2],
        dy: TchTensor,
        stride: usize,
        padding: [usize; 2],
    ) -> [TchTensor; 3] {
        let [dx, dw] = gradients([&x, &w], &dy, |[x, w]| {
            x.conv2d(w, None::<&Tensor>, [int(stride); 2], padding.map(int), [1, 1], 1)
        });
        let db = dy.tensor.sum_dim_intlist([0i64, 2, 3].as_slice(), false, None::<Kind>);
        [dx, dw, TchTensor::new(db)]
    }

    fn layer_linear_backward([x, w]: [TchTensor; 2], dy: TchTensor) -> [TchTensor; 3] {
        let sizes = w.tensor.size();
        let rows = x.tensor.reshape([-1, sizes[0]]);
        let dy = dy.tensor.reshape([-1, sizes[1]]);
        let dx = dy.matmul(&w.tensor.tr()).reshape(x.tensor.size());
        let db = dy.sum_dim_intlist([0i64].as_slice(), false, None::<Kind>);
        [dx, rows.tr().matmul(&dy), db].map(TchTensor::new)
    }

    fn layer_norm_backward(
        [x, gamma, beta]: [TchTensor; 3],
        dy: TchTensor,
        groups: Option<usize>,
        epsilon: f64,
        silu: bool,
    ) -> [TchTensor; 3] {
        gradients([&x, &gamma, &beta], &dy, |inputs| norm(inputs, groups, epsilon, silu))
    }

    fn layer_attention_backward(
        [q, k, v]: [TchTensor; 3],
        dy: TchTensor,
        heads: usize,
        causal: bool,
    ) -> [TchTensor; 3] {
        gradients([&q, &k, &v], &dy, |inputs| attend(inputs, heads, causal))
    }

    fn layer_elementwise_backward(
        operation: Elementwise,
        x: TchTensor,
        dy: TchTensor,
    ) -> TchTensor {
        let [dx] = gradients([&x], &dy, |[x]| match operation {
            Elementwise::Geglu => geglu(x),
            Elementwise::Silu => x.silu(),
            Elementwise::Gelu => x.gelu("none"),
        });
        dx
    }
}
