//! The page, with thumbnails inside.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use minijinja::{AutoEscape, Environment, context};
use pictures::{Filter, Frame, RgbImage, resize_like_pillow};
use serde_json::{Value, json};

use crate::explanation::{Explanation, PICTURES, Question};
use crate::variant::FACTORS;
use crate::{ExplainError, drawing, sampling, words};

/// The page, in which everything but drawings and data is escaped.
const TEMPLATE: &str = include_str!("page.html");
/// Longest side of a thumbnail in pixels; smaller pictures stay as they are.
const THUMBNAIL: usize = 96;

/// The page as text.
pub(crate) fn page(question: &Question<'_>, answer: &Explanation) -> Result<String, ExplainError> {
    let mut templates = Environment::new();
    templates.set_auto_escape_callback(|_| AutoEscape::Html);
    templates.add_template("page.html", TEMPLATE)?;
    let blocks: Vec<Value> =
        answer.blocks.iter().map(serde_json::to_value).collect::<Result<_, _>>()?;
    Ok(templates.get_template("page.html")?.render(context! {
        prompt => question.generation.prompt,
        model => question.pipeline.name(),
        sha256 => question.model_sha256.get(..12).unwrap_or(""),
        steps => answer.importance.steps.len(),
        guidance => question.generation.guidance_scale,
        seeds => question.generation.noise.seeds,
        image => question.image,
        version => env!("CARGO_PKG_VERSION"),
        milliseconds => format!("{:.1}", answer.milliseconds),
        summary => answer.summary,
        unet => drawing::unet_svg(answer),
        map => drawing::map_svg(answer),
        vote_map => answer.vote.as_ref().map(drawing::vote_svg),
        vote_words => answer.vote.as_ref().map(words::vote_in_words),
        blocks => blocks,
        data => data(question, answer)?,
    })?)
}

/// What the page's script works on, as JSON that may stand inside a script element.
fn data(question: &Question<'_>, answer: &Explanation) -> Result<String, ExplainError> {
    let mut pictures = Vec::new();
    for (at, blocks) in answer.pictures.iter().enumerate() {
        for (block, shown) in blocks.iter().enumerate() {
            for one in shown {
                // The vanilla picture is the same whatever the block.
                if one.variant.is_none() && block > 0 {
                    continue;
                }
                let path = question.out.join(PICTURES).join(&one.file);
                let variant = one
                    .variant
                    .map(|variant| json!([variant.block, variant.window.name(), variant.factor]));
                pictures.push(json!({
                    "seed": question.generation.noise.seeds[at],
                    "variant": variant,
                    "file": format!("{PICTURES}/{}", one.file),
                    "psnr": one.psnr,
                    "score": one.score,
                    "thumbnail": thumbnail(&path)?,
                }));
            }
        }
    }
    let scores = answer.importance.scores.matrix();
    let data = json!({
        "prompt": question.generation.prompt,
        "model": question.source.command(),
        "image": question.image.is_some(),
        "source": question.source.snippet(),
        "sampling": sampling::options(question.generation),
        "scheduler": sampling::scheduler(question.generation),
        "arguments": sampling::arguments(question.generation),
        "negative": question.generation.negative_prompt,
        "guidance": question.generation.guidance_scale,
        "inferenceSteps": question.generation.steps,
        "size": question.generation.size,
        "steps": scores.steps(),
        "levels": answer.importance.steps,
        "paths": answer.blocks.iter().map(|block| &block.path).collect::<Vec<_>>(),
        "factors": FACTORS,
        "scores": scores,
        "seeds": question.generation.noise.seeds,
        "pictures": pictures,
    });
    // Nothing in it may end the element, or begin a comment.
    Ok(serde_json::to_string(&data)?.replace('<', "\\u003c"))
}

/// A small PNG in base64.
fn thumbnail(path: &std::path::Path) -> Result<String, ExplainError> {
    let picture = RgbImage::open(path).map_err(pipeline::PipelineError::from)?;
    let longest = picture.width.max(picture.height);
    let small = if longest > THUMBNAIL {
        let scaled = |side: usize| (side * THUMBNAIL / longest).max(1);
        let size = [scaled(picture.height), scaled(picture.width)];
        resize_like_pillow(&picture, Frame::whole(size), Filter::Bicubic)?
    } else {
        picture
    };
    Ok(STANDARD.encode(small.to_png(&[])?))
}
