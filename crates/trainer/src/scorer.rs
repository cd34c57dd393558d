//! The training of the scorer from captioned pictures to a folder in open_clip's layout.

use std::path::Path;

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use clip::{CLIPTokenizer, OpenClip, normalize};
use pictures::{Dataset, Example};
use serde::{Deserialize, Serialize};
use serde_json::json;
use weights::StoredDtype;

use crate::checkpoint::CheckpointFile;
use crate::held_out::HeldOut;
use crate::json_file::{write_json, write_record};
use crate::origin::Origin;
use crate::pixels::pixels;
use crate::scorer_stage::{Pairs, train_scorer};
use crate::summary::{Summary, curve};
use crate::vocabulary::Vocabulary;
use crate::{Progress, ScorerRecipe, TrainError};

/// What a scorer's training reports; written as `training.json` beside it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScorerSummary {
    /// Pairs it was trained on.
    pub pairs: usize,
    /// Its parameters.
    pub parameters: usize,
    /// Mean losses over fiftieths of its training.
    pub loss: Vec<f32>,
    /// Retrieval among the held-out pairs alone: those of `validation/` and those drawn.
    pub held_out: Retrieval,
    /// Retrieval among the pairs of `validation/` alone.
    pub validation: Retrieval,
    /// Retrieval of the held-out pairs' captions among those of all pairs, and back.
    pub among_all: Retrieval,
}

/// How often the right partner is found, as shares in [0, 1].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Retrieval {
    /// Pairs asked for.
    pub pairs: usize,
    /// Candidates each was sought among.
    pub candidates: usize,
    /// Pictures whose nearest caption is their own.
    pub caption_of_picture_top1: f64,
    /// Pictures with their own caption among the five nearest.
    pub caption_of_picture_top5: f64,
    /// Captions whose nearest picture is their own.
    pub picture_of_caption_top1: f64,
    /// Captions with their own picture among the five nearest.
    pub picture_of_caption_top5: f64,
}

/// Trains a scorer on `device` by `data`'s `train/` pairs, resuming from the checkpoint in `work`, and writes
/// it to `out` in the layout of open_clip's folders.
///
/// # Errors
/// [`TrainError`], naming the file where there is one.
pub fn train_scorer_model(
    recipe: &ScorerRecipe,
    data: &Path,
    work: &Path,
    out: &Path,
    device: &Device,
    progress: &mut dyn FnMut(&'static str, Progress),
) -> Result<ScorerSummary, TrainError> {
    let mut train = Dataset::open(data.join("train"))?;
    let mut asked = Dataset::open(data.join("validation"))?;
    let of_validation = asked.examples.len();
    recipe.fits(train.size)?;
    recipe.fits(asked.size)?;
    let held_out = HeldOut::draw(recipe.held_out, &train, data)?;
    asked.examples.extend(held_out.split_off(&mut train).examples);
    let origin = Origin::new(recipe, &[&train]);
    let checkpoint = CheckpointFile::new(work.join("scorer.safetensors"), origin);
    checkpoint.check()?;
    let tokens = recipe.model.text_cfg.context_length;
    let texts: Vec<String> = train.examples.iter().map(|e| e.text.clone()).collect();
    let vocabulary = Vocabulary::learn(&texts, recipe.vocabulary, tokens, data)?;
    let folder = work.join("scorer-tokenizer");
    vocabulary.write(&folder)?;
    let tokenizer = CLIPTokenizer::from_folder(&folder)?;
    let pairs = Pairs::new(&train, &tokenizer, tokens);
    let (model, losses) =
        train_scorer(recipe, &pairs, &checkpoint, device, &mut |p| progress("scorer", p))?;
    let config = json!({
        "model_cfg": recipe.model,
        "preprocess_cfg": {
            "size": recipe.model.vision_cfg.image_size,
            "mode": "RGB",
            "mean": [0.5, 0.5, 0.5],
            "std": [0.5, 0.5, 0.5],
            "interpolation": "bicubic",
            "resize_mode": "shortest",
        },
    });
    vocabulary.write(&out.join("tokenizer"))?;
    write_json(&out.join("open_clip_config.json"), &config)?;
    model.save(&out.join("open_clip_model.safetensors"), StoredDtype::F16)?;
    let embed = |data: &Dataset| embed(&model, &tokenizer, tokens, data, device);
    let (known, asked) = (embed(&train), embed(&asked));
    let validation = asked.first(of_validation);
    let mut candidates = asked.clone();
    candidates.pictures.extend(known.pictures);
    candidates.texts.extend(known.texts);
    let summary = ScorerSummary {
        pairs: train.examples.len(),
        parameters: model.num_params(),
        loss: curve(&losses),
        held_out: retrieval(&asked, &asked),
        validation: retrieval(&validation, &validation),
        among_all: retrieval(&asked, &candidates),
    };
    held_out.write(out)?;
    write_record(&out.join(Summary::FILE), &summary)?;
    Ok(summary)
}

/// Unit vectors of pairs.
#[derive(Clone)]
struct Embedded {
    pictures: Vec<Vec<f32>>,
    texts: Vec<Vec<f32>>,
}

impl Embedded {
    /// The first `count` pairs.
    fn first(&self, count: usize) -> Self {
        let [pictures, texts] = [&self.pictures, &self.texts]
            .map(|vectors| vectors.iter().take(count).cloned().collect());
        Self { pictures, texts }
    }
}

fn embed(
    model: &OpenClip,
    tokenizer: &CLIPTokenizer,
    tokens: usize,
    data: &Dataset,
    device: &Device,
) -> Embedded {
    let rows = |tensor: Tensor<2>| -> Vec<Vec<f32>> {
        let width = tensor.dims()[1];
        let values: Vec<f32> = normalize(tensor).into_data().iter::<f32>().collect();
        values.chunks(width).map(<[f32]>::to_vec).collect()
    };
    let mut embedded = Embedded { pictures: vec![], texts: vec![] };
    for chunk in data.examples.chunks(64) {
        let pictures = pixels(chunk, data.size, device);
        embedded.pictures.extend(rows(model.encode_image(pictures)));
        let encode = |example: &Example| tokenizer.encode_open_clip(&example.text, tokens);
        let ids: Vec<Vec<u32>> = chunk.iter().map(encode).collect();
        embedded.texts.extend(rows(model.encode_text(&ids)));
    }
    embedded
}

/// Seeks the partners of `asked` among `candidates`, whose first entries they are.
fn retrieval(asked: &Embedded, candidates: &Embedded) -> Retrieval {
    let share = |queries: &[Vec<f32>], candidates: &[Vec<f32>], within: usize| -> f64 {
        let cosine = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
        let hits = queries.iter().enumerate().filter(|(partner, query)| {
            let target = cosine(query, &candidates[*partner]);
            let better = candidates.iter().filter(|other| cosine(query, other) > target).count();
            better < within
        });
        hits.count() as f64 / queries.len().max(1) as f64
    };
    Retrieval {
        pairs: asked.pictures.len(),
        candidates: candidates.pictures.len(),
        caption_of_picture_top1: share(&asked.pictures, &candidates.texts, 1),
        caption_of_picture_top5: share(&asked.pictures, &candidates.texts, 5),
        picture_of_caption_top1: share(&asked.texts, &candidates.pictures, 1),
        picture_of_caption_top5: share(&asked.texts, &candidates.pictures, 5),
    }
}
