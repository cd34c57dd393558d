//! What the kernels need to know of their operands' shapes.

use burn_flex::FlexTensor;

use crate::cpu::attention::AttentionShape;
use crate::cpu::conv::ConvShape;
use crate::cpu::norm::NormShape;

pub(crate) fn dims<const D: usize>(tensor: &FlexTensor) -> [usize; D] {
    tensor.layout().shape().dims()
}

pub(crate) fn last(tensor: &FlexTensor) -> usize {
    tensor.layout().shape().as_slice().last().copied().unwrap_or(1)
}

/// Rows of one sample: the dimensions between the first and the last.
pub(crate) fn rows_per_sample(tensor: &FlexTensor) -> usize {
    let shape = tensor.layout().shape();
    let dims = shape.as_slice();
    if dims.len() < 3 { 1 } else { dims[1..dims.len() - 1].iter().product() }
}

/// The contiguous `[batch, channels, rows]` of which `tensor` is a view `[batch, rows, channels]`.
pub(crate) fn turned_back(tensor: &FlexTensor) -> Option<FlexTensor> {
    if tensor.layout().num_dims() != 3 || tensor.is_contiguous() {
        return None;
    }
    Some(tensor.transpose(1, 2)).filter(FlexTensor::is_contiguous)
}

pub(crate) fn conv_shape(
    x: &FlexTensor,
    w: &FlexTensor,
    stride: usize,
    padding: [usize; 2],
) -> ConvShape {
    let [out, _, height, width] = dims(w);
    ConvShape::new(dims(x), out, [height, width], stride, padding)
}

pub(crate) fn norm_shape(
    x: &FlexTensor,
    groups: Option<usize>,
    epsilon: f64,
    silu: bool,
) -> NormShape {
    match groups {
        Some(groups) => {
            let shape = x.layout().shape();
            let channels = shape.as_slice()[1];
            let positions = shape.as_slice()[2..].iter().product();
            NormShape { groups, channels: channels / groups, positions, epsilon, silu }
        }
        None => NormShape { groups: 1, channels: last(x), positions: 1, epsilon, silu },
    }
}

pub(crate) fn attention_shape(
    q: &FlexTensor,
    k: &FlexTensor,
    heads: usize,
    causal: bool,
) -> AttentionShape {
    let [batch, tokens, channels] = dims(q);
    let [_, context, _] = dims(k);
    AttentionShape { batch, tokens, context, channels, heads, causal }
}
