//! The byte-pair tokenizer.

use std::path::Path;

use regex::Regex;
use serde_json::Value;
use tokenizers::Model;
use tokenizers::models::bpe::BPE;

use crate::ClipError;
use crate::clean::{byte_characters, byte_tokens, clean, collapse, repair};
use crate::tokenizer_files::{
    Merges, Settings, USUAL_LENGTH, Vocabulary, broken, parse_merges, read_merges, read_vocab,
};

/// CLIP's byte-pair tokenizer, from `vocab.json` and `merges.txt`.
///
/// Gives the ids of transformers' (slow) `CLIPTokenizer` with ftfy, with its quirks: special
/// tokens are recognised inside a prompt, and where the padding token is `!`, every `!` is one.
pub struct CLIPTokenizer {
    bpe: BPE,
    pattern: Regex,
    bytes: [char; 256],
    /// Special tokens and their ids, longest first.
    special: Vec<(String, u32)>,
    /// Matches the special tokens, the longest where several begin at one place.
    special_pattern: Regex,
    bos: u32,
    eos: u32,
    pad: u32,
    max_length: usize,
}

impl std::fmt::Debug for CLIPTokenizer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CLIPTokenizer")
            .field("special", &self.special)
            .field("max_length", &self.max_length)
            .finish_non_exhaustive()
    }
}

/// The merges all Stable Diffusion models share.
const OPENAI: &str = include_str!("../../../models/clip-tokenizer/merges.txt");
const OPENAI_PATH: &str = "models/clip-tokenizer/merges.txt";

impl CLIPTokenizer {
    /// Loads a `tokenizer` folder of a diffusers pipeline.
    ///
    /// # Errors
    /// [`ClipError`] naming the file that is absent or broken.
    pub fn from_folder(folder: impl AsRef<Path>) -> Result<Self, ClipError> {
        let folder = folder.as_ref();
        let vocab = read_vocab(&folder.join("vocab.json"))?;
        let merges = read_merges(&folder.join("merges.txt"))?;
        let Settings { special, max_length } = Settings::from_folder(folder)?;
        Self::from_parts(vocab, merges, special, max_length, folder)
    }

    /// The tokenizer all Stable Diffusion models share, with the padding token `pad`: `!` for
    /// OpenCLIP's encoders, `<|endoftext|>` for OpenAI's.
    ///
    /// # Errors
    /// [`ClipError::Tokenizer`] where `pad` is no token.
    pub fn openai(pad: &str) -> Result<Self, ClipError> {
        let path = Path::new(OPENAI_PATH);
        let merges = parse_merges(OPENAI, path)?;
        let [bos, eos] = ["<|startoftext|>", "<|endoftext|>"].map(String::from);
        let bytes = byte_tokens();
        let words = bytes.iter().map(|byte| format!("{byte}</w>"));
        let merged = merges.iter().map(|(left, right)| format!("{left}{right}"));
        let special = [bos.clone(), eos.clone()];
        let tokens = bytes.iter().cloned().chain(words).chain(merged).chain(special);
        let vocab = tokens.enumerate().map(|(id, token)| (token, id as u32)).collect();
        Self::from_parts(vocab, merges, [bos, eos.clone(), pad.into(), eos], USUAL_LENGTH, path)
    }

