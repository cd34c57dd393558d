//! A run that is interrupted and resumed gives the same bytes as one that was not.

use std::path::{Path, PathBuf};

use burn::tensor::{Device, FloatDType};
use reproduce::{
    Context, Experiment, Part, Rate, RunOptions, Scale, Shard, Study, plan, run, work,
};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn experiment() -> Experiment {
    let mut experiment = Experiment::from_file(root().join("experiments/emoji-sd.toml")).unwrap();
    experiment.steps = 2;
    experiment.table1_steps = vec![2];
    experiment.table1_scored_steps = vec![2];
    experiment.ranges.truncate(1);
    experiment.scales.smoke.pruning_samples = 2;
    if let Some(pruning) = &mut experiment.pruning {
        pruning.steps = 1;
    }
    experiment
}

fn options() -> RunOptions {
    let (dtype, device) = (FloatDType::F32, Device::flex());
    RunOptions { dtype, device, unet_batch: 32, picture_batch: 1 }
}

fn context(store: &Path) -> Context {
    let study = Study::new(experiment(), Scale::Smoke, &root()).unwrap();
    Context::new(study, &root(), store, options()).unwrap()
}

const PARTS: [Part; 4] = [Part::Table1, Part::Table3, Part::Table4, Part::Pictures];

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
    let all = context(&store);
    let rate = Rate::Known(1.0);
    let done = plan(all.study(), Some(&all), &PARTS, Shard::WHOLE, rate).unwrap();
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
fn work_of_shards_and_batches_merges_to_the_same_files() {
    let folder = tempfile::tempdir().unwrap();
    let (alone, shared) = (folder.path().join("alone"), folder.path().join("shared"));
    let parts = [Part::Table1, Part::Table3, Part::Figure3];
    run(&context(&alone), &parts, &folder.path().join("first"), &mut |_| {}).unwrap();
    for index in 0..3 {
        let study = Study::new(experiment(), Scale::Smoke, &root()).unwrap();
        let options = RunOptions { unet_batch: 5, picture_batch: 3, ..options() };
        let context = Context::new(study, &root(), &shared, options).unwrap();
        work(&context, &parts, Shard { index, count: 3 }, &mut |_| {}).unwrap();
    }
    let merged = context(&shared);
    let left = plan(merged.study(), Some(&merged), &parts, Shard::WHOLE, Rate::Known(1.0)).unwrap();
    assert_eq!(left.done, left.units);
    run(&merged, &parts, &folder.path().join("second"), &mut |_| {}).unwrap();
    assert_eq!(tables(&folder.path().join("first")), tables(&folder.path().join("second")));
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
        ("pictures = ", "# pictures = ", "pictures"),
        ("[pruning]\nsteps = 2", "[pruning]\nsteps = 0", "pruning"),
        ("table1_scored_steps = [10]", "table1_scored_steps = [11]", "table1_scored_steps"),
    ] {
        std::fs::write(&path, text.replacen(from, to, 1)).unwrap();
        let error = Experiment::from_file(&path).unwrap_err().to_string();
        assert!(error.contains("experiment.toml") && error.contains(word), "{error}");
    }
}
