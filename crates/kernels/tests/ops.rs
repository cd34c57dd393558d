//! The CPU kernels against burn's own operations, forward and backward.

use burn::module::{Module, ModuleVisitor, Param};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{
    GroupNorm, GroupNormConfig, LayerNorm, LayerNormConfig, Linear, LinearConfig, PaddingConfig2d,
};
use burn::tensor::ops::AttentionModuleOptions;
use burn::tensor::{Bool, Device, Distribution, Tensor, activation, module};
use kernels as ops;

fn random<const D: usize>(shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::<D>::random(shape, Distribution::Normal(0.2, 1.0), device).require_grad()
}

fn device() -> Device {
    Device::flex().autodiff()
}

/// The kernel with the parameters of a module whose epsilon is 1e-5.
fn layer_norm(layer: &LayerNorm, x: Tensor<3>) -> Tensor<3> {
    let beta = layer.beta.as_ref().unwrap();
    ops::layer_norm(x, layer.gamma.val(), beta.val(), 1e-5)
}

fn largest<const D: usize>(difference: Tensor<D>) -> f32 {
    difference.abs().max().into_scalar::<f32>()
}

/// Compares two functions of the same inputs: values, and gradients of a random projection.
fn compare<const D: usize>(
    name: &str,
    inputs: &[Tensor<3>],
    ours: impl Fn(&[Tensor<3>]) -> Tensor<D>,
    theirs: impl Fn(&[Tensor<3>]) -> Tensor<D>,
) {
    let (a, b) = (ours(inputs), theirs(inputs));
    assert_eq!(a.dims(), b.dims(), "{name}");
    assert!(largest(a.clone() - b.clone()) < 2e-5, "{name}: {}", largest(a - b));
    let projection = random(ours(inputs).dims(), &device()).detach();
    let gradients_a = (ours(inputs) * projection.clone()).sum().backward();
    let gradients_b = (theirs(inputs) * projection).sum().backward();
    for (i, input) in inputs.iter().enumerate() {
        let a = input.grad(&gradients_a).unwrap();
        let b = input.grad(&gradients_b).unwrap();
        let error = largest(a - b.clone()) / largest(b).max(1.0);
        assert!(error < 2e-5, "{name}: gradient of input {i}: {error}");
    }
}

/// Compares the gradients of a module's parameters under two losses.
fn compare_parameters<M: Module>(name: &str, module: &M, ours: Tensor<1>, theirs: Tensor<1>) {
    struct Gradients<'a>(&'a burn::tensor::Gradients, Vec<Vec<f32>>);
    impl ModuleVisitor for Gradients<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.1.push(param.val().grad(self.0).unwrap().into_data().try_to_vec().unwrap());
        }
    }
    let collect = |loss: Tensor<1>| {
        let gradients = loss.backward();
        let mut visitor = Gradients(&gradients, Vec::new());
        module.visit(&mut visitor);
        visitor.1
    };
    for (a, b) in collect(ours).into_iter().zip(collect(theirs)) {
        let scale = b.iter().fold(1.0f32, |m, v| m.max(v.abs()));
        for (a, b) in a.iter().zip(&b) {
            assert!((a - b).abs() / scale < 2e-5, "{name}: {a} and {b}");
        }
    }
}

