//! The commands as a person runs them.

use std::path::Path;

use crate::support::{fail, model, succeed};

#[test]
fn probe_schedule_generate_and_compare_work_together() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (model, probe, schedule) = (model().display().to_string(), path("probe"), path("s.toml"));
    let prompt = "a 3d render of a red heart";
    let text = succeed(&[
        "probe",
        prompt,
        "--model",
        &model,
        "--steps",
        "2",
        "--rounds",
        "2",
        "--epochs",
        "1",
        "--candidates",
        "1",
        "--out",
        &probe,
        "--json",
    ]);
    let result: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(result["importance"].as_array().unwrap().len(), 2);
    // A second call finds the finished state and gives the same.
    let again = succeed(&[
        "probe",
        prompt,
        "--model",
        &model,
        "--steps",
        "2",
        "--rounds",
        "2",
        "--epochs",
        "1",
        "--candidates",
        "1",
        "--out",
        &probe,
        "--json",
    ]);
    assert_eq!(text, again);
    let json = format!("{probe}/probe.json");
    succeed(&["schedule", "importance", "--probe", &json, "--out", &schedule]);
    let out = path("pictures");
    succeed(&[
        "generate",
        prompt,
        "--model",
        &model,
        "--steps",
        "2",
        "--seeds",
        "1,2",
        "--weights",
        &schedule,
        "--out",
        &out,
    ]);
    assert!(Path::new(&out).join("1.png").exists() && Path::new(&out).join("2.json").exists());
    let grid = path("grid.png");
    succeed(&[
        "compare",
        prompt,
        "--model",
        &model,
        "--steps",
        "2",
        "--weights",
        &schedule,
        "--out",
        &grid,
    ]);
    assert!(Path::new(&grid).exists());
    // The schedule has two steps.
    let error = fail(&[
        "generate",
        prompt,
        "--model",
        &model,
        "--steps",
        "3",
        "--weights",
        &schedule,
        "--out",
        &out,
    ]);
    assert!(error.contains("2 steps, expected 3"), "{error}");
}

#[test]
fn inspect_and_completions_print() {
    let model = model().display().to_string();
    let text = succeed(&["inspect", "--model", &model, "--json"]);
    let facts: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(facts["blocks"].as_array().unwrap().len(), 7);
    assert!(succeed(&["completions", "bash"]).contains("unet-reweight"));
}

#[test]
fn schedule_is_written_as_its_name_says() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["s.json", "s.toml"] {
        let path = folder.path().join(name);
        succeed(&["schedule", "static", "--steps", "2", "--out", path.to_str().unwrap()]);
        assert_eq!(reweight::Policy::from_file(&path).unwrap().blocks.unwrap().steps(), 2);
    }
}

#[test]
fn schedule_takes_a_preset_that_is_not_downloaded() {
    let text = succeed(&["schedule", "empirical", "--model", "sd-turbo", "--steps", "2", "--json"]);
    let schedule: serde_json::Value = serde_json::from_str(&text).unwrap();
    let weights = schedule["blocks"]["weights"].as_array().unwrap();
    assert_eq!((weights.len(), weights[0].as_array().unwrap().len()), (2, 7));
}

