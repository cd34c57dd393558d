//! Which LoRA is merged, how strongly, and where.

use std::path::PathBuf;
use std::str::FromStr;

use crate::LoraError;

/// Which LoRA is merged, how strongly, and where.
///
/// Read from `FILE`, `FILE=STRENGTH` or `FILE=STRENGTH@BLOCK,BLOCK`.
#[derive(Debug, Clone, PartialEq)]
pub struct LoraChoice {
    /// The file.
    pub path: PathBuf,
    /// Factor of all that it adds; 1 as it was trained, 0 nothing, negative the opposite.
    pub strength: f64,
    /// diffusers' paths of the blocks that it is merged into, such as `up_blocks.1` or
    /// `up_blocks.1.attentions.0`; `text_encoder`, `text_encoder_2` for those; all where empty.
    pub blocks: Vec<String>,
}

impl LoraChoice {
    /// All of `path`, as strong as it was trained.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), strength: 1.0, blocks: Vec::new() }
    }

    /// The chosen block that a layer lies in, by its path (`up_blocks.1.attentions.0.proj_in`, or
    /// `text_encoder.text_model…`); `None` where it is left out. Without blocks all are chosen.
    pub(crate) fn block_of(&self, layer: &str) -> Option<usize> {
        let within = |block: &String| {
            layer
                .strip_prefix(block.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        if self.blocks.is_empty() { Some(0) } else { self.blocks.iter().position(within) }
    }
}

impl FromStr for LoraChoice {
    type Err = LoraError;

    /// What is behind the last `=` is a strength where it begins like a number; else it belongs to
    /// the file's name.
    fn from_str(text: &str) -> Result<Self, LoraError> {
        let wrong = |reason: String| LoraError::Choice { text: text.into(), reason };
        let (path, strength, blocks) = match text.rsplit_once('=') {
            Some((path, rest)) if begins_like_a_number(rest) => {
                let (strength, blocks) = match rest.split_once('@') {
                    Some((strength, blocks)) => (strength, Some(blocks)),
                    None => (rest, None),
                };
                let value: f64 = strength
                    .parse()
                    .ok()
                    .filter(|value: &f64| value.is_finite())
                    .ok_or_else(|| wrong(format!("`{strength}` is no strength")))?;
                (path, value, blocks)
            }
            _ => (text, 1.0, None),
        };
        if path.is_empty() {
            return Err(wrong("it names no file".into()));
        }
        let blocks: Vec<String> =
            blocks.map_or_else(Vec::new, |blocks| blocks.split(',').map(str::to_string).collect());
        if blocks.iter().any(|block| block.is_empty()) {
            return Err(wrong("a block has no name".into()));
        }
        if let Some(block) = (1..blocks.len()).find(|&i| blocks[..i].contains(&blocks[i])) {
            return Err(wrong(format!("the block `{}` is there twice", blocks[block])));
        }
        Ok(Self { path: path.into(), strength, blocks })
    }
}

fn begins_like_a_number(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    digits.starts_with(|first: char| first.is_ascii_digit() || first == '.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn from_str_reads_file_strength_and_blocks() {
        for (text, path, strength, blocks) in [
            ("a.safetensors", "a.safetensors", 1.0, &[][..]),
            ("a=b.safetensors", "a=b.safetensors", 1.0, &[]),
            ("a=b.safetensors=-0.5", "a=b.safetensors", -0.5, &[]),
            ("a@b.st=.5@mid_block,up_blocks.1", "a@b.st", 0.5, &["mid_block", "up_blocks.1"]),
        ] {
            let choice: LoraChoice = text.parse().unwrap();
            let blocks = blocks.iter().map(ToString::to_string).collect();
            assert_eq!(choice, LoraChoice { path: path.into(), strength, blocks }, "{text}");
        }
    }

    #[test]
    fn from_str_refuses_what_is_not_clear() {
        for text in ["", "=1", "a=1e999", "a=1x", "a=1@", "a=1@mid_block,", "a=1@b,b"] {
            let error = text.parse::<LoraChoice>().unwrap_err().to_string();
            assert!(error.contains(&format!("`{text}`")), "{error}");
        }
    }

    #[test]
    fn a_block_holds_what_is_below_it_and_not_what_begins_alike() {
        let choice: LoraChoice = "a=1@up_blocks.1".parse().unwrap();
        assert_eq!(choice.block_of("up_blocks.1.attentions.0.proj_in"), Some(0));
        assert_eq!(choice.block_of("up_blocks.1"), Some(0));
        assert_eq!(choice.block_of("up_blocks.10.proj_in"), None);
    }
}
