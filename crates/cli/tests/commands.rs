//! The commands as a person runs them.

use std::path::Path;

use unet_core::BlockMode;

use crate::support::{fail, model, run, succeed};

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
fn skips_within_a_budget_are_scheduled_and_generated() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (out, pictures, model) = (path("map"), path("pictures"), model().display().to_string());
    let prompt = "a flat icon of a red heart";
    let common = ["--model", &model, "--steps", "3", "--seeds", "1", "--out"];
    let measure = ["importance", prompt, "--method", "skip"];
    succeed(&[&measure[..], &common, &[&out]].concat());
    let map = format!("{out}/importance.json");
    for option in [None, Some("--reuse")] {
        let schedule = path(&format!("{}.toml", option.unwrap_or("skip")));
        let mut arguments = vec!["schedule", "skip", "--map", &map, "--model", &model];
        arguments.extend(["--budget", "0.8", "--runs", "1", "--out", &schedule]);
        arguments.extend(option);
        let output = run(&arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
        assert!(said.contains("multiply-accumulates") && said.contains("ms"), "{said}");
        let blocks = reweight::Policy::from_file(&schedule).unwrap().blocks.unwrap();
        let runs = |step| (0..7).filter(|at| blocks.mode(step, *at) == BlockMode::Run).count();
        assert!([0, 1, 2].into_iter().any(|step| runs(step) < 7));
        assert!(option.is_none() || runs(0) == 7, "all blocks run before they are reused");
        let generate = ["generate", prompt, "--weights", &schedule];
        succeed(&[&generate[..], &common, &[&pictures]].concat());
    }
    let error = fail(&["schedule", "skip", "--map", &map, "--budget", "0.1"]);
    assert!(error.contains("at least 0.56") && error.contains("found 0.1"), "{error}");
    // Another model's map.
    let other = ["schedule", "skip", "--map", &map, "--budget", "0.9", "--model", "sdxl-turbo"];
    let error = fail(&other);
    assert!(error.contains("name the map's with --model"), "{error}");
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
fn importance_by_every_method_makes_a_map_that_schedules_are_made_from() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let model = model().display().to_string();
    for (method, more, samples) in [
        ("derivative", &["--seeds", "1,2"][..], Some(2 * 2 * 2 * 8)),
        ("skip", &["--seeds", "1,2"], Some(2 * 2 * 2 * 8)),
        ("masks", &["--seeds", "1", "--guidance", "1"], Some(2 * 128)),
        ("vote", &["--rounds", "2", "--epochs", "1"], Some(2 * 2 * (1 + 2 * 4))),
        ("vote", &["--rounds", "9", "--epochs", "2", "--fast"], None),
    ] {
        let out = path(&format!("{method}{}", more.len()));
        let arguments = ["importance", "a red heart", "--model", &model, "--steps", "2", "--out"];
        let fixed = ["--method", method, "--json"];
        let arguments = [&arguments[..], &[&out], &fixed, more].concat();
        let first: serde_json::Value = serde_json::from_str(&succeed(&arguments)).unwrap();
        assert_eq!(first["method"], method);
        let samples_taken = first["cost"]["unet_samples"].as_u64().unwrap();
        assert!(
            samples.is_none_or(|samples| samples_taken == samples),
            "{method}: {samples_taken}"
        );
        // A second call goes on from the finished state and gives the same.
        let again: serde_json::Value = serde_json::from_str(&succeed(&arguments)).unwrap();
        for key in ["scores", "ranking", "values", "intervals", "evidence"] {
            assert_eq!(first[key], again[key], "{method}: {key}");
        }
        for name in ["importance.csv", "importance.svg"] {
            assert!(Path::new(&out).join(name).exists(), "{method}: {name}");
        }
        let map = format!("{out}/importance.json");
        let text = succeed(&["schedule", "importance", "--map", &map, "--json"]);
        let schedule: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(schedule["blocks"]["weights"].as_array().unwrap().len(), 2, "{method}");
    }
}

#[test]
fn effects_are_measured_on_latents_and_pictures_and_resumed() {
    let folder = tempfile::tempdir().unwrap();
    let (model, out) = (model().display().to_string(), folder.path().display().to_string());
    let arguments = |seeds: &'static str| {
        let fixed = ["effects", "a red heart", "--model", &model, "--steps", "1", "--effect"];
        [&fixed[..], &["skip", "--seeds", seeds, "--out", &out, "--json"]].concat()
    };
    let first = succeed(&arguments("1,2"));
    let result: serde_json::Value = serde_json::from_str(&first).unwrap();
    for key in ["latents", "psnr", "score"] {
        assert_eq!(result[key][0].as_array().unwrap().len(), 7, "{key}");
    }
    assert!(result["latents"][0].as_array().unwrap().iter().all(|v| v.as_f64().unwrap() > 0.0));
    assert_eq!(result["lpips"], serde_json::Value::Null, "its weights are not there");
    assert_eq!(first, succeed(&arguments("1,2")));
    // The state is of other seeds.
    assert!(fail(&arguments("3")).contains("state.json"));
}

#[test]
fn schedules_explain_themselves_and_fit_other_steps_only_when_asked() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let model = model().display().to_string();
    let (out, schedule) = (path("importance"), path("s.toml"));
    let prompt = ["a red heart", "--model", &model];
    let importance = ["importance", "--steps", "4", "--seeds", "1", "--out", &out];
    succeed(&[&importance[..], &prompt].concat());
    let map = format!("{out}/importance.json");
    succeed(&["schedule", "importance", "--map", &map, "--out", &schedule]);
    let written = reweight::Schedule::from_file(&schedule).unwrap();
    assert_eq!(written.version, Some(1));
    assert_eq!(written.steps.as_ref().unwrap().len(), 4);
    assert_eq!(written.paths.as_ref().unwrap()[3], "mid_block");
    assert!(written.model.unwrap().sha256.unwrap().len() == 64);
    let origin = written.origin.unwrap();
    assert_eq!((origin.prompt.as_deref(), &origin.seeds[..]), (Some("a red heart"), &[1][..]));
    assert!(origin.method.contains("importance by derivative"), "{}", origin.method);
    let pictures = path("pictures");
    let generate = ["generate", "--steps", "2", "--seeds", "1", "--weights", &schedule, "--out"];
    let generate = [&generate[..], &[&pictures], &prompt].concat();
    let error = fail(&generate);
    assert!(error.contains("4 steps, expected 2") && error.contains("--resample"), "{error}");
    for how in ["nearest", "interpolate"] {
        let output = run(&[&generate[..], &["--resample", how]].concat());
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success() && said.contains("for 4 steps, applied to 2"), "{said}");
    }
    let whole = std::fs::read(format!("{pictures}/1.png")).unwrap();
    succeed(&[&generate[..], &["--resample", "nearest", "--window", "0.5,1"]].concat());
    assert_ne!(std::fs::read(format!("{pictures}/1.png")).unwrap(), whole);
    let error = fail(&[&generate[..], &["--window", "0.5,0.1"]].concat());
    assert!(error.contains("start < end"), "{error}");
}
