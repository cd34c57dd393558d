//! The CPU kernels against burn's own operations, forward and backward.

use burn::module::{Module, ModuleVisitor, Param};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{
    GroupNorm, GroupNormConfig, LayerNorm, LayerNormConfig, Linear, LinearConfig, PaddingConfig2d,
};
use burn::tensor::ops::AttentionModuleOptions;
use burn::tensor::{Bool, Device, Distribution, Tensor, TensorData, activation, module};
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
fn forward_results_do_not_depend_on_the_batch() {
    let device = Device::flex();
    let conv: Conv2d = Conv2dConfig::new([16, 24], [3, 3])
        .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
        .init(&device);
    let linear: Linear = LinearConfig::new(48, 40).init(&device);
    for size in [1, 2, 4, 16] {
        let x = Tensor::<4>::random([9, 16, size, size], Distribution::Normal(0.0, 1.0), &device);
        let all = ops::conv2d(&conv, x.clone());
        let rows = Tensor::<3>::random([9, size, 48], Distribution::Normal(0.0, 1.0), &device);
        let all_rows = ops::linear(&linear, rows.clone());
        for sample in 0..9 {
            let one = ops::conv2d(&conv, x.clone().narrow(0, sample, 1));
            assert_eq!(one.into_data(), all.clone().narrow(0, sample, 1).into_data());
            let one = ops::linear(&linear, rows.clone().narrow(0, sample, 1));
            assert_eq!(one.into_data(), all_rows.clone().narrow(0, sample, 1).into_data());
        }
    }
}

/// Large enough for Winograd's convolutions of both sizes, for attention in parts, and for linear
/// layers that are shared out.
#[test]
fn large_forward_results_depend_on_neither_batch_nor_threads() {
    let device = Device::flex();
    let conv = |channels: usize| -> Conv2d {
        Conv2dConfig::new([channels, channels], [3, 3])
            .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
            .init(&device)
    };
    let linear: Linear = LinearConfig::new(320, 256).init(&device);
    let normal = Distribution::Normal(0.0, 1.0);
    let rows = Tensor::<3>::random([3, 300, 320], normal, &device);
    let attended = [(); 3].map(|_| Tensor::<3>::random([3, 300, 128], normal, &device));
    let cases = [(64, 12), (64, 33), (128, 16), (320, 13)].map(|(channels, size)| {
        let input = Tensor::<4>::random([3, channels, size, size], normal, &device);
        (conv(channels), input)
    });
    let run = |first: usize, count: usize| -> Vec<TensorData> {
        let part = |x: &Tensor<4>| x.clone().narrow(0, first, count);
        let mut all: Vec<TensorData> =
            cases.iter().map(|(conv, input)| ops::conv2d(conv, part(input)).into_data()).collect();
        all.push(ops::linear(&linear, rows.clone().narrow(0, first, count)).into_data());
        let [q, k, v] = attended.each_ref().map(|x| x.clone().narrow(0, first, count));
        all.push(ops::attention(q, k, v, 2, false).into_data());
        all
    };
    let of = |data: &TensorData, sample: usize| -> Vec<u32> {
        let values: Vec<f32> = data.iter::<f32>().collect();
        let each = values.len() / 3;
        values[sample * each..(sample + 1) * each].iter().map(|value| value.to_bits()).collect()
    };
    let together = run(0, 3);
    for threads in [1, 2, 3] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        for (again, first) in pool.install(|| run(0, 3)).iter().zip(&together) {
            assert!(again == first, "{threads} threads");
        }
        for sample in 0..3 {
            let alone = pool.install(|| run(sample, 1));
            for (number, (alone, together)) in alone.iter().zip(&together).enumerate() {
                let alone: Vec<u32> = alone.iter::<f32>().map(f32::to_bits).collect();
                assert!(alone == of(together, sample), "case {number}, {threads} threads");
            }
        }
    }
}
