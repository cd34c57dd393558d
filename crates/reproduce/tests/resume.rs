//! A run that is interrupted and resumed gives the same bytes as one that was not.

use std::path::{Path, PathBuf};

use burn::tensor::{Device, FloatDType};
use reproduce::{Context, Experiment, Part, Scale, plan, run};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn experiment() -> Experiment {
    let mut experiment = Experiment::from_file(root().join("experiments/emoji-sd.toml")).unwrap();
    experiment.steps = 2;
    experiment.table1_steps = vec![2];
    experiment.ranges.truncate(1);
    experiment
}

fn context(store: &Path) -> Context {
    let device = Device::flex();
    Context::new(experiment(), Scale::Smoke, &root(), store, FloatDType::F32, &device).unwrap()
}

const PARTS: [Part; 3] = [Part::Table1, Part::Table3And4, Part::Pictures];

fn tables(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(path).unwrap())
        })
        .collect();
    files.sort();
    files
}

#[test]
fn run_with_lost_and_broken_units_gives_identical_files() {
    let folder = tempfile::tempdir().unwrap();
    let (store, first) = (folder.path().join("store"), folder.path().join("first"));
    run(&context(&store), &PARTS, &first, &mut |_| {}).unwrap();
    let done = plan(&context(&store), &PARTS).unwrap();
    assert_eq!((done.done, done.unet_samples), (done.units, 0));
    // What a kill may leave: units that are not there, and one that was cut off in writing by
    // something that does not write atomically.
    let mut lost = 0;
    for (i, entry) in std::fs::read_dir(&store).unwrap().enumerate() {
        for file in std::fs::read_dir(entry.unwrap().path()).unwrap() {
            let path = file.unwrap().path();
            match i % 3 {
                0 => std::fs::remove_file(&path).unwrap(),
                1 if path.extension().unwrap() == "json" => {
                    std::fs::write(&path, "[1.0, ").unwrap()
                }
                _ => continue,
            }
            lost += 1;
        }
    }
    assert!(lost > 5);
    let second = folder.path().join("second");
    run(&context(&store), &PARTS, &second, &mut |_| {}).unwrap();
    assert_eq!(tables(&first), tables(&second));
}

#[test]
fn from_file_bad_experiments_are_named() {
    let text = std::fs::read_to_string(root().join("experiments/emoji-sd.toml")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("experiment.toml");
    for (from, to, word) in [
        ("steps = 10\n", "steps = 0\n", "steps"),
        ("[0.98, 1.1]", "[1.2, 1.1]", "low"),
        ("train_seed", "trian_seed", "trian_seed"),
        ("rounds = 15", "rounds = -1", "rounds"),
    ] {
        std::fs::write(&path, text.replacen(from, to, 1)).unwrap();
        let error = Experiment::from_file(&path).unwrap_err().to_string();
        assert!(error.contains("experiment.toml") && error.contains(word), "{error}");
    }
}
