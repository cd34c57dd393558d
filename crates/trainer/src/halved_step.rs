//! One step that arrives where two arrive.

use burn::tensor::{Device, Tensor, TensorData};

/// How much of a noised sample is signal: `x = α x₀ + σ ε`, `α² + σ² = 1`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Level {
    /// α.
    signal: f64,
    /// σ.
    sigma: f64,
}

impl Level {
    /// The level of a cumulative product ᾱ = α².
    pub(crate) fn new(alpha_cumprod: f64) -> Self {
        Self { signal: alpha_cumprod.sqrt(), sigma: (1.0 - alpha_cumprod).sqrt() }
    }
}

/// The velocity v = α ε − σ x₀ with which one DDIM step leads from the first level to the third,
/// to where two steps with `velocity` lead over the second (Salimans and Ho 2022, appendix G).
///
/// `velocity` is asked for the first (0) and the second half (1). `levels` are those of each sample
/// before, between and after the two steps.
///
/// # Shapes
/// - noised: `[batch, channels, height, width]` at the first level
/// - output: the same
pub(crate) fn halved_step(
    noised: Tensor<4>,
    levels: &[Vec<Level>; 3],
    velocity: impl Fn(usize, Tensor<4>) -> Tensor<4>,
) -> Tensor<4> {
    let device = noised.device();
    let [start, middle, end] = levels;
    let between = step(noised.clone(), velocity(0, noised.clone()), [start, middle], &device);
    let reached = step(between.clone(), velocity(1, between), [middle, end], &device);
    // From `reached = α″ x₀ + σ″ (x − α x₀) / σ` and `v = (α x − x₀) / σ`.
    let coefficient = |value: fn(Level, Level) -> f64| {
        let values = start.iter().zip(end).map(|(start, end)| value(*start, *end) as f32);
        column(values.collect(), &device)
    };
    let of_reached = coefficient(|a, b| 1.0 / (b.signal * a.sigma - b.sigma * a.signal));
    let of_noised = coefficient(|a, b| {
        (b.signal * a.signal + b.sigma * a.sigma) / (b.signal * a.sigma - b.sigma * a.signal)
    });
    noised * of_noised - reached * of_reached
}

/// A DDIM step with a velocity from one level to another.
fn step(
    sample: Tensor<4>,
    velocity: Tensor<4>,
    [from, to]: [&Vec<Level>; 2],
    device: &Device,
) -> Tensor<4> {
    // α′ x₀ + σ′ ε with x₀ = α x − σ v and ε = σ x + α v: a rotation of x and v.
    let coefficient = |value: fn(Level, Level) -> f64| {
        let values = from.iter().zip(to).map(|(from, to)| value(*from, *to) as f32);
        column(values.collect(), device)
    };
    let cosine = coefficient(|a, b| a.signal * b.signal + a.sigma * b.sigma);
    let sine = coefficient(|a, b| b.sigma * a.signal - b.signal * a.sigma);
    sample * cosine + velocity * sine
}

fn column(values: Vec<f32>, device: &Device) -> Tensor<4> {
    let shape = [values.len(), 1, 1, 1];
    Tensor::from_data(TensorData::new(values, shape), device)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halved_step_arrives_where_two_steps_do() {
        let device = Device::flex();
        let noised = column(vec![0.7, -1.2], &device);
        let levels = [[0.01, 0.3], [0.2, 0.6], [0.5, 0.9991]];
        let levels = levels.map(|row| row.map(Level::new).to_vec());
        // Any velocity that depends on the sample and on the half.
        let velocity = |half: usize, sample: Tensor<4>| sample.square() * 0.3 + (0.5 - half as f64);
        let [start, middle, end] = &levels;
        let between = step(noised.clone(), velocity(0, noised.clone()), [start, middle], &device);
        let reached = step(between.clone(), velocity(1, between), [middle, end], &device);
        let halved = halved_step(noised.clone(), &levels, velocity);
        let at_once = step(noised, halved, [start, end], &device);
        let error = (at_once - reached).abs().max().into_scalar::<f32>();
        assert!(error < 1e-6, "{error}");
    }

    #[test]
    fn halved_step_of_the_true_velocity_is_the_true_velocity() {
        let device = Device::flex();
        let levels = [0.01, 0.2, 0.9].map(|alpha| vec![Level::new(alpha)]);
        let (picture, noise) = (0.4, -0.8);
        let sample = |level: Level| level.signal * picture + level.sigma * noise;
        let true_velocity = |level: Level| level.signal * noise - level.sigma * picture;
        let noised = column(vec![sample(levels[0][0]) as f32], &device);
        let velocity = |half: usize, _: Tensor<4>| {
            column(vec![true_velocity(levels[half][0]) as f32], &device)
        };
        let halved = halved_step(noised, &levels, velocity).into_scalar::<f32>();
        assert!((f64::from(halved) - true_velocity(levels[0][0])).abs() < 1e-6, "{halved}");
    }
}
