//! `score` as a person runs it.

use std::path::Path;

use crate::support::{fail, model, succeed};
use serde_json::Value;

fn scorer() -> String {
    model().with_file_name("emoji-clip").display().to_string()
}

fn pictures() -> String {
    model().join("validation").display().to_string()
}

fn json(arguments: &[&str]) -> Value {
    let mut command = vec!["score"];
    command.extend(arguments);
    command.push("--json");
    serde_json::from_str(&succeed(&command)).unwrap()
}

/// A folder with the first `count` pictures of the validation set.
fn some(count: usize) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut names: Vec<_> = std::fs::read_dir(pictures())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "png"))
        .collect();
    names.sort();
    for path in &names[..count] {
        std::fs::copy(path, folder.path().join(path.file_name().unwrap())).unwrap();
    }
    folder
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

#[test]
fn clip_scores_pictures_and_names_what_it_is() {
    let (pictures, scorer) = (pictures(), scorer());
    let prompts = format!("{pictures}/metadata.jsonl");
    let found = json(&["clip", &pictures, "--prompts", &prompts, "--scorer", &scorer]);
    assert_eq!(found["count"], 80);
    assert_eq!(found["metric"], "CLIP score, emoji-clip");
    assert!(found["mean"].as_f64().unwrap() > 0.6, "{}", found["mean"]);
    assert_eq!(found["checkpoint"]["sha256"].as_str().unwrap().len(), 64);
    let single =
        json(&["clip", &pictures, "--prompts", &prompts, "--scorer", &scorer, "--batch", "1"]);
    assert_eq!(single, found);
    // The same weights as if they were an HPS checkpoint: another resizing mode, no version.
    let (weights, config) = (
        format!("{scorer}/open_clip_model.safetensors"),
        format!("{scorer}/open_clip_config.json"),
    );
    let hps = json(&[
        "hps",
        &pictures,
        "--prompts",
        &prompts,
        "--weights",
        &weights,
        "--config",
        &config,
    ]);
    assert_eq!(hps["metric"], "HPS of unknown version by name (open_clip_model.safetensors)");
}

#[test]
fn pictures_need_prompts_and_prompts_need_pictures() {
    let (folder, scorer) = (some(2), scorer());
    let path = text(folder.path());
    let without = fail(&["score", "clip", &path, "--scorer", &scorer]);
    assert!(without.contains("--prompts"), "{without}");
    let prompts = folder.path().join("prompts.jsonl");
    let name = |index: usize| {
        let entries = pictures::list_pictures(folder.path()).unwrap();
        entries[index].file_name().unwrap().to_string_lossy().into_owned()
    };
    for (content, word) in [
        (format!("{{\"file_name\": \"{}\", \"prompt\": \"a\"}}\n", name(0)), name(1)),
        ("{\"file_name\": \"x.png\", \"prompt\": 3}\n".into(), "line 1".into()),
        ("{\"file_name\": \"x.png\"}\n".into(), "no `prompt`".into()),
        ("not json\n".into(), "line 1".into()),
    ] {
        std::fs::write(&prompts, content).unwrap();
        let error =
            fail(&["score", "clip", &path, "--scorer", &scorer, "--prompts", &text(&prompts)]);
        assert!(error.contains(&word), "{error}");
    }
}

#[test]
fn sets_compare_with_themselves_and_with_stored_statistics() {
    let (folder, scorer) = (some(12), scorer());
    let (path, stats) = (text(folder.path()), text(&folder.path().join("a.npz")));
    let network = ["--network", "clip", "--weights", &scorer];
    let fid = |a: &str, b: &str| {
        let mut arguments = vec!["fid", a, b];
        arguments.extend(network);
        json(&arguments)["value"].as_f64().unwrap()
    };
    assert!(fid(&path, &path).abs() < 1e-6);
    let mut save = vec!["score", "fid", &path, "--save-stats", &stats];
    save.extend(network);
    succeed(&save);
    assert!(fid(&stats, &stats).abs() < 1e-6);
    let other = some(20);
    let (direct, stored) = (fid(&text(other.path()), &path), fid(&text(other.path()), &stats));
    assert!(direct > 0.0 && (direct - stored).abs() < 1e-5, "{direct} {stored}");
    // Of a whole set with itself: 2/n of the kernel's mean over pairs less that over vectors with
    // themselves, which for unit vectors lie in [(1 - 1/d)³, (1 + 1/d)³]; here n is 12 and d 128.
    let kid = |more: &[&str]| {
        let mut arguments = vec!["kid", &path, &path];
        arguments.extend(network);
        arguments.extend(more);
        json(&arguments)["value"].clone()
    };
    let whole = kid(&["--subset-size", "12", "--subsets", "3"]);
    let (mean, dims) = (whole["mean"].as_f64().unwrap(), 128.0f64);
    let span = (1.0 + 1.0 / dims).powi(3) - (1.0 - 1.0 / dims).powi(3);
    assert!(mean < 0.0 && mean >= -2.0 / 12.0 * span, "{whole}");
    assert!(whole["deviation"].as_f64().unwrap() < 1e-12, "{whole}");
    // Halves of it differ by no more than the kernel does.
    assert!(kid(&[])["mean"].as_f64().unwrap().abs() <= 2.0 * span);
    let mut endless = vec!["score", "kid", &path, &path, "--subsets", "18446744073709551615"];
    endless.extend(network);
    assert!(fail(&endless).contains("1..=1000000"));
    // Weights that were not downloaded: what to do about it.
    for (metric, package) in
        [("fid", "inception"), ("kid", "inception"), ("lpips", "lpips-alex"), ("hps", "hps-v2.1")]
    {
        let mut arguments = vec!["score", metric, &path];
        arguments.extend((metric != "hps").then_some(path.as_str()));
        let error = fail(&arguments);
        assert!(error.contains(&format!("cargo xtask download {package}")), "{metric}: {error}");
    }
    assert!(fail(&["score", "fid", &path]).contains("--save-stats"));
    let one = some(1);
    let mut few = vec!["score", "fid", &path];
    let one = text(one.path());
    few.push(&one);
    few.extend(network);
    assert!(fail(&few).contains("at least 2"));
}

#[test]
fn pairs_are_compared_by_name() {
    let (a, b) = (some(3), some(3));
    let (left, right) = (text(a.path()), text(b.path()));
    assert_eq!(json(&["ssim", &left, &right])["mean"], 1.0);
    let psnr = succeed(&["score", "psnr", &left, &right]);
    assert!(psnr.contains("inf") && psnr.contains("over 3"), "{psnr}");
    let equal = json(&["psnr", &left, &right]);
    assert_eq!((&equal["mean"], &equal["values"][0]["value"]), (&"inf".into(), &"inf".into()));
    let extra = a.path().join("odd.png");
    std::fs::copy(pictures::list_pictures(a.path()).unwrap()[0].clone(), &extra).unwrap();
    assert!(fail(&["score", "ssim", &left, &right]).contains("odd.png"));
    std::fs::write(b.path().join("odd.png"), "no picture").unwrap();
    assert!(fail(&["score", "ssim", &left, &right]).contains("odd.png"));
}
