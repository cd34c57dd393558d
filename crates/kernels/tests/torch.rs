//! PyTorch's kernels and their gradients, against the CPU's.

use burn::module::{Module, ModuleMapper, Param};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{
    GroupNorm, GroupNormConfig, LayerNorm, LayerNormConfig, Linear, LinearConfig, PaddingConfig2d,
};
use burn::tensor::{Device, Gradients, Tensor, TensorData};
use kernels::{
    TorchGraph, attention, conv2d, doubled_conv2d, geglu, gelu, group_norm, group_norm_silu_conv2d,
    layer_norm, linear, linear_to_features, silu,
};

/// One layer of every kind.
#[derive(Module, Debug)]
struct Layers {
    strided: Conv2d,
    around: Conv2d,
    doubled: Conv2d,
    groups: GroupNorm,
    affine: Linear,
    wide: Linear,
    rows: LayerNorm,
}

/// Numbers between -1 and 1 that repeat nowhere, the same on every device.
fn numbers<const D: usize>(shape: [usize; D], phase: f32, device: &Device) -> Tensor<D> {
    let count = shape.iter().product();
    let values: Vec<f32> = (0..count).map(|i| (0.37 * i as f32 + phase).sin()).collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}

/// Sets parameters to [`numbers`].
struct Numbered<'a>(&'a Device, f32);

impl ModuleMapper for Numbered<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        self.1 += 1.0;
        let values = numbers(param.lazy_shape().dims(), self.1, self.0);
        let id = param.id;
        param.transform_for_load(values * 0.5, id)
    }
}

/// Calls `of` with every parameter's gradient.
fn parameter_gradients(layers: &Layers, gradients: &Gradients) -> Vec<Vec<f32>> {
    let values = |tensor: TensorData| tensor.iter::<f32>().collect();
    let mut found = Vec::new();
    for conv in [&layers.strided, &layers.around, &layers.doubled] {
        found.push(values(conv.weight.val().grad(gradients).unwrap().into_data()));
        let bias = conv.bias.as_ref().unwrap();
        found.push(values(bias.val().grad(gradients).unwrap().into_data()));
    }
    let norm = &layers.groups;
    for param in [norm.gamma.as_ref().unwrap(), norm.beta.as_ref().unwrap(), &layers.rows.gamma] {
        found.push(values(param.val().grad(gradients).unwrap().into_data()));
    }
    for layer in [&layers.affine, &layers.wide] {
        found.push(values(layer.weight.val().grad(gradients).unwrap().into_data()));
    }
    found
}

/// All operations after one another: the result, and the gradients of input and parameters.
fn run(device: &Device) -> Vec<Vec<f32>> {
    let device = device.clone().autodiff();
    let padded = |config: Conv2dConfig| {
        config.with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1)).init(&device)
    };
    let layers = Layers {
        strided: padded(Conv2dConfig::new([6, 8], [3, 3]).with_stride([2, 2])),
        around: padded(Conv2dConfig::new([8, 8], [3, 3])),
        doubled: padded(Conv2dConfig::new([8, 8], [3, 3])),
        groups: GroupNormConfig::new(4, 8).init(&device),
        affine: LinearConfig::new(8, 8).init(&device),
        wide: LinearConfig::new(8, 16).with_bias(false).init(&device),
        rows: LayerNormConfig::new(8).init(&device),
    };
    let layers = layers.map(&mut Numbered(&device, 0.0));
    let input = numbers([2, 6, 8, 6], 0.5, &device).require_grad();
    let x = conv2d(&layers.strided, input.clone());
    let addend = numbers([2, 8, 1, 1], 0.2, &device);
    let x = group_norm_silu_conv2d(&layers.groups, &layers.around, x, Some(addend));
    let x = silu(group_norm(&layers.groups, x));
    let x = doubled_conv2d(&layers.doubled, x);
    let [batch, channels, height, width] = x.dims();
    let tokens: Tensor<3> = x.reshape([batch, channels, height * width]).swap_dims(1, 2);
    let beta = layers.rows.beta.as_ref().unwrap().val();
    let tokens = layer_norm(tokens, layers.rows.gamma.val(), beta, 1e-5);
    let context = linear(&layers.affine, numbers([batch, 5, channels], 0.9, &device));
    let tokens = tokens.clone() + attention(tokens, context.clone(), context, 2, false);
    let tokens = tokens.clone() + attention(tokens.clone(), tokens.clone(), tokens, 4, true);
    let tokens = gelu(geglu(linear(&layers.wide, tokens)));
    let features = linear_to_features(&layers.affine, tokens);
    let told = numbers(features.dims(), 0.1, &device);
    let gradients = (features.clone() * told).sum().backward();
    let mut found = parameter_gradients(&layers, &gradients);
    found.push(input.grad(&gradients).unwrap().into_data().iter().collect());
    found.push(features.into_data().iter().collect());
    found
}

#[test]
fn values_and_gradients_are_those_of_the_cpu() {
    let (ours, theirs) = (run(&Device::flex()), run(&Device::libtorch()));
    assert_eq!(ours.len(), theirs.len());
    for (number, (ours, theirs)) in ours.iter().zip(&theirs).enumerate() {
        assert_eq!(ours.len(), theirs.len());
        let largest = ours.iter().fold(0.0f32, |largest, value| largest.max(value.abs()));
        let error = ours.iter().zip(theirs).fold(0.0f32, |most, (a, b)| most.max((a - b).abs()));
        assert!(error < 1e-4 * largest, "{number}: {error} of {largest}");
    }
}

#[test]
fn graph_gives_the_gradients_of_autodiff_and_zeros_for_what_is_not_used() {
    let device = Device::libtorch();
    let (values, factor) = (numbers([2, 3, 8], 0.3, &device), numbers([8], 0.7, &device));
    let compute = |values: Tensor<3>, factor: Tensor<1>| {
        let normed = layer_norm(gelu(values.clone()), factor.clone(), factor, 1e-5);
        // burn would write this sum over the values, which GELU's gradient needs.
        let sum = values + normed;
        (sum.clone() * sum).sum()
    };
    let expected: Vec<f32> = {
        let values = Tensor::from_inner(values.clone()).require_grad();
        let factor = Tensor::from_inner(factor.clone()).require_grad();
        let gradients = compute(values.clone(), factor.clone()).backward();
        let [of_values, of_factor] = [
            values.grad(&gradients).unwrap().into_data(),
            factor.grad(&gradients).unwrap().into_data(),
        ];
        of_values.iter().chain(of_factor.iter()).chain([0.0; 4]).collect()
    };
    let mut graph = TorchGraph::record();
    let (values, factor) = (graph.leaf(values), graph.leaf(factor));
    let _unused = graph.leaf(numbers([4], 0.1, &device));
    let (gradient, _) = graph.gradient(compute(values, factor));
    let gradient: Vec<f32> = gradient.into_data().iter().collect();
    assert_eq!(gradient.len(), expected.len());
    for (found, expected) in gradient.iter().zip(&expected) {
        let error = (found - expected).abs();
        assert!(error <= 1e-4 * expected.abs().max(1e-2), "{found} {expected}");
    }
}
