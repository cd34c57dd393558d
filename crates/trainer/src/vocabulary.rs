use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Map, Value, json};
use tokenizers::models::bpe::{BPE, BpeTrainer};
use tokenizers::{AddedToken, Model, Trainer};

use pictures::Dataset;
use pipeline::write_atomically;

use crate::TrainError;

/// Trains a byte-pair vocabulary of at most `size` tokens on the captions and writes it as a
/// `tokenizer` folder that CLIP tokenizers load.
///
/// The vocabulary is laid out as CLIP's: every byte, every byte at a word's end, the merges, the
/// two special tokens.
pub(crate) fn train(
    data: &Dataset,
    size: usize,
    tokens: usize,
    folder: &Path,
) -> Result<(), TrainError> {
    let broken = |error: &dyn std::fmt::Display| TrainError::broken(folder, error);
    let mut trainer = BpeTrainer::builder()
        .show_progress(false)
        .vocab_size(size)
        .min_frequency(1)
        .end_of_word_suffix("</w>".into())
        .special_tokens(alphabet(data))
        .build();
    let texts = data.examples.iter().map(|example| example.text.to_lowercase());
    let words = |text: &str| -> tokenizers::Result<Vec<String>> {
        Ok(text.split_whitespace().map(String::from).collect())
    };
    trainer.feed(texts, words).map_err(|error| broken(&error))?;
    let mut bpe = BPE::default();
    trainer.train(&mut bpe).map_err(|error| broken(&error))?;
    std::fs::create_dir_all(folder).map_err(TrainError::io(folder))?;
    let learnt = folder.join("learnt");
    std::fs::create_dir_all(&learnt).map_err(TrainError::io(&learnt))?;
    bpe.save(&learnt, None).map_err(|error| broken(&error))?;
    let merges =
        std::fs::read_to_string(learnt.join("merges.txt")).map_err(TrainError::io(&learnt))?;
    std::fs::remove_dir_all(&learnt).map_err(TrainError::io(&learnt))?;
    let room = size.saturating_sub(2 * 256 + 2);
    let merges: Vec<&str> =
        merges.lines().filter(|l| !l.starts_with("#version")).take(room).collect();
    let vocabulary = serde_json::to_vec(&vocabulary(&merges)).map_err(|error| broken(&error))?;
    write_atomically(&folder.join("vocab.json"), &vocabulary)?;
    let text = format!("#version: 0.2\n{}\n", merges.join("\n"));
    write_atomically(&folder.join("merges.txt"), text.as_bytes())?;
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
    for (name, value) in [("special_tokens_map.json", special), ("tokenizer_config.json", config)] {
        let text = serde_json::to_vec_pretty(&value).map_err(|error| broken(&error))?;
        write_atomically(&folder.join(name), &text)?;
    }
    Ok(())
}

/// Every character of the captions, inside a word and at its end, in the order of their codes.
///
/// The trainer breaks ties between equally frequent pairs by the numbers of their parts, and would
/// number characters in the order in which a hash map with a random state gives the words. Numbered
/// beforehand, the same captions always give the same vocabulary.
fn alphabet(data: &Dataset) -> Vec<AddedToken> {
    let texts = data.examples.iter().map(|example| example.text.to_lowercase());
    let characters: BTreeSet<char> =
        texts.flat_map(|text| text.chars().collect::<Vec<_>>()).collect();
    let spellings = characters.iter().flat_map(|c| [c.to_string(), format!("{c}</w>")]);
    spellings.map(|spelling| AddedToken::from(spelling, true)).collect()
}

fn vocabulary(merges: &[&str]) -> Map<String, Value> {
    let bytes = clip::byte_characters();
    let single = bytes.iter().map(char::to_string);
    let last = bytes.iter().map(|character| format!("{character}</w>"));
    let merged = merges.iter().map(|merge| merge.replace(' ', ""));
    let special = ["<|startoftext|>", "<|endoftext|>"].map(String::from);
    let all = single.chain(last).chain(merged).chain(special);
    all.enumerate().map(|(id, token)| (token, json!(id))).collect()
}

#[cfg(test)]
mod tests {
    use pictures::Example;

    use super::*;

    #[test]
    fn train_same_captions_give_the_same_vocabulary() {
        let texts = ["a red cat", "a blue cap", "the red cap", "a bed", "the cat bit the bat"];
        let example = |text: &str| Example {
            file_name: String::new(),
            text: text.into(),
            caption: String::new(),
            style: String::new(),
            pixels: Vec::new(),
        };
        let examples = texts.map(example).to_vec();
        let folder = std::env::temp_dir().join(format!("vocabulary-{}", std::process::id()));
        let merges: Vec<String> = (0..8)
            .map(|run| {
                let data = Dataset { examples: examples.clone(), size: 0 };
                let out = folder.join(run.to_string());
                train(&data, 530, 8, &out).unwrap();
                std::fs::read_to_string(out.join("merges.txt")).unwrap()
            })
            .collect();
        std::fs::remove_dir_all(&folder).unwrap();
        assert!(merges[0].lines().count() > 5);
        assert!(merges.iter().all(|other| *other == merges[0]));
    }
}