#[test]
fn bad_input_gives_clear_errors() {
    let model = model().display().to_string();
    let out = tempfile::tempdir().unwrap();
    let blocked = out.path().join("file");
    std::fs::write(&blocked, "in the way").unwrap();
    let blocked = blocked.display().to_string();
    for (arguments, word) in [
        (vec!["generate", "a", "--model", "/nowhere"], "/nowhere"),
        (vec!["generate", "a", "--model", &model, "--steps", "0"], "--steps"),
        (vec!["generate", "a", "--model", &model, "--width", "63"], "multiples of 4"),
        (vec!["generate", "a", "--model", &model, "--device", "tpu"], "tpu"),
        (vec!["generate", "a", "--model", &model, "--steps", "1", "--out", &blocked], "file"),
        (vec!["generate", "a", "--model", &model, "--weights", "w.ini"], "w.ini"),
        (vec!["schedule", "static", "--model", &model, "--weight=-1"], "0 or more"),
        (vec!["schedule", "static", "--model", &model, "--block", "7"], "below 7"),
        (vec!["schedule", "empirical", "--model", &model, "--low", "1.2"], "low <= high"),
        (vec!["schedule", "importance"], "--probe"),
        (vec!["probe", "a", "--model", &model, "--rounds", "0"], "rounds"),
        (vec!["probe", "a", "--model", &model, "--preset", "fast"], "fast"),
    ] {
        let error = fail(&arguments);
        assert!(error.contains(word), "{arguments:?}: {error}");
    }
    // Where a driver is, a build without CUDA says so; elsewhere the driver is what is missing.
    if !cfg!(feature = "cuda") || !pipeline::nvidia_driver_present() {
        let error = fail(&["generate", "a", "--model", &model, "--device", "cuda"]);
        assert!(error.contains("--features cuda"), "{error}");
    }
    if !cfg!(feature = "wgpu") {
        let error = fail(&["generate", "a", "--model", &model, "--device", "wgpu:1"]);
        assert!(error.contains("--features wgpu"), "{error}");
    }
}

#[test]
fn generate_from_saved_noise_gives_the_same_picture() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (model, first, second) = (model().display().to_string(), path("first"), path("second"));
    let common = ["generate", "a flat icon of a red heart", "--model", &model, "--steps", "1"];
    let noise = ["--noise", "torch-cpu", "--seeds", "5", "--save-latents", "--out", &first];
    succeed(&[&common[..], &noise].concat());
    let saved = format!("{first}/latents.safetensors");
    let again = ["--initial-noise", &saved, "--seeds", "5", "--out", &second];
    succeed(&[&common[..], &again].concat());
    let pixels = |folder: &str| {
        let bytes = std::fs::read(Path::new(folder).join("5.png")).unwrap();
        pictures::RgbImage::decode(&bytes).unwrap().rgb
    };
    assert_eq!(pixels(&first), pixels(&second));
    // One sample of noise is not enough for two seeds.
    let two = ["--initial-noise", &saved, "--seeds", "5,6", "--out", &second];
    let error = fail(&[&common[..], &two].concat());
    assert!(error.contains("latents.safetensors") && error.contains("[2, 4, 16, 16]"), "{error}");
}

#[test]
fn generate_like_a_picture_makes_it_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let model = model().display().to_string();
    let (first, schedule) = (path("first"), path("s.toml"));
    succeed(&["schedule", "static", "--steps", "3", "--block", "2", "--out", &schedule]);
    let made =
        ["generate", "a \"red\" Bär ★", "--negative", "blue", "--steps", "3", "--seeds", "7"];
    let more = ["--guidance", "2.5", "--scheduler", "euler-a", "--noise", "torch-cpu"];
    let files = ["--weights", &schedule, "--out", &first, "--model", &model];
    succeed(&[&made[..], &more, &files].concat());
    let picture = format!("{first}/7.png");
    let (again, other) = (path("again"), path("other"));
    succeed(&["generate", "--like", &picture, "--model", &model, "--out", &again]);
    let read = |folder: &str| std::fs::read(format!("{folder}/7.png")).unwrap();
    assert!(read(&first) == read(&again), "the files differ");
    let like = ["generate", "--like", &picture, "--model", &model];
    assert!(fail(&[&like[..], &["--out", &first]].concat()).contains("written over"));
    let error = fail(&[&like[..], &["--steps", "4", "--out", &other]].concat());
    assert!(error.contains("--steps"), "{error}");
    let grid = path("grid.png");
    let compare = ["compare", "a", "--steps", "3", "--weights", &schedule, "--out", &grid];
    succeed(&[&compare[..], &["--model", &model]].concat());
    let error = fail(&["generate", "--like", &grid, "--model", &model, "--out", &other]);
    assert!(error.contains("no single schedule"), "{error}");
    std::fs::write(path("foreign.png"), "no picture").unwrap();
    assert!(fail(&["generate", "--like", &path("foreign.png")]).contains("foreign.png"));
}
