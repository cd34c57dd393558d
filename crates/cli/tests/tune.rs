//! `tune` as a person runs it.

use std::path::Path;

use serde_json::Value;

use crate::support::{change_state, fail, run, succeed};

fn text(path: &Path) -> String {
    path.display().to_string()
}

#[test]
fn searches_interrupted_go_on_to_the_same_bytes_and_are_used_as_schedules() {
    let folder = tempfile::tempdir().unwrap();
    let (out, prompts) = (folder.path().join("tune"), folder.path().join("others.txt"));
    std::fs::write(&prompts, "a cartoon of a lion\n\npixel art of a compass\n").unwrap();
    let (place, others) = (text(&out), text(&prompts));
    let tune = [
        "tune",
        "a flat icon of a red heart",
        "--steps",
        "2",
        "--train-seeds",
        "1,2",
        "--test-seeds",
        "3,4",
        "--other-prompts",
        &others,
        "--budget",
        "5",
        "--out",
        &place,
    ];
    let printed = succeed(&tune);
    assert!(printed.contains("test seeds: vanilla") && printed.contains("beat"), "{printed}");
    let results =
        || ["tune.json", "schedule.toml"].map(|name| std::fs::read(out.join(name)).unwrap());
    let expected = results();
    let report: Value = serde_json::from_slice(&expected[0]).unwrap();
    assert_eq!(
        (&report["evaluations"], &report["summary"]["test"]["difference"]["count"]),
        (&5.into(), &2.into())
    );
    let verdict = report["summary"]["verdict"].as_str().unwrap();
    let beats = report["summary"]["beats_vanilla"].as_bool().unwrap();
    assert_eq!(!verdict.starts_with("nothing"), beats, "{verdict}");
    let other = &report["summary"]["other"];
    assert_eq!((&other["over"], &other["difference"]["count"]), (&"prompts".into(), &2.into()));
    assert_eq!(other["scores"][0].as_array().unwrap().len(), 4);
    // A state as an interrupted search leaves it.
    let state = out.join("state.json");
    change_state(&state, |state| state["evaluations"].as_array_mut().unwrap().truncate(2));
    assert_eq!(succeed(&tune), printed);
    assert_eq!(results(), expected);
    let error = fail(&[&tune[..], &["--limit", "0.2"]].concat());
    assert!(error.contains("other settings"), "{error}");
    let both = [&tune[..], &["--more-prompts", &others]].concat();
    assert!(fail(&both).contains("a cartoon of a lion\" in both"));
    let error = fail(&[&tune[..], &["--guidance", "2"]].concat());
    assert!(error.contains("of another run"), "{error}");
    let (schedule, grid) = (text(&out.join("schedule.toml")), text(&folder.path().join("g.png")));
    succeed(&["compare", "a", "--steps", "2", "--weights", &schedule, "--out", &grid]);
}

#[test]
fn files_that_cannot_be_used_are_failures() {
    let folder = tempfile::tempdir().unwrap();
    let (empty, missing) = (folder.path().join("empty.txt"), folder.path().join("none.txt"));
    std::fs::write(&empty, "\n  \n").unwrap();
    let out = text(&folder.path().join("tune"));
    let scorer = text(folder.path());
    for (more, word) in [
        (["--other-prompts", &text(&empty)], "a prompt on each line"),
        (["--other-prompts", &text(&missing)], "none.txt"),
        (["--more-prompts", &text(&empty)], "empty.txt"),
        (["--scorer", &scorer], "the scorer"),
    ] {
        let output = run(&[&["tune", "a", "--steps", "1", "--out", &out][..], &more].concat());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(word) && !said.contains("panicked"), "{said}");
    }
    assert!(!folder.path().join("tune").exists(), "nothing was written");
}
