//! The comparison of skips with fewer steps: what is reproducible of it, and what is not.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use burn::tensor::{Device, FloatDType};
use reproduce::{Context, Experiment, Part, RunOptions, Scale, Study, Table, run};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Two steps of one budget, unguided, at the smoke scale: a prompt of each style.
fn context(store: &Path, picture_batch: usize) -> Context {
    let mut experiment = Experiment::from_file(root().join("experiments/emoji-sd.toml")).unwrap();
    (experiment.steps, experiment.skipping_budgets) = (2, vec![0.85]);
    experiment.guidance_scale = 1.0;
    let study = Study::new(experiment, Scale::Smoke, &root()).unwrap();
    let (dtype, device) = (FloatDType::F32, Device::flex());
    let options = RunOptions { dtype, device, unet_batch: 32, picture_batch };
    Context::new(study, &root(), store, options).unwrap()
}

fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let read = |entry: std::io::Result<std::fs::DirEntry>| {
        let path = entry.unwrap().path();
        (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(path).unwrap())
    };
    std::fs::read_dir(folder).unwrap().map(read).collect()
}

fn labels(table: &Table) -> Vec<&str> {
    table.rows.iter().map(|(label, _)| label.as_str()).collect()
}

#[test]
fn another_run_gives_the_same_bytes_but_for_times() {
    let folder = tempfile::tempdir().unwrap();
    let (store, at) = (folder.path().join("store"), |name: &str| folder.path().join(name));
    let first = run(&context(&store, 1), &[Part::Skipping], &at("first"), &mut |_| {}).unwrap();
    // All times, and some of everything else, are done again.
    let mut timed = 0;
    for part in std::fs::read_dir(&store).unwrap() {
        for file in std::fs::read_dir(part.unwrap().path()).unwrap() {
            let path = file.unwrap().path();
            let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
            let times = text.contains("\"result\":[") && !text.contains("\"result\":[[");
            timed += usize::from(times);
            if times || path.file_name().unwrap().to_string_lossy().starts_with(['0', '1']) {
                std::fs::remove_file(path).unwrap();
            }
        }
    }
    assert_eq!(timed, 3);
    let second = run(&context(&store, 4), &[Part::Skipping], &at("second"), &mut |_| {}).unwrap();
    let (mut before, mut after) = (files(&at("first")), files(&at("second")));
    for name in ["skipping-time.csv", "skipping-time.json", "skipping-time.svg"] {
        assert!(before.remove(name).is_some() && after.remove(name).is_some(), "{name}");
    }
    assert!(before.contains_key("skipping.csv") && before.contains_key("report.html"));
    assert_eq!(before, after);
    let [curves, times] = first.tables.as_slice() else { panic!("expected two tables") };
    assert_eq!((curves.name.as_str(), times.name.as_str()), ("skipping", "skipping-time"));
    assert_eq!(labels(curves), labels(times));
    assert_eq!(labels(times), labels(&second.tables[1]));
    check(curves);
}

/// Every way keeps its budget, and nothing is as near to vanilla as itself.
fn check(table: &Table) {
    let labels = labels(table);
    assert_eq!(labels[..2], ["Vanilla, 2 steps", "Vanilla, 1 steps"]);
    for rule in ["best sets", "block by block", "vote"] {
        assert!(labels.contains(&format!("{rule}, skipped, budget 0.85").as_str()), "{labels:?}");
    }
    assert!(labels.contains(&"all blocks, reused, run at 1 of 2 steps"));
    for (label, cells) in &table.rows {
        let [Some(macs), psnr, ..] = cells.as_slice() else { panic!("{label}") };
        assert!(macs.value <= if label.ends_with("budget 0.85") { 85.0 } else { 100.0 }, "{label}");
        match (label.as_str(), psnr) {
            ("Vanilla, 2 steps", None) => {}
            (_, Some(psnr)) => assert!(psnr.value > 0.0 && psnr.value < 100.0, "{label}"),
            (label, None) => panic!("{label}"),
        }
    }
}
