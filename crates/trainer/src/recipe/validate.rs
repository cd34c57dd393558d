//! The values that each field of a recipe may have.
//!
//! Upper bounds of sizes are far beyond what trains in a lifetime on a processor; they keep a
//! slip of the finger from asking for more memory than there is.

use std::ops::{Bound, RangeInclusive};

use super::fields::Fields;
use super::{
    AugmentRecipe, AutoencoderRecipe, CaptionsRecipe, DiffusionRecipe, DistillationRecipe,
    OptimizerRecipe, Recipe, ScorerRecipe,
};
use crate::TrainError;
use crate::shards::SHARDS;

/// Above 0.
const POSITIVE: (Bound<f64>, Bound<f64>) = (Bound::Excluded(0.0), Bound::Unbounded);
/// Channels of a layer.
const CHANNELS: RangeInclusive<usize> = 1..=8192;
/// Layers of a level or a tower.
const LAYERS: RangeInclusive<usize> = 1..=64;
/// Tokens of a text, its begin and end included.
const TOKENS: RangeInclusive<usize> = 2..=4096;
/// A vocabulary in CLIP's layout: each byte inside and at the end of a word, two special tokens,
/// and the merges.
const VOCABULARY: RangeInclusive<usize> = 2 * 256 + 2..=1 << 20;
/// Levels whose kinds the U-Net's configuration fixes.
const UNET_LEVELS: usize = 4;

impl Recipe {
    /// Checks every field by itself and against the others.
    pub(super) fn validate(&self) -> Result<(), TrainError> {
        let mut fields = Fields::default();
        fields.table("autoencoder", |fields| autoencoder(&self.autoencoder, fields));
        fields.table("diffusion", |fields| diffusion(&self.diffusion, fields));
        if let Some(recipe) = &self.distillation {
            fields.table("distillation", |fields| distillation(recipe, fields));
        }
        fields.finish(&self.file)
    }

    /// Checks the fields that depend on the pictures, which are square with `side` pixels.
    pub(crate) fn fits(&self, side: usize) -> Result<(), TrainError> {
        let mut fields = Fields::default();
        fields.table("autoencoder", |fields| {
            let AutoencoderRecipe { crop, block_out_channels, .. } = &self.autoencoder;
            let expected = format!("at most {side}, the side of the pictures");
            fields.require(*crop <= side, "crop", expected, crop);
            let levels = block_out_channels.len();
            let expected = format!("levels that can halve the pictures' side of {side} pixels");
            let halves = side.is_multiple_of(1 << (levels - 1));
            fields.require(halves, "block_out_channels", expected, format!("{levels} levels"));
        });
        fields.finish(&self.file)
    }
}

impl ScorerRecipe {
    /// Checks every field by itself and against the others.
    pub(super) fn validate(&self) -> Result<(), TrainError> {
        let mut fields = Fields::default();
        fields.count("vocabulary", self.vocabulary, VOCABULARY);
        fields.number("drop_style", self.drop_style, 0.0..=1.0);
        fields.count("shift", self.shift, 0..=self.model.vision_cfg.image_size);
        // Pixels span 2.
        fields.number("noise", self.noise, 0.0..=2.0);
        fields.table("model", |fields| towers(self, fields));
        fields.table("optimizer", |fields| {
            optimizer(&self.optimizer, fields);
            // One pair alone in its shard has nothing to be told apart from.
            let expected = format!("at least {}", 2 * SHARDS);
            let batch = self.optimizer.batch;
            fields.require(batch >= 2 * SHARDS, "batch", expected, batch);
        });
        fields.finish(&self.file)
    }

    /// Checks the fields that depend on the pictures, which are square with `side` pixels.
    pub(crate) fn fits(&self, side: usize) -> Result<(), TrainError> {
        let mut fields = Fields::default();
        let size = self.model.vision_cfg.image_size;
        let expected = format!("{side}, the side of the pictures");
        fields.require(size == side, "model.vision_cfg.image_size", expected, size);
        fields.finish(&self.file)
    }
}

