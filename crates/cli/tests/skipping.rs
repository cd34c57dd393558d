//! Blocks that do not run, from the map to the picture.

use unet_core::BlockMode;

use crate::support::{fail, model, run, succeed};

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
    let reuse: [&[&str]; 3] = [&[], &["--reuse"], &["--reuse", "--measure-reuse"]];
    for (number, options) in reuse.into_iter().enumerate() {
        let schedule = path(&format!("{number}.toml"));
        let mut arguments = vec!["schedule", "skip", "--map", &map, "--model", &model];
        arguments.extend(["--budget", "0.8", "--runs", "1", "--out", &schedule]);
        arguments.extend(options);
        let output = run(&arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
        assert!(said.contains("multiply-accumulates") && said.contains("ms"), "{said}");
        let blocks = reweight::Policy::from_file(&schedule).unwrap().blocks.unwrap();
        let runs = |step| (0..7).filter(|at| blocks.mode(step, *at) == BlockMode::Run).count();
        assert!([0, 1, 2].into_iter().any(|step| runs(step) < 7));
        assert!(options.is_empty() || runs(0) == 7, "all blocks run before they are reused");
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
