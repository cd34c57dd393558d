//! Recipes that cannot be followed are refused with the file, the field, and what was expected.

use std::path::Path;

use trainer::{HeldOut, Recipe, ScorerRecipe, Stages, TrainError};

use crate::common;

/// The error of `text` read by `read`, which must name the file and each of `parts`.
fn refused<R: std::fmt::Debug>(
    text: &str,
    parts: &[&str],
    read: impl Fn(&Path) -> Result<R, TrainError>,
) {
    let folder = tempfile::tempdir().unwrap();
    let error = read(&common::recipe(folder.path(), text)).unwrap_err().to_string();
    for part in ["recipe.toml", "expected"].iter().chain(parts) {
        assert!(error.contains(part), "`{part}` in: {error}");
    }
}

#[test]
fn from_file_reads_the_shipped_recipes_which_hold_out_the_same_pairs() {
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models");
    let recipe = Recipe::from_file(models.join("emoji-sd/recipe.toml")).unwrap();
    let scorer = ScorerRecipe::from_file(models.join("emoji-clip/recipe.toml")).unwrap();
    assert!(recipe.held_out.pairs >= 200 && recipe.held_out == scorer.held_out);
    let [pairs, others, scorers] = ["emoji-sd", "emoji-turbo", "emoji-clip"]
        .map(|name| HeldOut::from_folder(models.join(name)).unwrap());
    assert_eq!(pairs.pairs().len(), recipe.held_out.pairs);
    assert!(pairs == others && pairs == scorers);
}

#[test]
fn from_file_names_the_field_and_what_was_expected() {
    for (from, to, field, found) in [
        ("crop = 8", "crop = 0", "autoencoder.crop", "0"),
        ("crop = 8", "crop = 7", "autoencoder.crop", "7"),
        ("[8, 8]\n", "[]\n", "autoencoder.block_out_channels", "0"),
        ("[8, 8]\n", "[8, 6]\n", "autoencoder.block_out_channels[1]", "6"),
        ("norm_num_groups = 4", "norm_num_groups = 0", "autoencoder.norm_num_groups", "0"),
        ("crop_grid = 2", "crop_grid = 0", "autoencoder.crop_grid", "0"),
        ("gradient_weight = 0.5", "gradient_weight = -1.0", "autoencoder.gradient_weight", "-1"),
        ("keyword = 0.2", "keyword = -0.2", "diffusion.captions.keyword", "-0.2"),
        ("keyword = 0.2", "keyword = 0.8", "diffusion.captions.kind", "0.2"),
        ("variants = 2", "variants = 0", "diffusion.augment.variants", "0"),
        ("guidance_scale = 2.0", "guidance_scale = 0.5", "distillation.guidance_scale", "0.5"),
        ("steps = [2, 1]", "steps = [3, 1]", "distillation.steps", "[3, 1]"),
        ("steps = [2, 1]", "steps = []", "distillation.steps", "[]"),
        ("steps = [2, 1]", "steps = [2, 9223372036854775807]", "distillation.steps", "[2, 9"),
        ("kl_weight = 1e-6", "kl_weight = -1.0", "autoencoder.kl_weight", "-1"),
        ("mse_weight = 1.0", "mse_weight = nan", "autoencoder.mse_weight", "NaN"),
        ("steps = 6", "steps = 0", "autoencoder.optimizer.steps", "0"),
        ("batch = 4", "batch = 1", "autoencoder.optimizer.batch", "1"),
        ("warmup = 2", "warmup = 7", "autoencoder.optimizer.warmup", "7"),
        ("learning_rate = 1e-3", "learning_rate = 0.0", "optimizer.learning_rate", "0"),
        ("learning_rate = 1e-3", "learning_rate = inf", "optimizer.learning_rate", "inf"),
        ("[0.9, 0.99]", "[0.9, 1.0]", "optimizer.betas[1]", "1"),
        ("weight_decay = 0.01", "weight_decay = -0.1", "optimizer.weight_decay", "-0.1"),
        ("gradient_clip = 1.0", "gradient_clip = 0.0", "optimizer.gradient_clip", "0"),
        ("ema = 0.9", "ema = 1.0", "optimizer.ema", "1"),
        ("checkpoint_every = 2", "checkpoint_every = 0", "optimizer.checkpoint_every", "0"),
        ("[8, 8, 8, 8]", "[8, 8, 8]", "diffusion.block_out_channels", "3"),
        ("[1, 2, 2, 2]", "[1, 3, 2, 2]", "diffusion.block_out_channels[1]", "8"),
        ("[1, 2, 2, 2]", "[1, 0, 2, 2]", "diffusion.block_out_channels[1]", "8"),
        ("layers_per_block = 1", "layers_per_block = 0", "diffusion.layers_per_block", "0"),
        ("text_heads = 2", "text_heads = 3", "diffusion.text_width", "8"),
        ("text_tokens = 8", "text_tokens = 1", "diffusion.text_tokens", "1"),
        ("vocabulary = 530", "vocabulary = 100", "diffusion.vocabulary", "100"),
        ("drop_caption = 0.1", "drop_caption = 1.5", "diffusion.drop_caption", "1.5"),
        ("drop_style = 0.1", "drop_style = 0.95", "diffusion.drop_style", "0.95"),
        ("min_snr_gamma = 5.0", "min_snr_gamma = 0.0", "diffusion.min_snr_gamma", "0"),
        ("colour = 0.0", "colour = 0.95", "diffusion.refinement[0].colour", "0.95"),
        (
            "warmup = 1\nbetas = [0.9, 0.99]\nweight_decay = 0.01",
            "warmup = 5\nbetas = [0.9, 0.99]\nweight_decay = 0.01",
            "diffusion.refinement[0].optimizer.warmup",
            "5",
        ),
    ] {
        let whole = format!("{}{}", common::PIPELINE, common::REFINEMENT);
        let text = whole.replace(from, to);
        assert_ne!(text, whole, "`{from}` is not in the recipe");
        refused(&text, &[&format!("{field}`"), &format!("found {found}")], |path| {
            Recipe::from_file(path)
        });
    }
}

