use burn::tensor::{Device, Tensor, TensorData};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

/// Channels, height and width of the latents to fill.
pub type InitialNoise = [usize; 3];

/// Gaussian noise, one sample per seed, each from a stream of its own: a sample depends on its
/// seed and shape alone, never on its batch.
///
/// # Shapes
/// - output: `[seeds.len(), channels, height, width]`
pub fn initial_noise(seeds: &[u64], shape: InitialNoise, device: &Device) -> Tensor<4> {
    let [channels, height, width] = shape;
    let values: Vec<f32> = seeds
        .iter()
        .flat_map(|seed| {
            ChaCha8Rng::seed_from_u64(*seed)
                .sample_iter::<f32, _>(StandardNormal)
                .take(channels * height * width)
        })
        .collect();
    let shape = [seeds.len(), channels, height, width];
    Tensor::from_data(TensorData::new(values, shape), (device, burn::tensor::DType::F32))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn initial_noise_sample_is_the_same_in_every_batch() {
        let device = Device::flex();
        let both = initial_noise(&[7, 42], [4, 3, 5], &device);
        let one = initial_noise(&[42], [4, 3, 5], &device);
        assert_eq!(both.narrow(0, 1, 1).into_data(), one.into_data());
    }
}
