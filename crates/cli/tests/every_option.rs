//! Every option of every command with every hostile value: the program says what is wrong, and ends.

use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use hostile::{Case, CliOption, Given, Limits, Summary, cases, options, run_all};

use crate::support::{model, program, succeed};

/// What a run may take; none of the usual runs needs half of it.
const LIMITS: Limits = Limits { address_space: 6 << 30, time: Duration::from_secs(60) };
/// Set, all options of all commands are tried, not only those that differ between commands.
const LONG: &str = "UNET_REWEIGHT_EVERY_OPTION";

/// Options that take any text.
const TEXTS: [&str; 3] = ["--negative", "--prompt", "--to"];
/// Options that name a file or folder that is written.
const WRITTEN: [&str; 2] = ["--out", "--save-stats"];
/// Options that take any whole number of 64 bits.
const SEEDS: [&str; 6] =
    ["--seed", "--seeds", "--train-seeds", "--test-seeds", "--probe-seed", "--search-seed"];
/// Which of the hostile numbers other options take.
const NUMBERS: [(&str, &[&str]); 12] = [
    ("--guidance", &["0", "0.5"]),
    ("--source-guidance", &["0", "0.5"]),
    ("--eta", &["0", "0.5"]),
    ("--weight", &["0", "0.5"]),
    ("--low", &["0", "0.5"]),
    ("--block", &["0"]),
    ("--runs", &["0"]),
    ("--budget", &["0.5"]),
    ("--split", &["0.5"]),
    ("--ridge", &["0", "0.5"]),
    ("--limit", &["0.5"]),
    ("--proposition", &["0"]),
];

/// Whether an option may do what it is given.
fn may_be_done(case: &Case) -> bool {
    let name = case.option.as_str();
    match case.given {
        Given::Flag => true,
        Given::Value(value) => {
            let whole = value.split(',').all(|part| part.parse::<u64>().is_ok());
            let many = name.ends_with("seeds") || !value.contains(',');
            TEXTS.contains(&name)
                || WRITTEN.contains(&name) && !value.is_empty()
                || SEEDS.contains(&name) && whole && many
                || NUMBERS.iter().any(|(of, values)| *of == name && values.contains(&value))
        }
        Given::Missing | Given::Twice => false,
    }
}

/// A command, and arguments with which it ends well.
struct Usual {
    command: &'static str,
    arguments: Vec<String>,
}

fn usual(command: &'static str, arguments: &[&str]) -> Usual {
    Usual { command, arguments: arguments.iter().map(|text| text.to_string()).collect() }
}

/// All commands, the cheapest first: options that several share are tried with the first.
fn commands(files: &Path) -> Vec<Usual> {
    let file = |name: &str| files.join(name).display().to_string();
    let source = model().join("validation/nature_dragon_pixel.png").display().to_string();
    let (pictures, map, masks, weights) =
        (&file("pictures"), &file("map"), &file("masks"), &file("w.toml"));
    let [map, masks] = [map, masks].map(|folder| format!("{folder}/importance.json"));
    vec![
        usual("inspect", &[]),
        usual("completions", &["bash"]),
        usual("download", &["hps-v2", "--dry-run"]),
        usual("download", &["--list"]),
        usual("schedule", &["static", "--steps", "1"]),
        usual("schedule", &["empirical", "--steps", "1"]),
        usual("schedule", &["importance", "--map", &map]),
        usual("schedule", &["skip", "--map", &masks, "--budget", "0.9", "--runs", "0"]),
        usual("score psnr", &[pictures, pictures]),
        usual("score ssim", &[pictures, pictures]),
        usual("score clip", &[pictures]),
        usual("score fid", &[pictures, pictures, "--network", "clip"]),
        usual("explain", &["a", "--steps", "1", "--seeds", "1", "--dry-run"]),
        usual("generate", &["a", "--steps", "1"]),
        usual("generate", &["a", "--steps", "2", "--image", &source]),
        usual("edit", &[&source, "--prompt", "a", "--to", "b", "--steps", "1"]),
        usual("compare", &["a", "--steps", "1", "--weights", weights]),
        usual("importance", &["a", "--steps", "1", "--seeds", "1"]),
        usual("importance", &["a", "--steps", "1", "--method", "vote", "--rounds", "1"]),
        usual("effects", &["a", "--steps", "1"]),
        usual("probe", &["a", "--steps", "1", "--rounds", "1", "--epochs", "1", "--candidates", "1"]),
        usual("fit", &["--pictures", pictures, "--steps", "1", "--proposition", "0"]),
        usual("tune", &["a", "--steps", "1", "--train-seeds", "1", "--test-seeds", "2", "--budget", "3"]),
        usual("export checkpoint", &["--out", "x.safetensors"]),
    ]
}

/// Pictures with prompts, importance maps and a schedule.
fn prepare(folder: &Path) {
    let path = |name: &str| folder.join(name).display().to_string();
    let importance = ["importance", "a", "--steps", "1", "--seeds", "1", "--out"];
    succeed(&[&importance[..], &[&path("map")]].concat());
    succeed(&[&importance[..], &[&path("masks"), "--method", "masks"]].concat());
    succeed(&["schedule", "static", "--steps", "1", "--out", &path("w.toml")]);
    succeed(&["generate", "a", "--steps", "1", "--seeds", "1,2,3", "--out", &path("pictures")]);
}

#[test]
fn every_option_with_every_hostile_value_is_told_what_is_wrong() {
    let files = tempfile::tempdir().unwrap();
    prepare(files.path());
    let work = tempfile::tempdir().unwrap();
    let long = std::env::var_os(LONG).is_some();
    let (mut all, mut seen): (Vec<Case>, HashSet<CliOption>) = Default::default();
    for Usual { command, arguments } in commands(files.path()) {
        let words: Vec<&str> = command.split(' ').collect();
        let help = succeed(&[&words[..], &["-h"]].concat());
        let options = options(&help);
        assert!(command == "completions" || !options.is_empty(), "{help}");
        let words: Vec<String> = words.iter().map(|word| word.to_string()).collect();
        let whole = [words, arguments].concat();
        // Without anything hostile it ends well, or nothing would be tried below.
        let ends_well = Case { option: "none".into(), given: Given::Flag, arguments: whole.clone() };
        all.push(ends_well);
        for option in options {
            if long || seen.insert(option.clone()) || whole.contains(&option.name) {
                all.extend(cases(&whole, &option));
            }
        }
    }
    let command = |case: &Case| -> std::io::Result<Command> {
        // Every run in a folder of its own, with nothing in it.
        let arguments: Vec<&str> = case.arguments.iter().map(String::as_str).collect();
        let mut program = program(&arguments);
        let folder = tempfile::Builder::new().disable_cleanup(true).tempdir_in(work.path())?;
        program.current_dir(folder.path());
        Ok(program)
    };
    let Summary { refused, failed, done, faults } =
        run_all(&all, LIMITS, command, may_be_done).unwrap();
    println!("{} cases: {refused} refused, {failed} failed, {done} done", all.len());
    assert!(faults.is_empty(), "{} of {}:\n{}", faults.len(), all.len(), faults.join("\n"));
    assert!(fs::read_dir(work.path()).unwrap().count() == all.len());
}
