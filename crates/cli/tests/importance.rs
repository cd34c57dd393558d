//! Importance, effects, and the schedules that are made from them.

use std::path::Path;

use crate::support::{change_state, fail, model, run, succeed};

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
        // A second call goes on from the finished state, or from the first step, and gives the same.
        let state = Path::new(&out).join("state.json");
        change_state(&state, |state| {
            if let Some(measured) =
                state.get_mut("measured").and_then(serde_json::Value::as_array_mut)
            {
                measured.truncate(1);
            }
        });
        let again: serde_json::Value = serde_json::from_str(&succeed(&arguments)).unwrap();
        for key in ["scores", "ranking", "values", "intervals", "evidence"] {
            assert_eq!(first[key], again[key], "{method}: {key}");
        }
        assert_eq!(first["cost"]["unet_samples"], again["cost"]["unet_samples"], "{method}");
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
