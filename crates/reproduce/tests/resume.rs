//! A run that is interrupted and resumed gives the same bytes as one that was not.

use std::path::{Path, PathBuf};

use burn::tensor::{Device, FloatDType};
use reproduce::{
    Context, Event, Experiment, Part, Rate, RunOptions, Scale, Shard, Study, estimate, run, work,
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

const PARTS: [Part; 8] = [
    Part::Table1,
    Part::Table1Seeds,
    Part::Table3,
    Part::Table4,
    Part::Controls,
    Part::Figure3,
    Part::FewerSteps,
    Part::Pictures,
];

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

/// Every file of a store.
fn stored(store: &Path) -> Vec<PathBuf> {
    let entries = |folder: &Path| -> Vec<PathBuf> {
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
    };
    entries(store).iter().flat_map(|folder| entries(folder)).collect()
}

/// Whether a file is a record, not a picture.
fn is_record(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "json")
}

/// Damages a store in every way there is, each to some of the units, and gives the files whose
/// damage must be said.
fn damage(store: &Path) -> Vec<PathBuf> {
    let (mut lost, mut said) = (0, Vec::new());
    for path in stored(store) {
        let unit = path.file_name().unwrap().to_string_lossy()[..2].to_string();
        let bytes = std::fs::read(&path).unwrap();
        match (u8::from_str_radix(&unit, 16).unwrap() % 5, is_record(&path)) {
            // What a kill leaves: nothing.
            (0, _) => {
                lost += 1;
                std::fs::remove_file(&path).unwrap();
            }
            (1, true) | (2, false) => {
                let mut flipped = bytes.clone();
                flipped[bytes.len() / 2] ^= 4;
                std::fs::write(&path, flipped).unwrap();
                said.push(path);
            }
            (3, false) => {
                std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
                said.push(path);
            }
            (4, false) => {
                std::fs::remove_file(&path).unwrap();
                said.push(path);
            }
            _ => {}
        }
    }
    assert!(lost > 5 && said.len() > 5);
    said
}

#[test]
fn run_with_lost_and_damaged_units_says_so_and_gives_identical_files() {
    let folder = tempfile::tempdir().unwrap();
    let (store, first) = (folder.path().join("store"), folder.path().join("first"));
    run(&context(&store), &PARTS, &first, &mut |_| {}).unwrap();
    let whole = context(&store);
    let rate = Rate::Known(1.0);
    let done = estimate(whole.study(), Some(&whole), &PARTS, Shard::WHOLE, rate).unwrap();
    assert_eq!((done.done, done.unet_samples), (done.units, 0));
    let before: Vec<_> =
        stored(&store).into_iter().map(|path| (std::fs::read(&path).unwrap(), path)).collect();
    let damaged = damage(&store);
    let (second, mut said) = (folder.path().join("second"), Vec::new());
    run(&context(&store), &PARTS, &second, &mut |event| {
        if let Event::Damaged(damage) = event {
            said.push(damage.path);
        }
    })
    .unwrap();
    // Of a student's pictures the first that is damaged is said.
    let of_student = |path: &Path| path.file_name().unwrap().to_string_lossy().contains('-');
    for path in damaged.iter().filter(|path| !of_student(path)) {
        assert!(said.contains(path), "{}", path.display());
    }
    assert!(said.iter().all(|path| damaged.contains(path)));
    assert_eq!(tables(&first), tables(&second));
    for (bytes, path) in before {
        assert!(std::fs::read(&path).unwrap() == bytes, "{}", path.display());
    }
}

#[test]
fn run_with_damaged_checkpoints_says_so_and_begins_them_again() {
    let folder = tempfile::tempdir().unwrap();
    let (store, first) = (folder.path().join("store"), folder.path().join("first"));
    run(&context(&store), &[Part::Figure3], &first, &mut |_| {}).unwrap();
    let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
    let mut damaged = Vec::new();
    for picture in stored(&store).iter().filter(|path| name(path).ends_with(".42-0.png")) {
        let unit = name(picture).replace(".42-0.png", "");
        std::fs::remove_file(picture.with_file_name(format!("{unit}.json"))).unwrap();
        let state = picture.with_file_name(format!("{unit}.training/state.json"));
        std::fs::create_dir(state.parent().unwrap()).unwrap();
        std::fs::write(&state, "{").unwrap();
        damaged.push(state);
    }
    let (second, mut said) = (folder.path().join("second"), Vec::new());
    run(&context(&store), &[Part::Figure3], &second, &mut |event| {
        if let Event::Damaged(damage) = event {
            said.push(damage.path);
        }
    })
    .unwrap();
    // The teacher is not trained.
    assert!(damaged.len() > 2 && said.len() == damaged.len() - 1, "{said:?}");
    assert!(said.iter().all(|path| damaged.contains(path) && !path.exists()));
    assert_eq!(tables(&first), tables(&second));
}

