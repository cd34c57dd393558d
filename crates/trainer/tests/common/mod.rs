//! Tiny picture sets and recipes that train in a moment.

// Each test file takes what it needs.
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use pictures::RgbImage;
use trainer::{Folders, Progress, Recipe, Stages, TrainError, Trained};

/// Side of every picture, in pixels.
pub const SIDE: usize = 16;

/// Writes `train/` (four concepts in two styles), `validation/` (two of them in one) and
/// `keywords.json` below `folder`; returns it.
pub fn pictures(folder: &Path) -> PathBuf {
    let concepts = ["a red cat", "a blue cap", "a green bed", "a white bat"];
    let rows = |concepts: &[&str], styles: &[&str]| -> Vec<(String, String)> {
        concepts
            .iter()
            .flat_map(|concept| styles.iter().map(|style| (concept.to_string(), style.to_string())))
            .collect()
    };
    write(&folder.join("train"), &rows(&concepts, &["flat", "pixel"]));
    write(&folder.join("validation"), &rows(&concepts[2..], &["cartoon"]));
    let kind = serde_json::json!({
        "category": "things",
        "subcategory": "plain-things",
        "keywords": ["plain", ":)"],
    });
    let kinds: serde_json::Map<_, _> =
        concepts.iter().map(|concept| (concept.to_string(), kind.clone())).collect();
    let kinds = serde_json::Value::Object(kinds).to_string();
    std::fs::write(folder.join("keywords.json"), kinds).unwrap();
    folder.to_path_buf()
}

/// Writes one picture per concept and style, and their `metadata.jsonl`.
pub fn write(folder: &Path, rows: &[(String, String)]) {
    std::fs::create_dir_all(folder).unwrap();
    let mut index = String::new();
    for (i, (concept, style)) in rows.iter().enumerate() {
        let pixel = |at: usize| {
            let (x, y) = (at % SIDE, at / SIDE);
            [x * 15, y * 15, (x + y) * (i + 3)].map(|value| (value % 256) as u8)
        };
        let rgb = (0..SIDE * SIDE).flat_map(pixel).collect();
        let name = format!("{i}.png");
        RgbImage { width: SIDE, height: SIDE, rgb }.save_png(folder.join(&name), &[]).unwrap();
        let row = serde_json::json!({
            "file_name": name,
            "text": format!("{style} art of {concept}"),
            "caption": concept,
            "style": style,
        });
        index.push_str(&format!("{row}\n"));
    }
    std::fs::write(folder.join("metadata.jsonl"), index).unwrap();
}

/// A recipe of the pipeline that trains in a second.
pub const PIPELINE: &str = r#"
seed = 3

[held_out]
pairs = 1
seed = 1

[autoencoder]
block_out_channels = [8, 8]
layers_per_block = 1
latent_channels = 4
norm_num_groups = 4
crop = 8
crop_grid = 2
mse_weight = 1.0
gradient_weight = 0.5
kl_weight = 1e-6

[autoencoder.optimizer]
steps = 6
batch = 4
learning_rate = 1e-3
warmup = 2
betas = [0.9, 0.99]
weight_decay = 0.01
gradient_clip = 1.0
ema = 0.9
checkpoint_every = 2

[diffusion]
concepts = 3
block_out_channels = [8, 8, 8, 8]
layers_per_block = 1
num_attention_heads = [1, 2, 2, 2]
norm_num_groups = 4
text_width = 8
text_layers = 1
text_heads = 2
text_tokens = 8
vocabulary = 530
drop_caption = 0.1
drop_style = 0.1
min_snr_gamma = 5.0

[diffusion.captions]
keyword = 0.2
kind = 0.2
colour = 0.1
phrases = { things = ["a thing"] }

[diffusion.augment]
variants = 2
mirror = true
shift = 1

[diffusion.optimizer]
steps = 6
batch = 4
learning_rate = 1e-3
warmup = 2
betas = [0.9, 0.99]
weight_decay = 0.01
gradient_clip = 1.0
ema = 0.9
checkpoint_every = 2

[distillation]
guidance_scale = 2.0
steps = [2, 1]

[distillation.optimizer]
steps = 4
batch = 4
learning_rate = 1e-3
warmup = 1
betas = [0.9, 0.99]
weight_decay = 0.0
gradient_clip = 1.0
ema = 0.9
checkpoint_every = 2
"#;

/// What is appended to [`PIPELINE`] for each further training.
pub const REFINEMENT: &str = r#"
[[diffusion.refinement]]
keyword = 0.1
kind = 0.0
colour = 0.0

[diffusion.refinement.optimizer]
steps = 4
batch = 4
learning_rate = 1e-3
warmup = 1
betas = [0.9, 0.99]
weight_decay = 0.01
gradient_clip = 1.0
ema = 0.9
checkpoint_every = 2
"#;

/// A recipe of the scorer that trains in a second.
pub const SCORER: &str = "
seed = 7
vocabulary = 530
drop_style = 0.1
held_out = { pairs = 1, seed = 1 }
shift = 2
noise = 0.1

[model]
embed_dim = 8

[model.vision_cfg]
image_size = 16
layers = 1
width = 8
head_width = 4
patch_size = 8

[model.text_cfg]
context_length = 8
vocab_size = 530
width = 8
heads = 2
layers = 1

[optimizer]
steps = 6
batch = 4
learning_rate = 1e-3
warmup = 2
betas = [0.9, 0.98]
weight_decay = 0.1
gradient_clip = 1.0
ema = 0.9
checkpoint_every = 2
";

/// Writes a recipe below `folder`; returns its path.
pub fn recipe(folder: &Path, text: &str) -> PathBuf {
    std::fs::create_dir_all(folder).unwrap();
    let path = folder.join("recipe.toml");
    std::fs::write(&path, text).unwrap();
    path
}

/// Every file below `folder` and its bytes.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.insert(path.clone(), std::fs::read(&path).unwrap());
        }
    }
    found
}

/// As [`files`], by their paths inside `folder`.
pub fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let inside = |(path, bytes): (PathBuf, Vec<u8>)| {
        (path.strip_prefix(folder).unwrap().to_path_buf(), bytes)
    };
    files(folder).into_iter().map(inside).collect()
}

/// Ends a run after step `step` of `stage`, as a kill would: whatever is not written is lost.
pub fn kill(stage: &'static str, step: usize) -> impl FnMut(&'static str, Progress) {
    move |at, progress| assert!((at, progress.step) != (stage, step), "killed")
}

/// Trains by `recipe` on the pictures in `data` below `folder`, into `work` and `out` there; `watch`
/// sees every step.
pub fn train(
    folder: &Path,
    recipe: &str,
    from: Option<&Path>,
    stages: Stages,
    watch: &mut dyn FnMut(&'static str, Progress),
) -> Result<Trained, TrainError> {
    let [data, work, out] = ["data", "work", "out"].map(|part| folder.join(part));
    let recipe = Recipe::from_file(self::recipe(folder, recipe))?;
    let folders = Folders { data: &data, work: &work, out: &out, from };
    trainer::train(&recipe, folders, stages, &Device::flex(), watch)
}
