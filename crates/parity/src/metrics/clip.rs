//! The small CLIP: pixels before it, ids, features, scores, and every layer.

use ::clip::{CLIPTokenizer, OpenClip, OpenClipConfig, OpenClipVision, normalize};
use ::metrics::{ClipPreprocess, Resampling, ResizeMode, stack};
use anyhow::bail;
use burn::tensor::{FloatDType, Tensor};
use layers::trace::collect;
use pictures::Planes;

use super::case::Metrics;
use crate::report::{Report, magnitude, values};

/// Tolerance of features and scores, and of pixels before the network: 25 times the difference of
/// 4e-7 between the reference's f32 and f64.
const TOLERANCE: f64 = 1e-5;
/// Tolerance of the states inside the Transformers, whose values reach tens where features are
/// below 1.
const TRACE_TOLERANCE: f64 = 1e-4;
/// Every so many pixels of a preprocessed picture are on record.
const STRIDE: usize = 4;
/// CLIP's tokenizer, whose ids are on record.
const TOKENIZER: &str = "tiny-sd/tokenizer";

pub(super) fn run(case: &Metrics<'_>, report: &mut Report<'_>) -> anyhow::Result<()> {
    let config = OpenClipConfig::from_file(case.folder.join("clip_config.json"))?;
    let weights = case.folder.join("clip.safetensors");
    let model = OpenClip::from_file(&config, weights, FloatDType::F32, &case.device)?;
    let preprocess = preprocess(case, &config)?;
    let pictures: Vec<Planes> = case
        .pictures("images")?
        .iter()
        .map(|picture| preprocess.apply(picture))
        .collect::<Result<_, _>>()?;
    compare_pixels(case, &preprocess, &pictures, report)?;
    let images =
        features(case, "image", model.encode_image(stack(&pictures, &case.device)), report)?;
    let tokens = token_ids(case, &config, report)?;
    let texts = features(case, "text", model.encode_text(&tokens), report)?;
    let key = "clip/score_image_by_prompt";
    let score = images.matmul(texts.transpose());
    report.tensor(&case.label(key), score, case.golden.values(key)?, TOLERANCE);
    trace(case, &model, &pictures, &tokens, report)?;
    picture_tower(case, &config, &pictures, report)
}

/// The reference's constants; its resizing is told by the names of its transformations.
fn preprocess(case: &Metrics<'_>, config: &OpenClipConfig) -> anyhow::Result<ClipPreprocess> {
    let crops = case.facts.read::<String>("preprocess")?.contains("CenterCrop");
    Ok(ClipPreprocess {
        size: config.vision_cfg.image_size,
        mean: case.facts.read("mean")?,
        std: case.facts.read("std")?,
        resize_mode: if crops { ResizeMode::Shortest } else { ResizeMode::Longest },
        // The reference's transformations begin with `ToTensor`.
        resampling: Resampling::Floats,
    })
}

fn compare_pixels(
    case: &Metrics<'_>,
    preprocess: &ClipPreprocess,
    pictures: &[Planes],
    report: &mut Report<'_>,
) -> anyhow::Result<()> {
    for (i, planes) in pictures.iter().enumerate() {
        let (strided, summary) =
            (format!("preprocess/{i}/strided4"), format!("preprocess/{i}/mean_std_min_max"));
        if !case.golden.has(&strided) {
            continue;
        }
        let mut sparse = Vec::new();
        let mut rows = vec![Vec::new(); 4];
        for plane in planes.values.chunks_exact(planes.width * planes.height) {
            for row in plane.chunks_exact(planes.width).step_by(STRIDE) {
                sparse.extend(row.iter().step_by(STRIDE).map(|value| f64::from(*value)));
            }
            let pixels: Vec<f64> = plane.iter().map(|value| f64::from(*value)).collect();
            let count = pixels.len() as f64;
            let mean = pixels.iter().sum::<f64>() / count;
            let squares = pixels.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
            rows[0].push(mean);
            rows[1].push((squares / (count - 1.0)).sqrt());
            rows[2].push(pixels.iter().copied().fold(f64::INFINITY, f64::min));
            rows[3].push(pixels.iter().copied().fold(f64::NEG_INFINITY, f64::max));
        }
        // One 8-bit step is 0.004 / std; what is compared here is rounding, which the division by
        // the deviation enlarges.
        let tolerance = TOLERANCE / f64::from(preprocess.std[0]);
        report.compare(&case.label(&strided), &sparse, case.golden.values(&strided)?, tolerance);
        if case.golden.has(&summary) {
            let expected = case.golden.values(&summary)?;
            report.compare(&case.label(&summary), &rows.concat(), expected, tolerance);
        }
    }
    Ok(())
}

