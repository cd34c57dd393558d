//! Wrong uses end with code 2, failures with code 1, and both say why; nothing ends in a panic.

use std::path::Path;

use crate::support;
use crate::support::{model, run};

/// Runs the program, and checks the code and a word of what it says.
fn check(code: i32, arguments: &[&str], word: &str) {
    let output = run(arguments);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
    assert!(said.contains(word), "{arguments:?}: expected `{word}` in: {said}");
    assert!(!said.contains("panicked"), "{arguments:?}: {said}");
}

#[test]
fn wrong_options_are_refused_before_any_work() {
    let huge = "18446744073709551615";
    let cases: &[(&[&str], &str)] = &[
        (&[], "Usage"),
        (&["paint"], "paint"),
        (&["generate"], "PROMPT"),
        (&["generate", "a", "--steps", "0"], "--steps"),
        (&["generate", "a", "--steps", "100000000000"], "--steps"),
        (&["generate", "a", "--steps", huge], "--steps"),
        (&["generate", "a", "--width", "0"], "--width"),
        (&["generate", "a", "--height", "4611686018427387904"], "--height"),
        (&["generate", "a", "--seeds", ""], "--seeds"),
        (&["generate", "a", "--seeds", "1,-2"], "--seeds"),
        (&["generate", "a", "--device", "tpu"], "tpu"),
        (&["generate", "a", "--device", "cpu:9"], "cpu:9"),
        (&["generate", "a", "--dtype", "f8"], "f8"),
        (&["generate", "a", "--noise", "white"], "white"),
        (&["generate", "a", "--scheduler", "magic"], "magic"),
        (&["generate", "a", "--model", "sdxl_turbo"], "did you mean `sdxl-turbo`?"),
        (&["generate", "a", "--model", "emoji-sd", "--base", "nonsense"], "nonsense"),
        (&["generate", "a", "--model", "emoji-sd", "--base", "sd-turbo"], "--base"),
        (&["probe", "a", "--rounds", "0"], "rounds"),
        (&["probe", "a", "--rounds", huge], "--rounds"),
        (&["probe", "a", "--epochs", huge], "--epochs"),
        (&["probe", "a", "--candidates", huge], "--candidates"),
        (&["probe", "a", "--unet-batch", "0"], "--unet-batch"),
        (&["probe", "a", "--preset", "fast"], "fast"),
        (&["probe", "a", "--tolerance", "1"], "first,last"),
        (&["importance"], "PROMPT"),
        (&["importance", "a", "--seeds", "1,2,1"], "different --seeds, found 1 twice"),
        (&["effects", "a", "--seeds", "3,3"], "different --seeds"),
        (&["explain", "a", "--seeds", "3,3", "--dry-run"], "different --seeds"),
        (&["importance", "a", "--method", "guess"], "guess"),
        (&["importance", "a", "--rounds", "3"], "--rounds means nothing to --method derivative"),
        (&["importance", "a", "--method", "skip", "--fast"], "--fast means nothing"),
        (&["importance", "a", "--method", "vote", "--preset", "fast"], "both-ways"),
        (&["schedule", "importance"], "--probe"),
        (&["schedule", "importance", "--steps", "7"], "--steps means nothing"),
        (&["schedule", "static", "--probe", "p.json"], "--probe means nothing"),
        (&["schedule", "static", "--weight", "-1"], "0 or more"),
        (&["schedule", "static", "--block", "7"], "below 7"),
        (&["schedule", "static", "--steps", "100000000000"], "--steps"),
        (&["schedule", "empirical", "--low", "1.2"], "low <= high"),
        (&["schedule", "empirical", "--low", "nan"], "low"),
        (&["schedule", "static", "--model", "nonsense"], "nonsense"),
        (&["schedule", "static", "--budget", "0.8"], "--budget means nothing"),
        (&["schedule", "importance", "--reuse"], "--reuse means nothing"),
        (&["schedule", "skip"], "--map"),
        (
            &["schedule", "skip", "--map", "m", "--budget", "1", "--measure-reuse"],
            "--measure-reuse means nothing without --reuse",
        ),
        (&["schedule", "skip", "--map", "m.json"], "--budget"),
        (&["schedule", "skip", "--map", "m.json", "--budget", "0"], "--budget above 0"),
        (&["schedule", "skip", "--map", "m.json", "--budget", "nan"], "--budget above 0"),
        (&["schedule", "skip", "--map", "m.json", "--budget", "1", "--low", "1"], "--low means"),
        (&["schedule", "skip", "--map", "m.json", "--budget", "1", "--runs", "1001"], "--runs"),
        (
            &["schedule", "skip", "--map", "m", "--budget", "1", "--cost", "time", "--runs", "0"],
            "--cost time measures",
        ),
        (&["schedule", "static", "--json", "--out", "s.toml"], "`.json`"),
        (&["schedule", "static", "--out", "s.yaml"], "`.toml` or `.json`"),
        (&["compare", "a"], "--weights"),
        (&["compare", "a", "--weights", "w.toml", "--freeu", "1,2,3"], "four FreeU factors"),
        (&["compare", "a", "--weights", "w.toml", "--freeu", "1,2,3,nan"], "s2"),
        (&["compare", "a", "--weights", "w.toml", "--out", "grid.json"], ".png"),
        (&["fit"], "--pictures"),
        (&["fit", "--pictures", "p", "--split", "0"], "--split above 0"),
        (&["fit", "--pictures", "p", "--split", "nan"], "--split above 0"),
        (&["fit", "--pictures", "p", "--split", "0.5", "--test", "q"], "--split"),
        (&["fit", "--pictures", "p", "--test-prompts", "q"], "--test"),
        (&["fit", "--pictures", "p", "--ridge", "-1"], "ridge of 0 or more"),
        (&["fit", "--pictures", "p", "--limit", "0"], "limit above 0"),
        (&["fit", "--pictures", "p", "--limit", "1.5"], "limit above 0"),
        (&["fit", "--pictures", "p", "--per", "block"], "block"),
        (&["fit", "--pictures", "p", "--draws", "0"], "--draws"),
        (&["fit", "--pictures", "p", "--steps", "0"], "--steps"),
        (&["tune"], "PROMPT"),
        (&["tune", "a", "--budget", "2"], "at least 3 evaluations"),
        (&["tune", "a", "--change", "0"], "first step above 0"),
        (&["tune", "a", "--change", "0.4"], "limit from there to 1"),
        (&["tune", "a", "--limit", "nan"], "limit from there to 1"),
        (&["tune", "a", "--score", "beauty"], "beauty"),
        (&["tune", "a", "--train-seeds", "1,2", "--test-seeds", "2,3"], "found 2 in both"),
        (&["tune", "a", "--tokenizer", "t"], "--tokenizer means nothing"),
        (&["tune", "a", "--initial-noise", "n"], "--initial-noise means nothing"),
        (&["inspect", "--width", "0"], "--width"),
        (&["inspect", "--width", "4294967296"], "--width"),
        (&["inspect", "--model", "nonsense"], "nonsense"),
        (&["inspect", "--base", "nonsense"], "nonsense"),
        (&["score", "fid", "a", "b", "--dims", "5"], "2048"),
        (&["score", "fid", "a", "b", "--dims", "64", "--network", "clip"], "--dims"),
        (&["score", "kid", "a", "b", "--subsets", "0"], "--subsets"),
        (&["score", "kid", "a", "b", "--subsets", huge], "--subsets"),
        (&["score", "lpips", "a", "b", "--resize", "0"], "--resize"),
        (&["score", "lpips", "a", "b", "--resize", "100000"], "--resize"),
        (&["score", "lpips", "a", "b", "--resize", huge], "--resize"),
        (&["score", "clip", "a", "--batch", "0"], "--batch"),
        (&["download", "nonsense"], "nonsense"),
        (&["download", "hps-v2", "--variant", "single-file"], "no variant `single-file`"),
        (&["download", "hps-v2", "--variant", "fp16", "--dry-run"], "no variant `fp16`"),
        (&["download", "sd-turbo", "--variant", "fp8"], "fp8"),
        (&["download", "sd-turbo", "--workers", "0"], "--workers"),
        (&["completions", "dosh"], "dosh"),
    ];
    for (arguments, word) in cases {
        check(2, arguments, word);
    }
}

