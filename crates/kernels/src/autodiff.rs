//! How the kernels are differentiated: each operation keeps its operands and calls its own
//! backward kernel.

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::ops::FloatTensorOps;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, TensorMetadata};

use crate::extension::LayerOps;
use crate::gradients::{Elementwise, LayerGradients};

/// Registers an operation of three operands whose gradients `backward` computes from `state`.
macro_rules! three_operands {
    ($name:ident, [$($operand:ident),*], $state:ty, $state_value:expr, $forward:expr, |$kept:ident, $dy:ident| $backward:expr) => {{
        #[derive(Debug)]
        struct $name;
        impl<B: LayerGradients> Backward<B, 3> for $name {
            type State = $state;
            fn backward(
                self,
                ops: Ops<Self::State, 3>,
                gradients: &mut Gradients,
                _checkpointer: &mut Checkpointer,
            ) {
                let $kept = ops.state;
                let $dy = gradients.consume::<B>(&ops.node);
                let computed: [FloatTensor<B>; 3] = $backward;
                for (parent, gradient) in ops.parents.into_iter().zip(computed) {
                    if let Some(node) = parent {
                        gradients.register::<B>(node.id, gradient);
                    }
                }
            }
        }
        match $name.prepare::<C>([$($operand.node()),*]).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => prepared.finish($state_value, $forward),
            OpsKind::UnTracked(prepared) => prepared.finish($forward),
        }
    }};
}

/// Registers an element-wise operation.
macro_rules! elementwise {
    ($name:ident, $x:ident, $forward:ident) => {{
        #[derive(Debug)]
        struct $name;
        impl<B: LayerGradients> Backward<B, 1> for $name {
            type State = FloatTensor<B>;
            fn backward(
                self,
                ops: Ops<Self::State, 1>,
                gradients: &mut Gradients,
                _checkpointer: &mut Checkpointer,
            ) {
                let dy = gradients.consume::<B>(&ops.node);
                let [parent] = ops.parents;
                if let Some(node) = parent {
                    let dx = B::layer_elementwise_backward(Elementwise::$name, ops.state, dy);
                    gradients.register::<B>(node.id, dx);
                }
            }
        }
        match $name.prepare::<C>([$x.node()]).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => {
                prepared.finish($x.primitive().clone(), B::$forward($x.into_primitive()))
            }
            OpsKind::UnTracked(prepared) => prepared.finish(B::$forward($x.into_primitive())),
        }
    }};
}

impl<B: LayerGradients, C: CheckpointStrategy> LayerOps for Autodiff<B, C> {
    fn layer_conv(
        x: FloatTensor<Self>,
        w: FloatTensor<Self>,
        b: FloatTensor<Self>,
        stride: usize,
        padding: [usize; 2],
    ) -> FloatTensor<Self> {
        three_operands!(
            Conv,
            [x, w, b],
            ([FloatTensor<B>; 2], usize, [usize; 2]),
            ([x.primitive().clone(), w.primitive().clone()], stride, padding),
            B::layer_conv(
                x.into_primitive(),
                w.into_primitive(),
                b.into_primitive(),
                stride,
                padding
            ),
            |kept, dy| B::layer_conv_backward(kept.0, dy, kept.1, kept.2)
        )
    }

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
    ) -> FloatTensor<Self> {
        let normed = Self::layer_group_norm(x, gamma, beta, groups, epsilon, true);
        Self::float_add(Self::layer_conv(normed, w, b, 1, padding), addend)
    }

    fn layer_doubled_conv(
        x: FloatTensor<Self>,
        w: FloatTensor<Self>,
        b: FloatTensor<Self>,
        padding: [usize; 2],
    ) -> FloatTensor<Self> {
        let [batch, channels, height, width] = x.primitive().shape().dims();
        // Repeating rows and columns is cheap to differentiate.
        let x = Self::float_reshape(x, [batch, channels, height, 1, width, 1].into());
        let x = Self::float_expand(x, [batch, channels, height, 2, width, 2].into());
        let x = Self::float_reshape(x, [batch, channels, 2 * height, 2 * width].into());
        Self::layer_conv(x, w, b, 1, padding)
    }

    fn layer_linear(
        x: FloatTensor<Self>,
        w: FloatTensor<Self>,
        b: FloatTensor<Self>,
        turned: bool,
    ) -> FloatTensor<Self> {
        three_operands!(
            Linear,
            [x, w, b],
            [FloatTensor<B>; 2],
            [x.primitive().clone(), w.primitive().clone()],
            B::layer_linear(x.into_primitive(), w.into_primitive(), b.into_primitive(), turned),
            |kept, dy| B::layer_linear_backward(kept, dy)
        )
    }

    fn layer_group_norm(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        groups: usize,
        epsilon: f64,
        silu: bool,
    ) -> FloatTensor<Self> {
        three_operands!(
            GroupNorm,
            [x, gamma, beta],
            ([FloatTensor<B>; 3], usize, f64, bool),
            (
                [x.primitive().clone(), gamma.primitive().clone(), beta.primitive().clone()],
                groups,
                epsilon,
                silu
            ),
            B::layer_group_norm(
                x.into_primitive(),
                gamma.into_primitive(),
                beta.into_primitive(),
                groups,
                epsilon,
                silu
            ),
            |kept, dy| B::layer_norm_backward(kept.0, dy, Some(kept.1), kept.2, kept.3)
        )
    }

    fn layer_layer_norm(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        epsilon: f64,
    ) -> FloatTensor<Self> {
        three_operands!(
            LayerNorm,
            [x, gamma, beta],
            ([FloatTensor<B>; 3], f64),
            ([x.primitive().clone(), gamma.primitive().clone(), beta.primitive().clone()], epsilon),
            B::layer_layer_norm(
                x.into_primitive(),
                gamma.into_primitive(),
                beta.into_primitive(),
                epsilon
            ),
            |kept, dy| B::layer_norm_backward(kept.0, dy, None, kept.1, false)
        )
    }

    fn layer_attention(
        q: FloatTensor<Self>,
        k: FloatTensor<Self>,
        v: FloatTensor<Self>,
        heads: usize,
        causal: bool,
    ) -> FloatTensor<Self> {
        three_operands!(
            Attend,
            [q, k, v],
            ([FloatTensor<B>; 3], usize, bool),
            ([q.primitive().clone(), k.primitive().clone(), v.primitive().clone()], heads, causal),
            B::layer_attention(
                q.into_primitive(),
                k.into_primitive(),
                v.into_primitive(),
                heads,
                causal
            ),
            |kept, dy| B::layer_attention_backward(kept.0, dy, kept.1, kept.2)
        )
    }

    fn layer_geglu(x: FloatTensor<Self>) -> FloatTensor<Self> {
        elementwise!(Geglu, x, layer_geglu)
    }

    fn layer_silu(x: FloatTensor<Self>) -> FloatTensor<Self> {
        elementwise!(Silu, x, layer_silu)
    }

    fn layer_gelu(x: FloatTensor<Self>) -> FloatTensor<Self> {
        elementwise!(Gelu, x, layer_gelu)
    }
}
