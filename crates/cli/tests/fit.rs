//! `fit` as a person runs it.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::{change_state, fail, model, run, succeed};

/// A folder with some of the shipped model's held-out pictures and their prompts.
fn some_pictures(folder: &Path, chosen: std::ops::Range<usize>) -> PathBuf {
    let source = model().join("validation");
    let into = folder.join(format!("pictures-{}", chosen.start));
    std::fs::create_dir(&into).unwrap();
    let index = std::fs::read_to_string(source.join("metadata.jsonl")).unwrap();
    let mut lines = String::new();
    for line in index.lines().skip(chosen.start).take(chosen.len()) {
        let row: Value = serde_json::from_str(line).unwrap();
        let name = row["file_name"].as_str().unwrap();
        std::fs::copy(source.join(name), into.join(name)).unwrap();
        lines += &format!("{}\n", json!({ "file_name": name, "prompt": row["text"] }));
    }
    std::fs::write(into.join("metadata.jsonl"), lines).unwrap();
    into
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

#[test]
fn fits_are_the_same_for_any_batch_and_interruption_and_are_used_as_schedules() {
    let folder = tempfile::tempdir().unwrap();
    let pictures = text(&some_pictures(folder.path(), 0..4));
    let fit = |out: &Path, batch: &str| {
        let out = text(out);
        let common = ["fit", "--pictures", &pictures, "--steps", "2", "--per", "window"];
        succeed(&[&common[..], &["--unet-batch", batch, "--out", &out]].concat())
    };
    let [first, second] = ["first", "second"].map(|name| folder.path().join(name));
    let results = |out: &Path| {
        ["fit.json", "schedule.toml"].map(|name| std::fs::read(out.join(name)).unwrap())
    };
    let printed = fit(&first, "64");
    for words in ["out of sample", "Proposition 1", "gradients"] {
        assert!(printed.contains(words), "{printed}");
    }
    let expected = results(&first);
    let report: Value = serde_json::from_slice(&expected[0]).unwrap();
    assert_eq!((&report["plan"]["fitted"], &report["tested"]["pictures"]), (&json!(2), &json!(2)));
    assert_eq!(report["proposition"]["compared"], 14);
    fit(&second, "3");
    assert_eq!(results(&second), expected);
    // A state as an interrupted fit leaves it.
    let state = second.join("state.json");
    change_state(&state, |state| {
        state["moments"].as_array_mut().unwrap().truncate(3);
        for later in ["components", "reweighted"] {
            state[later] = json!([]);
        }
    });
    fit(&second, "64");
    assert_eq!(results(&second), expected);
    // Another plan is not gone on with, and says which file is in the way.
    let out = text(&second);
    let error = fail(&["fit", "--pictures", &pictures, "--steps", "2", "--out", &out]);
    assert!(error.contains("state.json`; remove it"), "{error}");
    let error = fail(&["fit", "--pictures", &pictures, "--steps", "3", "--out", &out]);
    assert!(error.contains("of another run"), "{error}");
    // The schedule goes the way of all schedules.
    let (schedule, out) = (text(&first.join("schedule.toml")), text(&folder.path().join("out")));
    let generate = ["generate", "a", "--steps", "2", "--weights", &schedule, "--out", &out];
    succeed(&generate);
    // As written it is written anew; changed by hand it is not.
    fit(&first, "64");
    let changed = std::fs::read_to_string(&schedule).unwrap() + "# mine\n";
    std::fs::write(&schedule, &changed).unwrap();
    let out = text(&first);
    let error = fail(&["fit", "--pictures", &pictures, "--steps", "2", "--out", &out]);
    assert!(error.contains("schedule.toml` exists") && error.contains("--force"), "{error}");
    assert_eq!(std::fs::read_to_string(&schedule).unwrap(), changed);
}

#[test]
fn pictures_that_cannot_be_fitted_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let pictures = some_pictures(folder.path(), 0..2);
    let out = text(&folder.path().join("out"));
    let refused = |code: i32, more: &[&str], word: &str| {
        let all = text(&pictures);
        let common = ["fit", "--pictures", &all, "--steps", "1", "--out", &out];
        let output = run(&[&common[..], more].concat());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{said}");
        assert!(said.contains(word) && !said.contains("panicked"), "{word}: {said}");
    };
    refused(2, &["--proposition", "1"], "found 1");
    refused(2, &["--proposition", "2"], "found 2");
    // The same pictures to fit on and to test on.
    let same = text(&pictures);
    refused(2, &["--test", &same], "are the same picture");
    refused(1, &["--test", "/nowhere"], "/nowhere");
    let index = pictures.join("metadata.jsonl");
    let lines = std::fs::read_to_string(&index).unwrap();
    let small = pictures.join("small.png");
    let grey = pictures::RgbImage { width: 32, height: 32, rgb: vec![128; 3 * 32 * 32] };
    grey.save_png(&small, &[]).unwrap();
    refused(1, &[], "small.png");
    let line = json!({ "file_name": "small.png", "prompt": "grey" });
    std::fs::write(&index, format!("{lines}{line}\n")).unwrap();
    refused(1, &[], "pixels as in");
}
