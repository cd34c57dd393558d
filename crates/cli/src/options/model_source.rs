//! How a model was named, for commands that load the same one.

use std::path::Path;

use explain::ModelSource;
use lora::LoraChoice;
use pipeline::{Pipeline, Precision};

use super::ModelOptions;

impl ModelOptions {
    /// How `pipeline`, which was loaded with these options, is named. The device is left out: it is
    /// this machine's.
    pub fn source(&self, pipeline: &Pipeline) -> ModelSource {
        let mut arguments = Vec::new();
        let mut add = |option: &str, value: String| arguments.extend([option.to_string(), value]);
        if let Some(model) = &self.model {
            add("--model", model.clone());
        }
        if let Some(base) = &self.base {
            add("--base", base.clone());
        }
        for choice in self.loras.choices() {
            add("--lora", argument(choice));
        }
        if self.dtype != Precision::default() {
            add("--dtype", self.dtype.to_string());
        }
        if self.vae_tiling {
            arguments.push("--vae-tiling".into());
        }
        let preset = self.model.as_deref().filter(|model| !Path::new(model).exists());
        let repository = preset
            .and_then(|name| hub::preset(name).ok())
            .and_then(|preset| preset.repository.clone());
        let xl = pipeline.unet().config().addition_embed.is_some();
        ModelSource {
            arguments,
            class: if xl { "StableDiffusionXLPipeline" } else { "StableDiffusionPipeline" }.into(),
            single_file: repository.is_none() && pipeline.path().is_file(),
            place: repository.unwrap_or_else(|| pipeline.path().display().to_string()),
            loras: self.loras.choices().to_vec(),
        }
    }
}

/// A LoRA as `--lora` reads it.
fn argument(LoraChoice { path, strength, blocks }: &LoraChoice) -> String {
    let path = path.display();
    match blocks.is_empty() {
        true => format!("{path}={strength}"),
        false => format!("{path}={strength}@{}", blocks.join(",")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn argument_is_read_as_what_it_was_made_of() {
        for text in ["a.st", "a=b.st=0.1", "a=2=1", "a b.st=-0.5@mid_block,up_blocks.1"] {
            let choice: LoraChoice = text.parse().unwrap();
            assert_eq!(argument(&choice).parse::<LoraChoice>().unwrap(), choice, "{text}");
        }
    }
}
