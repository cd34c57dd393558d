//! LoRAs that are merged into the model, as options.

use std::path::Path;

use anyhow::bail;
use clap::Args;
use lora::LoraChoice;
use pipeline::{LoraRecord, PictureRecord};

use crate::failure::usage;

/// Which LoRAs are merged into the model.
#[derive(Args)]
pub struct LoraOptions {
    /// LoRA merged into the model (names of kohya's, of diffusers' or of PEFT's): its file, by which
    /// factor (else 1), into which blocks (else all): `style.safetensors`, `style.safetensors=0.8`,
    /// `style.safetensors=0.8@up_blocks.1,text_encoder`. May be given several times.
    #[arg(long = "lora", value_name = "FILE[=STRENGTH[@BLOCKS]]", allow_hyphen_values = false)]
    choices: Vec<LoraChoice>,
}

impl LoraOptions {
    /// What was chosen, in its order.
    pub fn choices(&self) -> &[LoraChoice] {
        &self.choices
    }

    /// The files: something that is read.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.choices.iter().map(|choice| choice.path.as_path())
    }

    /// The LoRAs of a picture, as it had them; the options only name their files.
    ///
    /// # Errors
    /// Where the file of one is not named, and where one is named that the picture does not have.
    pub fn recorded(self, record: &PictureRecord) -> anyhow::Result<Self> {
        let mut files = Vec::new();
        for choice in self.choices {
            if choice != LoraChoice::new(&choice.path) {
                return Err(usage(
                    "with --like the picture says how strongly and where a LoRA is merged: expected \
                     --lora FILE",
                ));
            }
            let sha256 = hub::hash_file(&choice.path)?.sha256;
            if !record.loras.iter().any(|lora| lora.sha256 == sha256) {
                let path = choice.path.display();
                bail!("the picture was made without `{path}`, whose sha256 is {sha256}");
            }
            files.push((sha256, choice.path));
        }
        let choice = |lora: &LoraRecord| match files.iter().find(|(hash, _)| *hash == lora.sha256) {
            Some((_, path)) => Ok(LoraChoice {
                path: path.clone(),
                strength: lora.strength,
                blocks: lora.blocks.clone(),
            }),
            None => bail!(
                "the picture was made with the LoRA `{}` of sha256 {}: name its file with --lora",
                lora.file,
                lora.sha256
            ),
        };
        Ok(Self { choices: record.loras.iter().map(choice).collect::<anyhow::Result<_>>()? })
    }
}
