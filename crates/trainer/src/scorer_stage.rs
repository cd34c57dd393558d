//! The scorer's training: both towers learn which caption belongs to which picture.

use std::ops::Range;

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData, activation::log_softmax};
use clip::{CLIPTokenizer, OpenClip, normalize};
use pictures::{Dataset, Example};
use rand::Rng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

use crate::checkpoint::CheckpointFile;
use crate::stage::{self, Progress, stream};
use crate::{ScorerRecipe, TrainError};

/// Largest factor that cosines are multiplied with, as in OpenAI's CLIP.
const MAX_SCALE: f64 = 100.0;

/// The tokenised captions beside their pictures.
pub(crate) struct Pairs<'a> {
    examples: &'a [Example],
    size: usize,
    with_style: Vec<Vec<u32>>,
    without_style: Vec<Vec<u32>>,
}

impl<'a> Pairs<'a> {
    pub(crate) fn new(data: &'a Dataset, tokenizer: &CLIPTokenizer, tokens: usize) -> Self {
        let encode = |text: fn(&Example) -> &String| {
            data.examples.iter().map(|e| tokenizer.encode_open_clip(text(e), tokens)).collect()
        };
        Self {
            examples: &data.examples,
            size: data.size,
            with_style: encode(|example| &example.text),
            without_style: encode(|example| &example.caption),
        }
    }

    /// The picture at position `sample` of step `step`: every picture once per epoch, in an order
    /// of the epoch's own, so that a batch holds none twice.
    fn order(&self, recipe: &ScorerRecipe, step: usize, samples: Range<usize>) -> Vec<usize> {
        let count = self.examples.len();
        let mut orders: Vec<(usize, Vec<usize>)> = Vec::new();
        samples
            .map(|sample| {
                let position = step * recipe.optimizer.batch + sample;
                let (epoch, place) = (position / count, position % count);
                if orders.last().is_none_or(|(known, _)| *known != epoch) {
                    let mut order: Vec<usize> = (0..count).collect();
                    order.shuffle(&mut stream(recipe.seed ^ 0x0e0c, epoch, 0));
                    orders.push((epoch, order));
                }
                orders.last().map_or(0, |(_, order)| order[place])
            })
            .collect()
    }
}

/// Trains both towers to tell which caption belongs to which picture, resuming from `checkpoint`
/// where it exists; returns the averaged weights and the loss of every step.
///
/// # Errors
/// As [`stage::run`].
pub(crate) fn train_scorer(
    recipe: &ScorerRecipe,
    pairs: &Pairs<'_>,
    checkpoint: &CheckpointFile,
    device: &Device,
    progress: &mut dyn FnMut(Progress),
) -> Result<(OpenClip, Vec<f32>), TrainError> {
    let training = device.clone().autodiff();
    let model = stage::initialize(recipe.seed, &training, |device| {
        Ok::<_, TrainError>(recipe.model.init(device))
    })?;
    let (model, losses) =
        stage::run(model, &recipe.optimizer, checkpoint, progress, |model, step, samples| {
            loss(model, recipe, pairs, step, samples, &training)
        })?;
    Ok((model.valid(), losses))
}

/// The symmetric cross-entropy of Radford et al. 2021 among the samples of one shard.
fn loss(
    model: &OpenClip,
    recipe: &ScorerRecipe,
    pairs: &Pairs<'_>,
    step: usize,
    samples: Range<usize>,
    device: &Device,
) -> Tensor<1> {
    let (count, side) = (samples.len(), pairs.size);
    let mut pixels = Vec::with_capacity(count * 3 * side * side);
    let mut ids = Vec::with_capacity(count);
    for (sample, index) in samples.clone().zip(pairs.order(recipe, step, samples)) {
        let mut rng = stream(recipe.seed, step, sample);
        augment(&pairs.examples[index].pixels, side, recipe, &mut rng, &mut pixels);
        let plain = rng.random::<f64>() < recipe.drop_style;
        ids.push(if plain { &pairs.without_style } else { &pairs.with_style }[index].clone());
    }
    let pixels = Tensor::<4>::from_data(TensorData::new(pixels, [count, 3, side, side]), device);
    let images = normalize(model.encode_image(pixels));
    let texts = normalize(model.encode_text(&ids));
    let scale = model.logit_scale().clamp_max(MAX_SCALE.ln()).exp();
    let logits = images.matmul(texts.transpose()) * scale.unsqueeze::<2>();
    let partners = Tensor::<2>::eye(count, device);
    let matched = |logits: Tensor<2>| (log_softmax(logits, 1) * partners.clone()).sum();
    let share = 1.0 / recipe.optimizer.batch as f64;
    (matched(logits.clone()) + matched(logits.transpose())) * (-0.5 * share)
}

/// Shifts a picture on its white ground, blurs every second one a little (as sampled pictures
/// are), and adds noise.
fn augment(
    pixels: &[f32],
    side: usize,
    recipe: &ScorerRecipe,
    rng: &mut ChaCha8Rng,
    out: &mut Vec<f32>,
) {
    let reach = recipe.shift as i32;
    let (dy, dx) = (rng.random_range(-reach..=reach), rng.random_range(-reach..=reach));
    let blurred = rng.random::<bool>();
    let deviation = (rng.random::<f64>() * recipe.noise) as f32;
    let at = |channel: usize, y: i32, x: i32| {
        let inside = |v: i32| (0..side as i32).contains(&v);
        if inside(y) && inside(x) {
            pixels[(channel * side + y as usize) * side + x as usize]
        } else {
            1.0
        }
    };
    for channel in 0..3 {
        for y in 0..side as i32 {
            for x in 0..side as i32 {
                let (y, x) = (y + dy, x + dx);
                let value = if blurred {
                    let row =
                        |y| at(channel, y, x - 1) + 2.0 * at(channel, y, x) + at(channel, y, x + 1);
                    (row(y - 1) + 2.0 * row(y) + row(y + 1)) / 16.0
                } else {
                    at(channel, y, x)
                };
                out.push(value + deviation * rng.sample::<f32, _>(StandardNormal));
            }
        }
    }
}
