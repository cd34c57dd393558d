use anyhow::Context;
use burn::tensor::FloatDType;
use clip::{CLIPTextModel, CLIPTokenizer};

use crate::pipelines::Case;
use crate::report::{Report, values};

/// Tolerance of the text encoders.
const TOLERANCE: f64 = 1e-4;

pub(crate) fn run(case: &Case<'_>, report: &mut Report<'_>) -> anyhow::Result<()> {
    let prompts = prompts(case)?;
    for (tokenizer, encoder, short) in
        [("tokenizer", "text_encoder", "te"), ("tokenizer_2", "text_encoder_2", "te2")]
    {
        if !case.folder.join(tokenizer).exists() {
            continue;
        }
        let ids = token_ids(case, tokenizer, &prompts, report)?;
        encode(case, encoder, short, &ids, report)?;
    }
    conditioning(case, report)
}

fn prompts(case: &Case<'_>) -> anyhow::Result<Vec<String>> {
    serde_json::from_value(case.facts["prompts"].clone()).context("`prompts` in golden.json")
}

fn token_ids(
    case: &Case<'_>,
    tokenizer: &str,
    prompts: &[String],
    report: &mut Report<'_>,
) -> anyhow::Result<Vec<Vec<u32>>> {
    let loaded = CLIPTokenizer::from_folder(case.folder.join(tokenizer))?;
    let ids: Vec<Vec<u32>> = prompts.iter().map(|prompt| loaded.encode(prompt)).collect();
    let key = format!("text/{tokenizer}/ids");
    let expected: Vec<Vec<u32>> = case
        .golden
        .rows(&key)?
        .into_iter()
        .map(|row| row.into_iter().map(|id| id as u32).collect())
        .collect();
    for (i, (found, expected)) in ids.iter().zip(&expected).enumerate() {
        report.equal(&format!("{}/{key}[{i}]", case.name), found, expected);
    }
    // The encoders are compared on the reference's own ids, whatever the tokenizer made.
    Ok(expected)
}

fn encode(
    case: &Case<'_>,
    encoder: &str,
    short: &str,
    ids: &[Vec<u32>],
    report: &mut Report<'_>,
) -> anyhow::Result<()> {
    let model =
        CLIPTextModel::from_folder(case.folder.join(encoder), FloatDType::F32, &case.device)?;
    let output = model.forward(ids);
    let states = &output.hidden_states;
    let name = |part: &str| format!("text/{short}/{part}");
    let mut check = |part: &str, found: Vec<f64>| -> anyhow::Result<()> {
        let key = name(part);
        let expected = case.golden.values(&key)?;
        let tolerance = case.tolerance("text", &key, TOLERANCE);
        report.compare(&format!("{}/{key}", case.name), &found, expected, tolerance);
        Ok(())
    };
    check("last_hidden_state", values(output.last_hidden_state.clone()))?;
    check("penultimate", values(states[states.len() - 2].clone()))?;
    if case.golden.has(&name("pooler_output")) {
        check("pooler_output", values(output.pooled.clone()))?;
    }
    if case.golden.has(&name("text_embeds")) {
        let embeds = output.text_embeds.clone().context("the encoder has no projection")?;
        check("text_embeds", values(embeds))?;
    }
    // The hidden states of all layers are stored for one prompt: the one whose embedding they are.
    let layers = case.golden.cases(&name("all_hidden/"), "");
    if layers.is_empty() {
        return Ok(());
    }
    let first = case.golden.values(&name("all_hidden/0"))?.to_vec();
    let prompt = (0..ids.len())
        .find(|row| {
            let own = values(states[0].clone().narrow(0, *row, 1));
            own.iter().zip(&first).all(|(a, b)| (a - b).abs() < 1e-6)
        })
        .with_context(|| format!("no prompt has the embedding `{}`", name("all_hidden/0")))?;
    for layer in layers {
        let index: usize = layer.parse().context("`all_hidden` is numbered")?;
        let state = states.get(index).context("more hidden states than layers")?;
        check(&format!("all_hidden/{layer}"), values(state.clone().narrow(0, prompt, 1)))?;
    }
    Ok(())
}

/// Prompt and negative embeddings as the pipeline makes them (SDXL).
fn conditioning(case: &Case<'_>, report: &mut Report<'_>) -> anyhow::Result<()> {
    for name in case.golden.cases("xlcond/", "/prompt_embeds") {
        let key = |part: &str| format!("xlcond/{name}/{part}");
        let prompts = prompts_of(case, &key("pooled"))?.context("an unknown prompt")?;
        let positive = case.pipeline.encode_prompts(&prompts)?;
        let negative = prompts_of(case, &key("negative_pooled"))?;
        let negative = negative.as_ref().and_then(|prompts| prompts.first()).map(String::as_str);
        let negative = case.pipeline.encode_negative(negative, &positive)?;
        let parts = [
            ("prompt_embeds", values(positive.embeds)),
            ("negative_prompt_embeds", values(negative.embeds)),
            ("pooled", positive.pooled.map(values).unwrap_or_default()),
            ("negative_pooled", negative.pooled.map(values).unwrap_or_default()),
        ];
        for (part, found) in parts {
            let expected = case.golden.values(&key(part))?;
            report.compare(&format!("{}/{}", case.name, key(part)), &found, expected, TOLERANCE);
        }
    }
    Ok(())
}

/// The prompts whose reference embeddings the rows of `key` are: the file does not name them.
/// `None` where the rows are no prompt's, as for an absent negative prompt.
fn prompts_of(case: &Case<'_>, key: &str) -> anyhow::Result<Option<Vec<String>>> {
    let known = case.golden.rows("text/te2/text_embeds")?;
    let prompts = prompts(case)?;
    let find = |row: &Vec<f64>| {
        let same = |other: &Vec<f64>| row.iter().zip(other).all(|(a, b)| (a - b).abs() < 1e-3);
        known.iter().position(same).map(|index| prompts[index].clone())
    };
    Ok(case.golden.rows(key)?.iter().map(find).collect())
}
