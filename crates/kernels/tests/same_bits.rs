//! The same bits whatever else is computed at the same time.

use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{GroupNormConfig, Linear, LinearConfig, PaddingConfig2d};
use burn::tensor::{Device, Distribution, Tensor, TensorData};
use kernels as ops;

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
        let all_gated = ops::linear_geglu(&linear, rows.clone());
        for sample in 0..9 {
            let one = ops::conv2d(&conv, x.clone().narrow(0, sample, 1));
            assert_eq!(one.into_data(), all.clone().narrow(0, sample, 1).into_data());
            let one = ops::linear(&linear, rows.clone().narrow(0, sample, 1));
            assert_eq!(one.into_data(), all_rows.clone().narrow(0, sample, 1).into_data());
            let one = ops::linear_geglu(&linear, rows.clone().narrow(0, sample, 1));
            assert_eq!(one.into_data(), all_gated.clone().narrow(0, sample, 1).into_data());
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
        (conv(channels), GroupNormConfig::new(8, channels).init(&device), input)
    });
    let run = |first: usize, count: usize| -> Vec<TensorData> {
        let part = |x: &Tensor<4>| x.clone().narrow(0, first, count);
        let mut all: Vec<TensorData> = Vec::new();
        for (conv, norm, input) in &cases {
            let input = part(input);
            all.push(ops::conv2d(conv, input.clone()).into_data());
            let added = Some(input.clone());
            all.push(ops::group_norm_silu_conv2d(norm, conv, input, added).into_data());
        }
        all.push(ops::linear_geglu(&linear, rows.clone().narrow(0, first, count)).into_data());
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

/// Gradients are sums over the batch, but their order is the same for any number of threads.
#[test]
fn gradients_do_not_depend_on_threads() {
    let device = Device::flex().autodiff();
    let conv: Conv2d = Conv2dConfig::new([24, 40], [3, 3])
        .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
        .init(&device);
    let norm = GroupNormConfig::new(8, 24).init(&device);
    let linear: Linear = LinearConfig::new(40, 48).init(&device);
    let normal = Distribution::Normal(0.0, 1.0);
    let x = Tensor::<4>::random([9, 24, 16, 16], normal, &device).require_grad();
    let run = || -> Vec<TensorData> {
        let y = ops::group_norm_silu_conv2d(&norm, &conv, x.clone(), None);
        let rows: Tensor<3> = y.reshape([9, 40, 256]).swap_dims(1, 2);
        let rows = ops::linear(&linear, rows);
        let attended = ops::attention(rows.clone(), rows.clone(), rows, 4, false);
        let gradients = attended.square().sum().backward();
        let of = |tensor: Tensor<4>| tensor.grad(&gradients).unwrap().into_data();
        let vector = |tensor: Tensor<1>| tensor.grad(&gradients).unwrap().into_data();
        vec![
            of(x.clone()),
            of(conv.weight.val()),
            vector(conv.bias.as_ref().unwrap().val()),
            vector(norm.gamma.as_ref().unwrap().val()),
            linear.weight.val().grad(&gradients).unwrap().into_data(),
            vector(linear.bias.as_ref().unwrap().val()),
        ]
    };
    let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    let one = pool(1).install(run);
    for threads in [2, 3] {
        assert!(pool(threads).install(run) == one, "{threads} threads");
    }
}
