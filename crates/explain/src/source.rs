//! How the page's commands name the model.

use lora::LoraChoice;
use serde_json::Value;
use terminal::shell_word;

/// How the model was named, so that what the page copies loads the same one.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ModelSource {
    /// Arguments with which the program loads it: `--model`, `--lora` and so on, with their values.
    pub arguments: Vec<String>,
    /// diffusers' class of it, such as `StableDiffusionPipeline`.
    pub class: String,
    /// A repository, a folder, or a checkpoint in one file.
    pub place: String,
    /// Whether that is a checkpoint in one file.
    pub single_file: bool,
    /// LoRAs that were merged into it.
    pub loras: Vec<LoraChoice>,
}

impl ModelSource {
    /// The arguments as a shell reads them.
    pub(crate) fn command(&self) -> String {
        self.arguments.iter().map(|word| shell_word(word)).collect::<Vec<_>>().join(" ")
    }

    /// Lines of Python that load it as `pipe`.
    pub(crate) fn snippet(&self) -> String {
        let Self { class, place, .. } = self;
        let from = if self.single_file { "from_single_file" } else { "from_pretrained" };
        let mut lines = vec![
            format!("from diffusers import {class}"),
            format!("pipe = {class}.{from}({})", Value::from(&**place)),
        ];
        let (mut names, mut strengths) = (Vec::new(), Vec::new());
        for (number, LoraChoice { path, strength, blocks }) in self.loras.iter().enumerate() {
            let (name, path) = (format!("lora{number}"), path.display().to_string());
            let mut line =
                format!("pipe.load_lora_weights({}, adapter_name=\"{name}\")", Value::from(path));
            if !blocks.is_empty() {
                line += &format!("  # here in all blocks, on the page in {}", blocks.join(", "));
            }
            lines.push(line);
            names.push(name);
            strengths.push(strength);
        }
        if !names.is_empty() {
            lines.push(format!("pipe.set_adapters({names:?}, adapter_weights={strengths:?})"));
        }
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(arguments: &[&str]) -> ModelSource {
        ModelSource {
            arguments: arguments.iter().map(ToString::to_string).collect(),
            class: "StableDiffusionPipeline".into(),
            place: "my \"models\"/a".into(),
            single_file: false,
            loras: vec![
                LoraChoice { strength: 0.8, ..LoraChoice::new("it's.safetensors") },
                "b.st=-1@mid_block".parse().unwrap(),
            ],
        }
    }

    #[test]
    fn a_shell_reads_the_arguments_that_were_given() {
        let words =
            ["--model", "my models/$(a)", "--lora", "it's `x`.st=0.8@mid_block,b", "", "é;"];
        let script = format!("printf '%s\\n' {}", source(&words).command());
        let output = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
        let read = String::from_utf8(output.stdout).unwrap();
        assert_eq!(read.split_terminator('\n').collect::<Vec<_>>(), words);
    }

    #[test]
    fn snippet_loads_model_and_loras() {
        let expected = r#"from diffusers import StableDiffusionPipeline
pipe = StableDiffusionPipeline.from_pretrained("my \"models\"/a")
pipe.load_lora_weights("it's.safetensors", adapter_name="lora0")
pipe.load_lora_weights("b.st", adapter_name="lora1")  # here in all blocks, on the page in mid_block
pipe.set_adapters(["lora0", "lora1"], adapter_weights=[0.8, -1.0])"#;
        assert_eq!(source(&[]).snippet(), expected);
        let single = ModelSource { single_file: true, loras: Vec::new(), ..source(&[]) };
        assert!(single.snippet().ends_with(".from_single_file(\"my \\\"models\\\"/a\")"));
    }
}