#[test]
fn conv2d_sizes_strides_and_kernels_match_burn() {
    let device = device();
    for (channels, out, kernel, stride, padding, [height, width], batch) in [
        (3, 5, 3, 1, 1, [7, 9], 2),
        (4, 6, 3, 2, 1, [7, 6], 3),
        (4, 6, 3, 2, 0, [9, 8], 2),
        (6, 4, 1, 1, 0, [5, 4], 2),
        (8, 8, 3, 1, 1, [2, 2], 11),
        (2, 3, 3, 1, 1, [1, 1], 1),
        (2, 3, 3, 1, 1, [40, 33], 2),
        (130, 4, 3, 1, 1, [60, 60], 1),
    ] {
        let conv: Conv2d = Conv2dConfig::new([channels, out], [kernel, kernel])
            .with_stride([stride, stride])
            .with_padding(PaddingConfig2d::Explicit(padding, padding, padding, padding))
            .init(&device);
        let x = random([batch, channels, height * width], &device);
        let map = |x: &[Tensor<3>]| x[0].clone().reshape([batch, channels, height, width]);
        let name = format!("{channels}→{out} {kernel}×{kernel}/{stride} {height}×{width}");
        compare(
            &name,
            std::slice::from_ref(&x),
            |x| ops::conv2d(&conv, map(x)),
            |x| conv.forward(map(x)),
        );
        let x = [x];
        let weighted = |y: Tensor<4>| {
            let shape = y.dims();
            let count = shape.iter().product::<usize>() as i64;
            let weights = Tensor::<1, burn::tensor::Int>::arange(0..count, &device)
                .float()
                .sin()
                .reshape(shape);
            (y * weights).sum()
        };
        compare_parameters(
            &name,
            &conv,
            weighted(ops::conv2d(&conv, map(&x))),
            weighted(conv.forward(map(&x))),
        );
    }
}

#[test]
fn linear_rows_below_and_above_a_group_match_burn() {
    let device = device();
    let layer: Linear = LinearConfig::new(7, 5).init(&device);
    for (batch, rows) in [(1, 1), (3, 4), (2, 16), (5, 3), (2, 2050)] {
        let x = random([batch, rows, 7], &device);
        let name = format!("linear {batch}×{rows}");
        compare(
            &name,
            std::slice::from_ref(&x),
            |x| ops::linear(&layer, x[0].clone()),
            |x| layer.forward(x[0].clone()),
        );
        let sine = |y: Tensor<3>| y.sin().sum();
        let (ours, theirs) = (ops::linear(&layer, x.clone()), layer.forward(x));
        compare_parameters(&name, &layer, sine(ours), sine(theirs));
    }
}

#[test]
fn linear_layers_between_features_and_tokens_match_burn() {
    let layer: Linear = LinearConfig::new(7, 5).init(&device());
    for (batch, rows) in [(3, 4), (2, 16), (1, 20), (2, 300)] {
        let features = random([batch, 7, rows], &device());
        compare(
            &format!("linear {batch}×{rows} of and to features"),
            std::slice::from_ref(&features),
            |x| ops::linear_to_features(&layer, x[0].clone().swap_dims(1, 2)).sin(),
            |x| layer.forward(x[0].clone().swap_dims(1, 2)).swap_dims(1, 2).sin(),
        );
    }
}

#[test]
fn norms_match_burn() {
    let device = device();
    let group: GroupNorm = GroupNormConfig::new(2, 6).with_epsilon(1e-6).init(&device);
    let layer: LayerNorm = LayerNormConfig::new(9).with_epsilon(1e-5).init(&device);
    let x = random([3, 6, 9], &device);
    let inputs = std::slice::from_ref(&x);
    compare(
        "group",
        inputs,
        |x| ops::group_norm(&group, x[0].clone()),
        |x| group.forward(x[0].clone()),
    );
    compare(
        "group + silu",
        inputs,
        |x| ops::group_norm_silu(&group, x[0].clone()),
        |x| activation::silu(group.forward(x[0].clone())),
    );
    compare("layer", inputs, |x| layer_norm(&layer, x[0].clone()), |x| layer.forward(x[0].clone()));
    let sine = |y: Tensor<3>| y.sin().sum();
    let ours = ops::group_norm_silu(&group, x.clone());
    let theirs = activation::silu(group.forward(x.clone()));
    compare_parameters("group", &group, sine(ours), sine(theirs));
    let (ours, theirs) = (layer_norm(&layer, x.clone()), layer.forward(x));
    compare_parameters("layer", &layer, sine(ours), sine(theirs));
}

