//! The tokenizer of the shipped model: quirks of CLIP's text handling.

use std::path::Path;

use clip::CLIPTokenizer;

fn tokenizer() -> CLIPTokenizer {
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models");
    CLIPTokenizer::from_folder(models.join("emoji-sd/tokenizer")).unwrap()
}

#[test]
fn encode_pads_and_truncates_keeping_the_end() {
    let tokenizer = tokenizer();
    let (length, end) = (tokenizer.max_length(), tokenizer.vocab_size() as u32 - 1);
    let short = tokenizer.encode("a red heart");
    assert_eq!(short.len(), length);
    assert_eq!(short[0], end - 1);
    assert_eq!(short[4..], vec![end; length - 4]);
    let long = tokenizer.encode(&"word ".repeat(2000));
    assert_eq!((long.len(), long[length - 1]), (length, end));
    assert!(tokenizer.is_truncated(&"word ".repeat(2000)) && !tokenizer.is_truncated("a"));
}

#[test]
fn tokenize_case_space_and_mojibake_do_not_matter() {
    let tokenizer = tokenizer();
    let plain = tokenizer.tokenize("a red heart");
    assert_eq!(plain.len(), 3);
    for other in ["A RED Heart", "  a \t red\n heart ", "a red&#32;heart", "a red heart\u{200b}"] {
        let same = tokenizer.tokenize(other);
        assert_eq!(same[..3], plain[..], "{other:?}");
    }
    assert!(tokenizer.tokenize("").is_empty() && tokenizer.tokenize(" \n").is_empty());
}

#[test]
fn tokenize_special_tokens_and_any_unicode_are_read() {
    let tokenizer = tokenizer();
    let end = tokenizer.vocab_size() as u32 - 1;
    assert_eq!(tokenizer.tokenize("<|endoftext|>"), [end]);
    assert_eq!(tokenizer.tokenize("a<|endoftext|>a")[1], end);
    for text in ["😀🚀 family 👨‍👩‍👧", "日本語", "naïve café", "1234", "''''", "\u{0}"]
    {
        let ids = tokenizer.tokenize(text);
        assert!(ids.iter().all(|id| *id < end), "{text:?}: {ids:?}");
    }
}

#[test]
fn openai_ids_are_those_of_the_published_vocabulary() {
    let sd2 = CLIPTokenizer::openai("!").unwrap();
    assert_eq!(sd2.vocab_size(), 49408);
    // transformers' `CLIPTokenizer` of openai/clip-vit-large-patch14 gives these.
    assert_eq!(sd2.tokenize("a photo of a cat")[..2], [320, 1125]);
    assert_eq!(sd2.tokenize("CAT!!!"), [2368, 0, 0, 0]);
    let sdxl = CLIPTokenizer::openai("<|endoftext|>").unwrap();
    assert_eq!(sdxl.encode("cat")[..4], [49406, 2368, 49407, 49407]);
    assert_eq!(sd2.encode("cat")[..4], [49406, 2368, 49407, 0]);
    assert_eq!(sdxl.tokenize("a cat"), [320, 2368]);
    assert!(CLIPTokenizer::openai("no token").is_err());
}

#[test]
fn encode_texts_of_megabytes_end_where_the_model_does() {
    let tokenizer = CLIPTokenizer::openai("!").unwrap();
    // A character of two bytes lies across every even one.
    let text = format!("a{}", "ä".repeat(1_100_000));
    assert_eq!(tokenizer.encode(&text).len(), 77);
    assert_eq!(tokenizer.encode_open_clip(&text, 77).len(), 77);
}

/// Every one of them is a special token; looking for the next of each kind again and again took a
/// time that grew with the square of their number.
#[test]
fn tokenize_hundreds_of_thousands_of_special_tokens_takes_a_moment() {
    let tokenizer = CLIPTokenizer::openai("!").unwrap();
    let start = std::time::Instant::now();
    assert_eq!(tokenizer.tokenize(&"!".repeat(300_000)), [0; 300_000]);
    assert_eq!(tokenizer.tokenize(&"<|endoftext|>".repeat(50_000)), [49407; 50_000]);
    assert!(start.elapsed().as_secs() < 20, "{:?}", start.elapsed());
}
