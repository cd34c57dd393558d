//! A byte-pair vocabulary learnt from captions, in CLIP's layout.

use std::collections::BTreeSet;
use std::path::Path;

use files::Sha256;
use serde_json::{Map, Value, json};
use tokenizers::models::bpe::{BPE, BpeTrainer};
use tokenizers::{AddedToken, Trainer};

use crate::TrainError;

/// Names of the files of a `tokenizer` folder that CLIP tokenizers load.
const FILES: [&str; 4] =
    ["vocab.json", "merges.txt", "special_tokens_map.json", "tokenizer_config.json"];

/// The [`FILES`] of a `tokenizer` folder.
///
/// The vocabulary is laid out as CLIP's: every byte, every byte at a word's end, the merges, the
/// two special tokens.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Vocabulary {
    files: [Vec<u8>; 4],
}

impl Vocabulary {
    /// Learns at most `size` tokens from the captions, for prompts of `tokens` tokens.
    ///
    /// # Errors
    /// [`TrainError::Broken`] naming `data` where the captions cannot be learnt from.
    pub(crate) fn learn(
        captions: &[String],
        size: usize,
        tokens: usize,
        data: &Path,
    ) -> Result<Self, TrainError> {
        let merges = merges(captions, size)
            .map_err(|reason| TrainError::broken(data, format!("no vocabulary: {reason}")))?;
        let special = json!({
            "bos_token": "<|startoftext|>",
            "eos_token": "<|endoftext|>",
            "pad_token": "<|endoftext|>",
            "unk_token": "<|endoftext|>",
        });
        let mut config = special.clone();
        config["do_lower_case"] = json!(true);
        config["model_max_length"] = json!(tokens);
        config["tokenizer_class"] = json!("CLIPTokenizer");
        let files = [
            Value::Object(numbered(&merges)).to_string(),
            format!("#version: 0.2\n{}\n", merges.join("\n")),
            format!("{special:#}"),
            format!("{config:#}"),
        ];
        Ok(Self { files: files.map(String::into_bytes) })
    }

    /// Reads the files of `folder`.
    ///
    /// # Errors
    /// [`TrainError::File`].
    pub(crate) fn read(folder: &Path) -> Result<Self, TrainError> {
        let [vocab, merges, special, config] = FILES.map(|name| files::read(folder.join(name)));
        Ok(Self { files: [vocab?, merges?, special?, config?] })
    }

    /// Writes the files into `folder`.
    ///
    /// # Errors
    /// [`TrainError::File`].
    pub(crate) fn write(&self, folder: &Path) -> Result<(), TrainError> {
        for (name, bytes) in FILES.iter().zip(&self.files) {
            files::write_atomically(folder.join(name), bytes)?;
        }
        Ok(())
    }

    /// Adds the files to `hash`.
    pub(crate) fn hash(&self, hash: &mut Sha256) {
        self.files.iter().for_each(|bytes| hash.update(bytes));
    }
}

/// The merges of a byte-pair vocabulary of at most `size` tokens, the most frequent first.
fn merges(captions: &[String], size: usize) -> tokenizers::Result<Vec<String>> {
    let mut trainer = BpeTrainer::builder()
        .show_progress(false)
        .vocab_size(size)
        .min_frequency(1)
        .end_of_word_suffix("</w>".into())
        .special_tokens(alphabet(captions))
        .build();
    let texts = captions.iter().map(|text| text.to_lowercase());
    trainer.feed(texts, |text| Ok(text.split_whitespace().map(String::from).collect()))?;
    let mut bpe = BPE::default();
    trainer.train(&mut bpe)?;
    let pairs: Vec<(String, String)> =
        serde_json::from_value(serde_json::to_value(&bpe)?["merges"].take())?;
    let room = size.saturating_sub(2 * 256 + 2);
    Ok(pairs.into_iter().take(room).map(|(left, right)| format!("{left} {right}")).collect())
}

/// Every character of the captions, inside a word and at its end, in the order of their codes.
///
/// The trainer breaks ties between equally frequent pairs by the numbers of their parts, and would
/// number characters in the order in which a hash map with a random state gives the words. Numbered
/// beforehand, the same captions always give the same vocabulary.
fn alphabet(captions: &[String]) -> Vec<AddedToken> {
    let texts = captions.iter().map(|text| text.to_lowercase());
    let characters: BTreeSet<char> =
        texts.flat_map(|text| text.chars().collect::<Vec<_>>()).collect();
    let spellings = characters.iter().flat_map(|c| [c.to_string(), format!("{c}</w>")]);
    spellings.map(|spelling| AddedToken::from(spelling, true)).collect()
}

/// Every token with its number.
fn numbered(merges: &[String]) -> Map<String, Value> {
    let bytes = clip::byte_characters();
    let single = bytes.iter().map(char::to_string);
    let last = bytes.iter().map(|character| format!("{character}</w>"));
    let merged = merges.iter().map(|merge| merge.replace(' ', ""));
    let special = ["<|startoftext|>", "<|endoftext|>"].map(String::from);
    let tokens = single.chain(last).chain(merged).chain(special);
    tokens.enumerate().map(|(id, token)| (token, json!(id))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn learn_same_captions_give_the_same_vocabulary() {
        let texts = ["a red cat", "a blue cap", "the red cap", "a bed", "the cat bit the bat"];
        let data = texts.map(String::from);
        let first = merges(&data, 530).unwrap();
        // Until every word is one token; 16 would fit.
        assert_eq!(first.len(), 15);
        assert_eq!(first[0], "c a", "the most frequent neighbours: twice `cat`, twice `cap`");
        for _ in 0..8 {
            assert_eq!(merges(&data, 530).unwrap(), first);
        }
    }
}