#[test]
fn run_of_results_that_are_no_numbers_names_the_unit_and_stores_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut experiment = experiment();
    // A block's output times this is infinite in f16.
    experiment.table1_weight = 1e6;
    let study = Study::new(experiment, Scale::Smoke, &root()).unwrap();
    let options = RunOptions { dtype: FloatDType::F16, ..options() };
    let context = Context::new(study, &root(), folder.path(), options).unwrap();
    let error = work(&context, &[Part::Table1], Shard::WHOLE, &mut |_| {}).unwrap_err().to_string();
    assert!(error.contains("signal-to-noise ratio of example 0 under blk-0"), "{error}");
    assert!(error.contains("NaN") && error.contains("nothing was stored"), "{error}");
    for record in stored(folder.path()).iter().filter(|path| is_record(path)) {
        assert!(!std::fs::read_to_string(record).unwrap().contains("null"), "{record:?}");
    }
}

#[test]
fn sampled_pictures_carry_the_hash_of_the_model() {
    let folder = tempfile::tempdir().unwrap();
    work(&context(folder.path()), &[Part::Pictures], Shard { index: 0, count: 4 }, &mut |_| {})
        .unwrap();
    let pictures = stored(folder.path());
    let picture = pictures.iter().find(|path| !is_record(path)).unwrap();
    let text = String::from_utf8_lossy(&std::fs::read(picture).unwrap()).into_owned();
    let hash = text.split("\"model_sha256\":\"").nth(1).unwrap().split('"').next().unwrap();
    assert!(hash.len() == 64 && hash.chars().all(|digit| digit.is_ascii_hexdigit()), "{hash}");
}

#[test]
fn work_of_shards_and_batches_merges_to_the_same_files() {
    let folder = tempfile::tempdir().unwrap();
    let (alone, shared) = (folder.path().join("alone"), folder.path().join("shared"));
    let parts = [Part::Table1Seeds, Part::Table3, Part::Controls, Part::Figure3, Part::FewerSteps];
    run(&context(&alone), &parts, &folder.path().join("first"), &mut |_| {}).unwrap();
    for index in 0..3 {
        let study = Study::new(experiment(), Scale::Smoke, &root()).unwrap();
        let options = RunOptions { unet_batch: 5, picture_batch: 3, ..options() };
        let context = Context::new(study, &root(), &shared, options).unwrap();
        work(&context, &parts, Shard { index, count: 3 }, &mut |_| {}).unwrap();
    }
    let merged = context(&shared);
    let left =
        estimate(merged.study(), Some(&merged), &parts, Shard::WHOLE, Rate::Known(1.0)).unwrap();
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
        ("[pruning]\nsteps = 2", "[pruning]\nsteps = 50", "strategies"),
        ("[pruning]\nsteps = 2", "[pruning]\nsteps = 9000000000", "strategies"),
        ("rounds = 15", "rounds = 1e18", "rounds"),
        ("rounds = 2\n", "rounds = 1000000000000000000\n", "rounds"),
        ("epochs = 2\n", "epochs = 1000000000000000000\n", "epochs"),
        ("prompts = 1\n", "prompts = 1000000000000000000\n", "prompts"),
        ("shuffles = 2\n", "shuffles = 0\n", "shuffles"),
        ("table1_seeds = 2\n", "table1_seeds = 0\n", "table1_seeds"),
        ("fitted = 1\n", "fitted = 0\n", "fitted"),
        ("steps = 10\n", "steps = 1\nparts = [\"fewer-steps\"]\n", "fewer-steps"),
        ("steps = 10\n", "steps = 100000000000\n", "steps"),
        ("table1_weight = 1.1", "table1_weight = -1.1", "table1_weight"),
        ("guidance_scale = 3.0", "guidance_scale = nan", "guidance_scale"),
        (
            "guidance_scale = 3.0",
            "guidance_scale = 3.0\nskipping_budgets = [1.0]",
            "skipping_budgets",
        ),
    ] {
        std::fs::write(&path, text.replacen(from, to, 1)).unwrap();
        let error = Experiment::from_file(&path).unwrap_err().to_string();
        assert!(error.contains("experiment.toml") && error.contains(word), "{error}");
    }
}

#[test]
fn from_file_reads_files_from_before_there_were_controls() {
    let text = std::fs::read_to_string(root().join("experiments/emoji-sd.toml")).unwrap();
    let new = ["shuffles", "table1_seeds", "fitted"];
    let is_old = |line: &&str| !new.iter().any(|name| line.starts_with(name));
    let old: Vec<&str> = text.lines().filter(is_old).collect();
    assert_eq!(text.lines().count(), old.len() + 8);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("experiment.toml");
    std::fs::write(&path, old.join("\n")).unwrap();
    let mut experiment = Experiment::from_file(&path).unwrap();
    let size = experiment.size(Scale::Default);
    assert_eq!((size.table1_seeds, size.shuffles, size.fitted), (20, 3, 3));
    assert!(experiment.parts(&[]).contains(&Part::FewerSteps));
    experiment.steps = 1;
    assert!(!experiment.parts(&[]).contains(&Part::FewerSteps));
}
