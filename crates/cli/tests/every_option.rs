//! Every option of every command with every hostile value: the program says what is wrong, and ends.

use std::path::Path;

use hostile::{Taken, Usual, try_every_option};

use crate::support::{model, program, succeed};

const TAKEN: Taken<'_> = Taken {
    texts: &["--negative", "--prompt", "--to"],
    names: &["--out", "--save-stats"],
    whole: &["--seed", "--seeds", "--train-seeds", "--test-seeds", "--probe-seed", "--search-seed"],
    numbers: &[
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
    ],
};

/// All commands, the cheapest first: options that several share are tried with the first.
fn commands(files: &Path) -> Vec<Usual> {
    let file = |name: &str| files.join(name).display().to_string();
    let source = model().join("validation/nature_dragon_pixel.png").display().to_string();
    let (pictures, map, masks, weights) =
        (&file("pictures"), &file("map"), &file("masks"), &file("w.toml"));
    let [map, masks] = [map, masks].map(|folder| format!("{folder}/importance.json"));
    vec![
        Usual::new("inspect", &[]),
        Usual::new("completions", &["bash"]),
        Usual::new("download", &["hps-v2", "--dry-run"]),
        Usual::new("download", &["--list"]),
        Usual::new("schedule", &["static", "--steps", "1"]),
        Usual::new("schedule", &["empirical", "--steps", "1"]),
        Usual::new("schedule", &["importance", "--map", &map]),
        Usual::new("schedule", &["skip", "--map", &masks, "--budget", "0.9", "--runs", "0"]),
        Usual::new("score psnr", &[pictures, pictures]),
        Usual::new("score ssim", &[pictures, pictures]),
        Usual::new("score clip", &[pictures]),
        Usual::new("score fid", &[pictures, pictures, "--network", "clip"]),
        Usual::new("explain", &["a", "--steps", "1", "--seeds", "1", "--dry-run"]),
        Usual::new("generate", &["a", "--steps", "1"]),
        Usual::new("generate", &["a", "--steps", "2", "--image", &source]),
        Usual::new("edit", &[&source, "--prompt", "a", "--to", "b", "--steps", "1"]),
        Usual::new("compare", &["a", "--steps", "1", "--weights", weights]),
        Usual::new("importance", &["a", "--steps", "1", "--seeds", "1"]),
        Usual::new("importance", &["a", "--steps", "1", "--method", "vote", "--rounds", "1"]),
        Usual::new("effects", &["a", "--steps", "1"]),
        Usual::new(
            "probe",
            &["a", "--steps", "1", "--rounds", "1", "--epochs", "1", "--candidates", "1"],
        ),
        Usual::new("fit", &["--pictures", pictures, "--steps", "1", "--proposition", "0"]),
        Usual::new(
            "tune",
            &["a", "--steps", "1", "--train-seeds", "1", "--test-seeds", "2", "--budget", "3"],
        ),
        Usual::new("export checkpoint", &["--out", "x.safetensors"]),
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
    let program =
        |arguments: &[String]| program(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
    let summary = try_every_option(program, &commands(files.path()), TAKEN).unwrap();
    println!("{summary:?}");
}
