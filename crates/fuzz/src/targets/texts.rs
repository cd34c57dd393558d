//! Prompts, and the tokenizers that cut them.

use std::path::Path;

use clip::CLIPTokenizer;

use super::{alone, files, path};
use crate::target::{Form, Target, Verdict};

/// Readers of prompts and tokenizers.
pub fn targets() -> Vec<Target> {
    let tokenizer = |name, file, form, seeds| Target {
        beside: folder,
        ..alone(name, file, form, seeds, tokenizer)
    };
    vec![
        alone("prompt", "prompt.txt", Form::Text, prompts, prompt),
        tokenizer("vocabulary", "vocab.json", Form::Json, vocabularies),
        tokenizer("merges", "merges.txt", Form::Text, merges),
        tokenizer("special-tokens", "special_tokens_map.json", Form::Json, specials),
        tokenizer("tokenizer-config", "tokenizer_config.json", Form::Json, settings),
    ]
}

const FOLDER: &str = "models/emoji-sd/tokenizer";

fn folder(folder: &Path) -> anyhow::Result<()> {
    let names = ["vocab.json", "merges.txt", "special_tokens_map.json", "tokenizer_config.json"];
    for name in names {
        std::fs::copy(path(FOLDER).join(name), folder.join(name))?;
    }
    Ok(())
}

fn prompts() -> anyhow::Result<Vec<Vec<u8>>> {
    let prompts = [
        "a (cartoon:1.2) of [a dragon] AND {fire|ice}, BREAK \\(masterpiece\\), 8k!!!",
        "Ein Bär trägt Äpfel &amp; Öl – « ça va ? » l’été, don't we'll I'd",
        "漢字 ★ 🐉🔥 مرحبا नमस्ते 👩‍👩‍👧‍👦 <|endoftext|> <|startoftext|>",
        "schÃ¶n &lt;b&gt; &#x1F409; &notanentity; ﬁ Ⅷ ½",
    ];
    Ok(prompts.map(|prompt| prompt.as_bytes().to_vec()).to_vec())
}

fn vocabularies() -> anyhow::Result<Vec<Vec<u8>>> {
    files(&["models/emoji-sd/tokenizer/vocab.json"])
}

fn merges() -> anyhow::Result<Vec<Vec<u8>>> {
    files(&["models/emoji-sd/tokenizer/merges.txt"])
}

fn specials() -> anyhow::Result<Vec<Vec<u8>>> {
    let full = r#"{"bos_token": {"content": "<|startoftext|>", "lstrip": false}, "eos_token":
        "<|endoftext|>", "pad_token": "!", "unk_token": "<|endoftext|>"}"#;
    let mut seeds = files(&["models/emoji-sd/tokenizer/special_tokens_map.json"])?;
    seeds.push(full.into());
    Ok(seeds)
}

fn settings() -> anyhow::Result<Vec<Vec<u8>>> {
    files(&["models/emoji-sd/tokenizer/tokenizer_config.json"])
}

thread_local! {
    /// The tokenizers that models share, with either padding.
    static SHARED: Vec<CLIPTokenizer> = ["!", "<|endoftext|>"]
        .into_iter()
        .filter_map(|pad| CLIPTokenizer::openai(pad).ok())
        .collect();
}

/// Ids of a whole sequence, all below the vocabulary's size.
fn check(tokenizer: &CLIPTokenizer, text: &str) -> Verdict {
    let (length, bound) = (tokenizer.max_length(), tokenizer.id_bound());
    for ids in [tokenizer.encode(text), tokenizer.encode_open_clip(text, length)] {
        if ids.len() != length || ids.iter().any(|id| *id as usize >= bound) {
            return Verdict::Broken(format!("expected {length} ids below {bound}, found {ids:?}"));
        }
    }
    Verdict::Accepted
}

fn prompt(path: &Path) -> Verdict {
    let bytes = std::fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    SHARED.with(|tokenizers| {
        let verdicts = tokenizers.iter().map(|tokenizer| check(tokenizer, &text));
        let broken = verdicts.into_iter().find(|verdict| *verdict != Verdict::Accepted);
        broken.unwrap_or(Verdict::Accepted)
    })
}

fn tokenizer(path: &Path) -> Verdict {
    match CLIPTokenizer::from_folder(path.parent().unwrap_or(path)) {
        Ok(tokenizer) => check(&tokenizer, "A photo of a cafe\u{301}, naïve ★ 12 <|endoftext|>!"),
        Err(_) => Verdict::Refused,
    }
}