/// Compares raw and normalised features; returns the normalised.
fn features(
    case: &Metrics<'_>,
    what: &str,
    raw: Tensor<2>,
    report: &mut Report<'_>,
) -> anyhow::Result<Tensor<2>> {
    let unit = normalize(raw.clone());
    for (suffix, features) in [("_raw", raw), ("", unit.clone())] {
        let key = format!("clip/{what}_features{suffix}");
        if !case.golden.has(&key) {
            continue;
        }
        let expected = case.golden.values(&key)?;
        let tolerance = TOLERANCE * magnitude(expected).max(1.0);
        report.tensor(&case.label(&key), features, expected, tolerance);
    }
    Ok(unit)
}

/// The reference's ids, with which ours are compared.
fn token_ids(
    case: &Metrics<'_>,
    config: &OpenClipConfig,
    report: &mut Report<'_>,
) -> anyhow::Result<Vec<Vec<u32>>> {
    let text = &config.text_cfg;
    let expected = case.golden.ids("clip/tokens", text.vocab_size)?;
    let prompts: Vec<String> = case.facts.read("prompts")?;
    let fits = |row: &Vec<u32>| row.len() == text.context_length;
    if expected.len() != prompts.len() || !expected.iter().all(fits) {
        bail!("`clip/tokens`: expected {} rows of {} ids", prompts.len(), text.context_length);
    }
    let tokenizer = CLIPTokenizer::from_folder(case.root.join(TOKENIZER))?;
    for (i, (prompt, expected)) in prompts.iter().zip(&expected).enumerate() {
        let ids = tokenizer.encode_open_clip(prompt, text.context_length);
        report.equal(&case.label(&format!("clip/tokens[{i}]")), &ids, expected);
    }
    Ok(expected)
}

/// Every layer for the first picture and the first prompt.
fn trace(
    case: &Metrics<'_>,
    model: &OpenClip,
    pictures: &[Planes],
    tokens: &[Vec<u32>],
    report: &mut Report<'_>,
) -> anyhow::Result<()> {
    let first = stack(pictures.get(..1).unwrap_or_default(), &case.device);
    let ids = tokens.get(..1).unwrap_or_default();
    let ((), trace) = collect(|| {
        model.encode_image(first);
        model.encode_text(ids);
    });
    for (path, data) in trace {
        let key = format!("cliptrace/{path}");
        if case.golden.has(&key) {
            let states: Vec<f64> = data.iter::<f64>().collect();
            let expected = case.golden.values(&key)?;
            report.computed(&case.label(&key), &states, expected, TRACE_TOLERANCE);
        }
    }
    Ok(())
}

/// The picture tower alone, out of a PyTorch file with other things beside its weights.
fn picture_tower(
    case: &Metrics<'_>,
    config: &OpenClipConfig,
    pictures: &[Planes],
    report: &mut Report<'_>,
) -> anyhow::Result<()> {
    let path = case.folder.join("clip_visual_only.pt");
    if !path.exists() {
        return Ok(());
    }
    let tower = OpenClipVision::from_file(config, path, FloatDType::F32, &case.device)?;
    let features = values(normalize(tower.forward(stack(pictures, &case.device))));
    let expected = case.golden.values("clip/image_features")?;
    let label = case.label("clip_visual_only.pt/image_features");
    report.computed(&label, &features, expected, TOLERANCE);
    Ok(())
}
