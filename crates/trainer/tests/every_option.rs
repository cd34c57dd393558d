//! Every option of the programs with every hostile value.

use std::path::Path;
use std::process::Command;

use hostile::{Taken, Usual, try_every_option};

fn program(path: &str) -> impl Fn(&[String]) -> Command + Sync {
    move |arguments| {
        let mut command = Command::new(path);
        command.args(arguments);
        command
    }
}

#[test]
fn train_is_told_what_is_wrong_before_any_work() {
    let usual = [Usual::without_what_it_needs("", &["--data", "/nowhere"])];
    let taken = Taken { texts: &[], names: &[], whole: &[], numbers: &[] };
    try_every_option(program(env!("CARGO_BIN_EXE_train")), &usual, taken).unwrap();
}

#[test]
fn quality_is_told_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/emoji-sd/validation");
    let index = std::fs::read_to_string(shipped.join("metadata.jsonl")).unwrap();
    let train = folder.path().join("train");
    std::fs::create_dir(&train).unwrap();
    // All of one theme: some of their captions are also of pictures the model was trained on.
    let is_food = |line: &&str| line.contains("\"file_name\": \"food_");
    let lines: Vec<&str> = index.lines().filter(is_food).collect();
    for line in &lines {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let name = line["file_name"].as_str().unwrap();
        std::fs::copy(shipped.join(name), train.join(name)).unwrap();
    }
    std::fs::write(train.join("metadata.jsonl"), lines.join("\n")).unwrap();
    let data = folder.path().display().to_string();
    let usual = [Usual::new("", &["--data", &data, "--pictures", "1", "--steps", "1"])];
    let numbers: &[(&str, &[&str])] = &[("--guidance", &["0", "0.5"])];
    let taken = Taken { texts: &[], names: &[], whole: &["--seed"], numbers };
    try_every_option(program(env!("CARGO_BIN_EXE_quality")), &usual, taken).unwrap();
}