#[test]
fn what_does_not_fit_the_model_is_a_wrong_use() {
    let model = model().display().to_string();
    for (arguments, word) in [
        (vec!["generate", "a", "--width", "63"], "multiples of 4"),
        (vec!["probe", "a", "--steps", "5000"], "steps"),
    ] {
        check(2, &[&arguments[..], &["--model", &model]].concat(), word);
    }
}

#[test]
fn files_that_cannot_be_used_are_failures() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.display().to_string()
    };
    let array = file("array.json", "[1, 2]");
    let blocked = file("file", "in the way");
    let missing = folder.path().join("missing.toml").display().to_string();
    for (arguments, word) in [
        (vec!["schedule", "importance", "--probe", &array], "importance"),
        (vec!["schedule", "inverted", "--probe", &missing], "missing.toml"),
        (vec!["generate", "a", "--out", &blocked], "is a file, expected a folder"),
        (vec!["generate", "a", "--weights", &missing], "missing.toml"),
        (vec!["score", "psnr", &missing, &missing], "missing.toml"),
    ] {
        check(1, &arguments, word);
    }
}

#[test]
fn names_with_control_characters_are_shown_escaped() {
    check(2, &["generate", "a", "--model", "no\u{1b}[31msuch"], "no\\u{1b}[31msuch");
}

#[cfg(target_os = "linux")]
#[test]
fn output_that_nobody_takes_ends_quietly_and_a_full_disk_with_an_error() {
    use std::process::Stdio;
    for arguments in [
        &["schedule", "static"][..],
        &["inspect"],
        &["inspect", "--json"],
        &["completions", "bash"],
        &["download", "--list"],
    ] {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let output = support::program(arguments).stdout(full).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {said}");
        assert!(said.contains("standard output: No space left"), "{arguments:?}: {said}");
        // A pipe whose reader is gone before anything is written.
        let mut reader = std::process::Command::new("true").stdin(Stdio::piped()).spawn().unwrap();
        let pipe = reader.stdin.take().unwrap();
        reader.wait().unwrap();
        let output = support::program(arguments).stdout(pipe).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success() && said.is_empty(), "{arguments:?}: {said}");
    }
    // Standard error that cannot be written changes nothing.
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let output = support::program(&["download", "nonsense"]).stderr(full).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn the_program_runs_in_any_folder() {
    let folder = tempfile::tempdir().unwrap();
    let inspect = || {
        let mut program = support::program(&["inspect", "--json"]);
        program.current_dir(folder.path());
        program
    };
    let output = inspect().output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let facts: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(facts["model"], "emoji-sd");
    // The folder that a variable names comes first.
    let output = inspect().env("UNET_REWEIGHT_MODELS", folder.path()).output().unwrap();
    assert!(output.status.success());
    std::fs::create_dir(folder.path().join("emoji-sd")).unwrap();
    let output = inspect().env("UNET_REWEIGHT_MODELS", folder.path()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains(&Path::new("emoji-sd").display().to_string()), "{said}");
    assert_eq!(output.status.code(), Some(1), "{said}");
}