#[test]
fn attention_plain_and_causal_match_burn() {
    let device = device();
    for (tokens, context, causal) in [(5, 3, false), (300, 7, false), (6, 6, true)] {
        let inputs = [
            random([2, tokens, 8], &device),
            random([2, context, 8], &device),
            random([2, context, 8], &device),
        ];
        let theirs = |x: &[Tensor<3>]| {
            let split = |x: &Tensor<3>| -> Tensor<4> {
                let rows = x.dims()[1];
                x.clone().reshape([2, rows, 2, 4]).swap_dims(1, 2)
            };
            let mask = causal.then(|| {
                Tensor::<2, Bool>::tril_mask([tokens, context], 0, &device)
                    .reshape([1, 1, tokens, context])
                    .expand([2, 2, tokens, context])
            });
            let options = AttentionModuleOptions::default();
            module::attention(split(&x[0]), split(&x[1]), split(&x[2]), mask, None, options)
                .swap_dims(1, 2)
                .reshape([2, tokens, 8])
        };
        let ours =
            |x: &[Tensor<3>]| ops::attention(x[0].clone(), x[1].clone(), x[2].clone(), 2, causal);
        compare(&format!("attention {tokens}×{context}"), &inputs, ours, theirs);
    }
}

#[test]
fn activations_match_burn() {
    let x = random([2, 5, 12], &device());
    let inputs = std::slice::from_ref(&x);
    compare("silu", inputs, |x| ops::silu(x[0].clone()), |x| activation::silu(x[0].clone()));
    compare("gelu", inputs, |x| ops::gelu(x[0].clone()), |x| activation::gelu(x[0].clone()));
    let theirs = |x: &[Tensor<3>]| {
        let gate = activation::gelu(x[0].clone().narrow(2, 6, 6));
        x[0].clone().narrow(2, 0, 6) * gate
    };
    compare("geglu", inputs, |x| ops::geglu(x[0].clone()), theirs);
}

#[test]
fn fused_residual_blocks_match_their_parts() {
    let device = Device::flex();
    // Winograd's of both sizes, direct products, and direct products of several samples at once.
    for (channels, outputs, size) in [(64, 96, 12), (80, 64, 26), (16, 24, 16), (16, 24, 3)] {
        let conv: Conv2d = Conv2dConfig::new([channels, outputs], [3, 3])
            .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
            .init(&device);
        let norm: GroupNorm = GroupNormConfig::new(8, channels).init(&device);
        let normal =
            |shape: [usize; 4]| Tensor::<4>::random(shape, Distribution::Normal(0.2, 1.0), &device);
        let x = normal([3, channels, size, size]);
        let parts = ops::conv2d(&conv, ops::group_norm_silu(&norm, x.clone()));
        let addends =
            [None, Some(normal([3, outputs, 1, 1])), Some(normal([3, outputs, size, size]))];
        for addend in addends {
            let fused = ops::group_norm_silu_conv2d(&norm, &conv, x.clone(), addend.clone());
            let expected = match addend {
                Some(addend) => parts.clone() + addend,
                None => parts.clone(),
            };
            let error = largest(fused - expected);
            assert!(error < 2e-5, "{channels} channels, {size}×{size}: {error}");
        }
    }
}

#[test]
fn doubled_convolutions_match_those_of_enlarged_features() {
    let device = device();
    for (channels, outputs, [height, width]) in
        [(64, 96, [6, 9]), (64, 64, [13, 17]), (5, 6, [4, 3])]
    {
        let conv: Conv2d = Conv2dConfig::new([channels, outputs], [3, 3])
            .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
            .init(&device);
        let plain = |x: Tensor<3>| x.reshape([2, channels, height, width]);
        let enlarged = |x: Tensor<3>| {
            plain(x)
                .reshape([2, channels, height, 1, width, 1])
                .expand([2, channels, height, 2, width, 2])
                .reshape([2, channels, 2 * height, 2 * width])
        };
        let x = random([2, channels, height * width], &device);
        compare(
            "doubled convolution",
            std::slice::from_ref(&x),
            |x| ops::doubled_conv2d(&conv, plain(x[0].clone())),
            |x| ops::conv2d(&conv, enlarged(x[0].clone())),
        );
        // Without gradients the enlarged features are never stored.
        let conv = conv.valid();
        let x = x.inner();
        let error =
            largest(ops::doubled_conv2d(&conv, plain(x.clone())) - ops::conv2d(&conv, enlarged(x)));
        assert!(error == 0.0, "{channels} channels: {error}");
    }
}
