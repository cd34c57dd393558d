//! Token ids, the text encoders, and the conditioning that SDXL's pipeline makes of them.

use anyhow::{Context, bail};
use clip::{CLIPTextModel, CLIPTokenizer};

use crate::case::Case;
use crate::report::{Report, values};

/// Tolerance of the text encoders: seven times the reference's noise of 1.4e-5.
const TOLERANCE: f64 = 1e-4;
/// The prompt whose hidden states of all layers are on record.
const TRACED_PROMPT: &str = "a photo of a cat";
/// The prompts of the pipeline's conditioning.
const PROMPTS: [&str; 2] = [TRACED_PROMPT, "A little girl holding a brown stuffed animal."];
/// The negative prompt of `xlcond/neg_given`; `xlcond/neg_none` has none.
const NEGATIVE_PROMPT: &str = "low quality, blurry, ugly, oversaturated";

pub(crate) fn run(case: &Case<'_>, report: &mut Report<'_>) -> anyhow::Result<()> {
    let prompts: Vec<String> = case.facts.read("prompts")?;
    for (tokenizer, encoder, short) in
        [("tokenizer", "text_encoder", "te"), ("tokenizer_2", "text_encoder_2", "te2")]
    {
        if case.folder.join(tokenizer).exists() {
            token_ids(case, tokenizer, &prompts, report)?;
            encode(case, (tokenizer, encoder, short), &prompts, report)?;
        }
    }
    conditioning(case, report)
}

fn token_ids(
    case: &Case<'_>,
    tokenizer: &str,
    prompts: &[String],
    report: &mut Report<'_>,
) -> anyhow::Result<()> {
    let loaded = CLIPTokenizer::from_folder(case.folder.join(tokenizer))?;
    let key = format!("text/{tokenizer}/ids");
    let expected = case.golden.ids(&key, loaded.vocab_size())?;
    if expected.len() != prompts.len() {
        bail!("`{key}`: expected {} rows, one per prompt, found {}", prompts.len(), expected.len());
    }
    for (i, (prompt, expected)) in prompts.iter().zip(&expected).enumerate() {
        report.equal(&case.label(&format!("{key}[{i}]")), &loaded.encode(prompt), expected);
    }
    Ok(())
}

/// An encoder on the reference's own ids, whatever our tokenizer makes of the prompts.
fn encode(
    case: &Case<'_>,
    (tokenizer, encoder, short): (&str, &str, &str),
    prompts: &[String],
    report: &mut Report<'_>,
) -> anyhow::Result<()> {
    let model = CLIPTextModel::from_folder(case.folder.join(encoder), case.dtype, &case.device)?;
    let config = model.config();
    let key = format!("text/{tokenizer}/ids");
    let ids = case.golden.ids(&key, config.vocab_size)?;
    if let Some(row) = ids.iter().find(|row| row.len() > config.max_position_embeddings) {
        let longest = config.max_position_embeddings;
        bail!("`{key}`: expected at most {longest} tokens, found {}", row.len());
    }
    let output = model.forward(&ids);
    let states = &output.hidden_states;
    let name = |part: &str| format!("text/{short}/{part}");
    let mut check = |part: &str, states: Vec<f64>| -> anyhow::Result<()> {
        let key = name(part);
        let tolerance = case.tolerance("text", &key, TOLERANCE)?;
        report.computed(&case.label(&key), &states, case.golden.values(&key)?, tolerance);
        Ok(())
    };
    check("last_hidden_state", values(output.last_hidden_state.clone()))?;
    let penultimate = states.iter().rev().nth(1).context("an encoder without layers")?;
    check("penultimate", values(penultimate.clone()))?;
    if case.golden.has(&name("pooler_output")) {
        check("pooler_output", values(output.pooled.clone()))?;
    }
    if case.golden.has(&name("text_embeds")) {
        let embeds = output.text_embeds.clone().context("the encoder has no projection")?;
        check("text_embeds", values(embeds))?;
    }
    let layers = case.golden.cases(&name("all_hidden/"), "");
    if layers.is_empty() {
        return Ok(());
    }
    let traced = prompts.iter().position(|prompt| prompt == TRACED_PROMPT);
    let traced = traced.with_context(|| format!("expected `{TRACED_PROMPT}` among `prompts`"))?;
    for layer in layers {
        let state = layer.parse::<usize>().ok().and_then(|index| states.get(index));
        let state = state.with_context(|| format!("the encoder has no hidden state `{layer}`"))?;
        check(&format!("all_hidden/{layer}"), values(state.clone().narrow(0, traced, 1)))?;
    }
    Ok(())
}

/// Prompt and negative embeddings as the pipeline makes them (SDXL).
fn conditioning(case: &Case<'_>, report: &mut Report<'_>) -> anyhow::Result<()> {
    for name in case.golden.cases("xlcond/", "/prompt_embeds") {
        let negative = match name.as_str() {
            "neg_given" => Some(NEGATIVE_PROMPT),
            "neg_none" => None,
            _ => {
                report.missed(&case.label(&format!("xlcond/{name}")), "its prompts are not stated");
                continue;
            }
        };
        let positive = case.pipeline.encode_prompts(&PROMPTS.map(String::from))?;
        let negative = case.pipeline.encode_negative(negative, &positive)?;
        for (part, embeds) in [
            ("prompt_embeds", values(positive.embeds)),
            ("negative_prompt_embeds", values(negative.embeds)),
            ("pooled", positive.pooled.map(values).unwrap_or_default()),
            ("negative_pooled", negative.pooled.map(values).unwrap_or_default()),
        ] {
            let key = format!("xlcond/{name}/{part}");
            report.computed(&case.label(&key), &embeds, case.golden.values(&key)?, TOLERANCE);
        }
    }
    Ok(())
}