    /// The files of a `tokenizer` folder that gives the ids of [`Self::openai`]: names and contents.
    ///
    /// # Errors
    /// As [`Self::openai`].
    pub fn openai_files(pad: &str) -> Result<[(&'static str, String); 3], ClipError> {
        let vocabulary: serde_json::Map<String, Value> =
            Self::openai(pad)?.vocabulary().into_iter().map(|(k, id)| (k, id.into())).collect();
        let special = serde_json::json!({
            "bos_token": "<|startoftext|>", "eos_token": "<|endoftext|>",
            "pad_token": pad, "unk_token": "<|endoftext|>",
        });
        Ok([
            ("merges.txt", OPENAI.into()),
            ("vocab.json", Value::Object(vocabulary).to_string()),
            ("special_tokens_map.json", special.to_string()),
        ])
    }

    /// `names`: begin, end, padding and unknown token.
    fn from_parts(
        vocab: Vocabulary,
        merges: Merges,
        names: [String; 4],
        max_length: usize,
        path: &Path,
    ) -> Result<Self, ClipError> {
        let broken = |reason: String| broken(path, reason);
        let id = |name: &String| {
            vocab
                .get(name)
                .copied()
                .ok_or_else(|| broken(format!("the special token `{name}` is not in `vocab.json`")))
        };
        let [bos, eos, pad, unk] = [id(&names[0])?, id(&names[1])?, id(&names[2])?, id(&names[3])?];
        let mut special: Vec<(String, u32)> =
            names.iter().cloned().zip([bos, eos, pad, unk]).collect();
        special.sort_by(|a, b| b.0.len().cmp(&a.0.len()).then(a.0.cmp(&b.0)));
        special.dedup();
        check_reachable(&vocab, &merges, &names, path)?;
        let bpe = BPE::builder()
            .vocab_and_merges(vocab, merges)
            .end_of_word_suffix("</w>".into())
            .unk_token(names[3].clone())
            .build()
            .map_err(|error| broken(error.to_string()))?;
        let pattern = Regex::new(
            r"(?i)<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|\p{L}+|\p{N}|[^\s\p{L}\p{N}]+",
        )
        .map_err(|error| broken(error.to_string()))?;
        let names: Vec<String> = special.iter().map(|(name, _)| regex::escape(name)).collect();
        let special_pattern =
            Regex::new(&names.join("|")).map_err(|error| broken(error.to_string()))?;
        let bytes = byte_characters();
        Ok(Self { bpe, pattern, bytes, special, special_pattern, bos, eos, pad, max_length })
    }

    /// Length of a padded sequence, begin and end included.
    pub fn max_length(&self) -> usize {
        self.max_length
    }

    /// Number of tokens.
    pub fn vocab_size(&self) -> usize {
        self.bpe.get_vocab_size()
    }

    /// The highest token id it gives, and one more: rows that a token table needs.
    pub fn id_bound(&self) -> usize {
        self.bpe.get_vocab().into_values().max().map_or(0, |id| id as usize + 1)
    }

    /// Every token and its id, sorted.
    pub fn vocabulary(&self) -> std::collections::BTreeMap<String, u32> {
        self.bpe.get_vocab().into_iter().collect()
    }

    /// The ids of `text` without begin, end and padding.
    pub fn tokenize(&self, text: &str) -> Vec<u32> {
        let mut ids = Vec::new();
        let mut end = 0;
        // One pass: a text may consist of special tokens, and of millions of them.
        for found in self.special_pattern.find_iter(text) {
            self.tokenize_part(&text[end..found.start()], &mut ids);
            let special = self.special.iter().find(|(name, _)| name == found.as_str());
            ids.extend(special.map(|(_, id)| id));
            end = found.end();
        }
        self.tokenize_part(&text[end..], &mut ids);
        ids
    }

    /// The ids of `text` with begin and end, truncated to keep the end, padded to
    /// [`Self::max_length`].
    pub fn encode(&self, text: &str) -> Vec<u32> {
        let mut ids = vec![self.bos];
        ids.extend(self.tokenize(text));
        ids.truncate(self.max_length - 1);
        ids.push(self.eos);
        ids.resize(self.max_length, self.pad);
        ids
    }

    /// The ids open_clip's `SimpleTokenizer` gives (and hpsv2's copy of it): special tokens are not
    /// recognised inside a text, HTML entities are resolved twice more, and 0 fills up.
    pub fn encode_open_clip(&self, text: &str, context_length: usize) -> Vec<u32> {
        let fixed = repair(text);
        let once = htmlize::unescape(fixed.as_str());
        let resolved = htmlize::unescape(once.as_ref() as &str);
        let mut ids = vec![self.bos];
        self.tokenize_cleaned(&collapse(&resolved), &mut ids);
        ids.truncate(context_length.saturating_sub(1));
        ids.push(self.eos);
        ids.resize(context_length, 0);
        ids
    }

    /// Whether [`Self::encode`] drops part of `text`.
    pub fn is_truncated(&self, text: &str) -> bool {
        self.tokenize(text).len() + 2 > self.max_length
    }

    fn tokenize_part(&self, text: &str, ids: &mut Vec<u32>) {
        if text.is_empty() {
            return;
        }
        self.tokenize_cleaned(&clean(text), ids);
    }

    fn tokenize_cleaned(&self, cleaned: &str, ids: &mut Vec<u32>) {
        for word in self.pattern.find_iter(cleaned) {
            let characters: String =
                word.as_str().bytes().map(|byte| self.bytes[usize::from(byte)]).collect();
            // Every byte is in the vocabulary; what is not becomes the unknown token.
            if let Ok(tokens) = self.bpe.tokenize(&characters) {
                ids.extend(tokens.into_iter().map(|token| token.id));
            }
        }
    }
}

/// An error where `vocab` has tokens that no merge makes: then merges are missing, and texts would
/// be cut into other tokens.
fn check_reachable(
    vocab: &Vocabulary,
    merges: &Merges,
    special: &[String; 4],
    path: &Path,
) -> Result<(), ClipError> {
    let bytes = byte_tokens();
    let words = bytes.iter().map(|byte| format!("{byte}</w>"));
    let merged = merges.iter().map(|(left, right)| format!("{left}{right}"));
    let reachable: std::collections::HashSet<String> =
        bytes.iter().cloned().chain(words).chain(merged).chain(special.iter().cloned()).collect();
    let mut lost: Vec<&String> = vocab.keys().filter(|token| !reachable.contains(*token)).collect();
    lost.sort_unstable();
    match lost.first() {
        None => Ok(()),
        Some(first) => Err(broken(
            path,
            format!(
                "`merges.txt` makes {} tokens of `vocab.json` too few, for example `{first}`: they \
                 are of different tokenizers, or the file ends early",
                lost.len()
            ),
        )),
    }
}