fn autoencoder(recipe: &AutoencoderRecipe, fields: &mut Fields) {
    let levels = recipe.block_out_channels.len();
    fields.require((1..=8).contains(&levels), "block_out_channels", "1 to 8 levels", levels);
    channels(&recipe.block_out_channels, recipe.norm_num_groups, fields);
    fields.count("layers_per_block", recipe.layers_per_block, LAYERS);
    fields.count("latent_channels", recipe.latent_channels, CHANNELS);
    let step = 1usize << levels.saturating_sub(1).min(8);
    let valid = recipe.crop > 0 && recipe.crop.is_multiple_of(step);
    let expected = format!("a multiple of {step}, by which {levels} levels shrink a picture");
    fields.require(valid, "crop", expected, recipe.crop);
    fields.count("crop_grid", recipe.crop_grid, 1..=recipe.crop.max(1));
    fields.number("mse_weight", recipe.mse_weight, 0.0..);
    fields.number("gradient_weight", recipe.gradient_weight, 0.0..);
    fields.number("kl_weight", recipe.kl_weight, 0.0..);
    fields.table("optimizer", |fields| optimizer(&recipe.optimizer, fields));
}

fn diffusion(recipe: &DiffusionRecipe, fields: &mut Fields) {
    let (channels_of, heads) = (&recipe.block_out_channels, &recipe.num_attention_heads);
    let entries = format!("{UNET_LEVELS} entries");
    for (field, length) in
        [("block_out_channels", channels_of.len()), ("num_attention_heads", heads.len())]
    {
        fields.require(length == UNET_LEVELS, field, &entries, length);
    }
    channels(channels_of, recipe.norm_num_groups, fields);
    if let Some(first) = channels_of.first() {
        let expected = "an even number, halved into sines and cosines of the timestep";
        fields.require(first.is_multiple_of(2), "block_out_channels[0]", expected, first);
    }
    for (level, (channels, heads)) in channels_of.iter().zip(heads).enumerate() {
        let (field, by) =
            (format!("block_out_channels[{level}]"), format!("num_attention_heads[{level}]"));
        fields.divisible(&field, *channels, &by, *heads);
    }
    fields.count("layers_per_block", recipe.layers_per_block, LAYERS);
    fields.count("text_width", recipe.text_width, CHANNELS);
    fields.divisible("text_width", recipe.text_width, "text_heads", recipe.text_heads);
    fields.count("text_layers", recipe.text_layers, LAYERS);
    fields.count("text_tokens", recipe.text_tokens, TOKENS);
    fields.count("vocabulary", recipe.vocabulary, VOCABULARY);
    fields.number("drop_caption", recipe.drop_caption, 0.0..=1.0);
    let expected = "a number at least 0 that is at most 1 together with `drop_caption`";
    let valid = recipe.drop_style >= 0.0 && recipe.drop_caption + recipe.drop_style <= 1.0;
    fields.require(valid, "drop_style", expected, recipe.drop_style);
    fields.table("captions", |fields| captions(&recipe.captions, fields));
    augment(&recipe.augment, fields);
    fields.number("min_snr_gamma", recipe.min_snr_gamma, POSITIVE);
    fields.table("optimizer", |fields| optimizer(&recipe.optimizer, fields));
    for (index, refinement) in recipe.refinement.iter().enumerate() {
        fields.table(&format!("refinement[{index}]"), |fields| {
            captions(&refinement.captions(&recipe.captions), fields);
            augment(&refinement.augment, fields);
            fields.table("optimizer", |fields| optimizer(&refinement.optimizer, fields));
        });
    }
}

fn augment(recipe: &AugmentRecipe, fields: &mut Fields) {
    fields.count("augment.variants", recipe.variants, 1..=64);
    fields.count("augment.shift", recipe.shift, 0..=64);
}

