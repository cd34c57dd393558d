//! The tokens of a prompt, as Stable Diffusion's text encoders see them.
//!
//! `cargo run -p clip --example tokens "a cartoon of a dragon"`

use std::collections::BTreeMap;

use clip::{CLIPTokenizer, ClipError};

fn main() -> Result<(), ClipError> {
    let given = std::env::args().nth(1);
    let prompt = given.unwrap_or_else(|| "Ein Bär 🐻 & a naïve café".into());
    let tokenizer = CLIPTokenizer::openai("<|endoftext|>")?;
    let words: BTreeMap<u32, String> =
        tokenizer.vocabulary().into_iter().map(|(word, id)| (id, word)).collect();
    for id in tokenizer.tokenize(&prompt) {
        println!("{id:>6}  {}", words.get(&id).map_or("", String::as_str));
    }
    let left = tokenizer.max_length();
    if tokenizer.is_truncated(&prompt) {
        println!("the encoder sees {left} tokens; the rest of the prompt is lost");
    }
    Ok(())
}