#[test]
fn from_file_of_a_scorer_names_the_field_and_what_was_expected() {
    for (from, to, field, found) in [
        ("vocab_size = 530", "vocab_size = 600", "model.text_cfg.vocab_size", "600"),
        ("head_width = 4", "head_width = 3", "vision_cfg.head_width", "3"),
        ("patch_size = 8", "patch_size = 5", "vision_cfg.patch_size", "5"),
        ("shift = 2", "shift = 17", "shift", "17"),
        ("noise = 0.1", "noise = -0.1", "noise", "-0.1"),
        ("batch = 4", "batch = 3", "optimizer.batch", "3"),
    ] {
        let text = common::SCORER.replace(from, to);
        assert_ne!(text, common::SCORER, "`{from}` is not in the recipe");
        refused(&text, &[&format!("{field}`"), &format!("found {found}")], |path| {
            ScorerRecipe::from_file(path)
        });
    }
}

#[test]
fn from_file_names_all_wrong_fields_at_once() {
    let text = common::PIPELINE.replace("ema = 0.9", "ema = 2.0").replace("steps = 6", "steps = 0");
    let fields =
        ["autoencoder.optimizer.ema", "diffusion.optimizer.ema", "diffusion.optimizer.steps"];
    refused(&text, &fields, |path| Recipe::from_file(path));
}

#[test]
fn train_refuses_what_does_not_fit_the_pictures() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    common::pictures(&folder.join("data"));
    let train = |text: &str| {
        let (work, out) = (folder.join("work"), folder.join("out"));
        let error = common::train(folder, text, None, Stages::All, &mut |_, _| {});
        assert!(!work.exists() && !out.exists(), "files were written");
        error.unwrap_err().to_string()
    };
    let error = train(&common::PIPELINE.replace("crop = 8", "crop = 32"));
    for part in ["recipe.toml", "`autoencoder.crop`: expected at most 16", "found 32"] {
        assert!(error.contains(part), "`{part}` in: {error}");
    }
    let text = common::PIPELINE
        .replace("[8, 8]\n", "[8, 8, 8, 8, 8, 8]\n")
        .replace("crop = 8", "crop = 32");
    let error = train(&text);
    assert!(
        error.contains("autoencoder.block_out_channels") && error.contains("6 levels"),
        "{error}"
    );
    let error = train(&common::PIPELINE.replace("pairs = 1", "pairs = 5"));
    assert!(error.contains("at least 5 concepts in all 2 styles"), "{error}");
}

#[test]
fn train_without_keywords_or_distillation_names_what_is_absent() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    common::pictures(&folder.join("data"));
    let train = |text: &str, stages: Stages| {
        let (work, out) = (folder.join("work"), folder.join("out"));
        let error = common::train(folder, text, None, stages, &mut |_, _| {});
        assert!(!work.exists() && !out.exists(), "files were written");
        error.unwrap_err().to_string()
    };
    let (first, _) = common::PIPELINE.split_once("[distillation]").unwrap();
    let error = train(first, Stages::Distillation);
    assert!(error.contains("recipe.toml") && error.contains("`distillation`"), "{error}");
    std::fs::remove_file(folder.join("data/keywords.json")).unwrap();
    let error = train(common::PIPELINE, Stages::All);
    assert!(error.contains("keywords.json"), "{error}");
}