fn distillation(recipe: &DistillationRecipe, fields: &mut Fields) {
    fields.number("guidance_scale", recipe.guidance_scale, 1.0..=100.0);
    let halved = recipe.steps.windows(2).all(|pair| pair[0] % 2 == 0 && pair[0] / 2 == pair[1]);
    let first = recipe.steps.first().copied().unwrap_or_default();
    let valid = halved && (1..=256).contains(&first) && !recipe.steps.contains(&0);
    let expected = "at least one number from 1 to 256, each half of the one before";
    fields.require(valid, "steps", expected, format!("{:?}", recipe.steps));
    fields.table("optimizer", |fields| optimizer(&recipe.optimizer, fields));
}

fn captions(recipe: &CaptionsRecipe, fields: &mut Fields) {
    let expected = "a number at least 0, the three probabilities at most 1 together";
    let sum = recipe.keyword + recipe.kind + recipe.colour;
    for (field, value) in
        [("keyword", recipe.keyword), ("kind", recipe.kind), ("colour", recipe.colour)]
    {
        fields.require(value >= 0.0 && sum <= 1.0, field, expected, value);
    }
}

/// Channels of every level, which the groups of the norms divide.
fn channels(levels: &[usize], groups: usize, fields: &mut Fields) {
    fields.count("norm_num_groups", groups, CHANNELS);
    for (level, channels) in levels.iter().enumerate() {
        let field = format!("block_out_channels[{level}]");
        fields.count(&field, *channels, CHANNELS);
        fields.divisible(&field, *channels, "norm_num_groups", groups);
    }
}

/// The scorer's towers.
fn towers(recipe: &ScorerRecipe, fields: &mut Fields) {
    let (vision, text) = (&recipe.model.vision_cfg, &recipe.model.text_cfg);
    fields.count("embed_dim", recipe.model.embed_dim, CHANNELS);
    fields.table("vision_cfg", |fields| {
        fields.count("image_size", vision.image_size, 1..=4096);
        fields.count("layers", vision.layers, LAYERS);
        fields.count("width", vision.width, CHANNELS);
        fields.divisible("width", vision.width, "head_width", vision.head_width);
        fields.divisible("image_size", vision.image_size, "patch_size", vision.patch_size);
        fields.number("mlp_ratio", vision.mlp_ratio, (Bound::Excluded(0.0), Bound::Included(64.0)));
    });
    fields.table("text_cfg", |fields| {
        fields.count("context_length", text.context_length, TOKENS);
        let expected = format!("`vocabulary` = {}", recipe.vocabulary);
        let valid = text.vocab_size == recipe.vocabulary;
        fields.require(valid, "vocab_size", expected, text.vocab_size);
        fields.count("width", text.width, CHANNELS);
        fields.divisible("width", text.width, "heads", text.heads);
        fields.count("layers", text.layers, LAYERS);
        fields.number("mlp_ratio", text.mlp_ratio, (Bound::Excluded(0.0), Bound::Included(64.0)));
    });
}

fn optimizer(recipe: &OptimizerRecipe, fields: &mut Fields) {
    // Steps and samples share the 64 bits that number a random stream.
    fields.count("steps", recipe.steps, 1..=1_000_000_000);
    fields.count("batch", recipe.batch, SHARDS..=1 << 20);
    fields.number(
        "learning_rate",
        recipe.learning_rate,
        (Bound::Excluded(0.0), Bound::Included(1.0)),
    );
    let expected = format!("at most `steps` = {}", recipe.steps);
    fields.require(recipe.warmup <= recipe.steps, "warmup", expected, recipe.warmup);
    for (i, beta) in recipe.betas.iter().enumerate() {
        fields.number(&format!("betas[{i}]"), *beta, 0.0..1.0);
    }
    fields.number("weight_decay", recipe.weight_decay, 0.0..=1.0);
    fields.number("gradient_clip", recipe.gradient_clip, POSITIVE);
    fields.number("ema", recipe.ema, 0.0..1.0);
    fields.require(
        recipe.checkpoint_every > 0,
        "checkpoint_every",
        "at least 1",
        recipe.checkpoint_every,
    );
}
