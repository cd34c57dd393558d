//! The paper's own experiments, from prompts to report, on models of the same architecture that
//! have a few channels and random weights.

use std::path::{Path, PathBuf};

use burn::tensor::{Device, FloatDType};
use reproduce::{
    Context, Experiment, Part, PromptSettings, Rate, ReproduceError, RunOptions, Scale,
    ScorerConfig, Shard, Study, estimate, run, work,
};

const CATEGORIES: [&str; 4] = ["anime", "concept-art", "paintings", "photo"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn options() -> RunOptions {
    let (dtype, device) = (FloatDType::F32, Device::flex());
    RunOptions { dtype, device, unet_batch: 8, picture_batch: 4 }
}

fn experiment(name: &str) -> Experiment {
    Experiment::from_file(root().join(format!("experiments/paper/{name}.toml"))).unwrap()
}

/// The experiment on a tiny model in `folder`, with its prompts there, and the shipped scorer.
fn tiny(name: &str, folder: &Path) -> Experiment {
    let mut experiment = experiment(name);
    let preset = pipeline::tiny(hub::preset(&experiment.model).unwrap());
    let model = folder.join(name);
    pipeline::write_synthetic(&preset, &model, safetensors::Dtype::F16, 1).unwrap();
    for category in CATEGORIES {
        let prompts = format!("[\"{category} of a fox\", \"{category}, a lighthouse at night\"]");
        std::fs::write(folder.join(format!("{category}.json")), prompts).unwrap();
    }
    experiment.model = model.display().to_string();
    experiment.size = Some(64);
    experiment.prompts = Some(PromptSettings {
        package: None,
        folder: Some(folder.into()),
        categories: CATEGORIES.map(String::from).to_vec(),
        shuffle_seed: Some(42),
    });
    experiment.scorer = Some(ScorerConfig::Clip { path: "models/emoji-clip".into() });
    experiment.lpips = None;
    if let Some(pruning) = &mut experiment.pruning {
        (pruning.inception, pruning.lpips) = (None, None);
        pruning.steps = 1;
        experiment.scales.smoke.pruning_samples = 2;
    }
    experiment
}

fn study(experiment: Experiment) -> Study {
    Study::new(experiment, Scale::Smoke, &root()).unwrap()
}

/// Runs all parts in two shards, then renders, and returns the names of what was written.
fn whole(experiment: Experiment, folder: &Path) -> Vec<String> {
    let parts = experiment.parts(&[]);
    let context =
        Context::new(study(experiment), &root(), &folder.join("store"), options()).unwrap();
    for index in [1, 0] {
        work(&context, &parts, Shard { index, count: 2 }, &mut |_| {}).unwrap();
    }
    let mut events = Vec::new();
    let outcome =
        run(&context, &parts, &folder.join("out"), &mut |event| events.push(event)).unwrap();
    assert_eq!(events, [], "the shards left nothing undone");
    for table in &outcome.tables {
        let cells = table.rows.iter().flat_map(|(_, cells)| cells).flatten();
        let values: Vec<f64> = cells.map(|cell| cell.value).collect();
        assert!(
            !values.is_empty() && values.iter().all(|value| value.is_finite()),
            "{}",
            table.name
        );
        assert!(table.rows.iter().all(|(_, cells)| cells.len() == table.columns.len()));
    }
    let report = std::fs::read_to_string(folder.join("out/report.html")).unwrap();
    assert!(report.contains("data:image/png") || !parts.contains(&Part::Pictures));
    outcome.tables.into_iter().map(|table| table.name).collect()
}

#[test]
fn run_sd_turbo_makes_its_tables_and_figures() {
    let folder = tempfile::tempdir().unwrap();
    let mut experiment = tiny("sd-turbo", folder.path());
    experiment.ranges.truncate(1);
    let tables = whole(experiment, folder.path());
    let expected = [
        "table-1",
        "table-1-seeds",
        "table-2",
        "table-3",
        "table-5",
        "controls",
        "figure-3",
        "figure-4",
        "fewer-steps",
        "pictures",
    ];
    assert_eq!(tables, expected);
}

#[test]
fn run_sdxl_turbo_makes_its_tables_and_figures() {
    let folder = tempfile::tempdir().unwrap();
    let mut experiment = tiny("sdxl-turbo", folder.path());
    experiment.ranges.truncate(1);
    let tables = whole(experiment, folder.path());
    let expected = [
        "table-1",
        "table-1-seeds",
        "table-2",
        "table-4",
        "table-6",
        "controls",
        "figure-4",
        "fewer-steps",
        "pictures",
    ];
    assert_eq!(tables, expected);
}

#[test]
fn run_guided_models_make_table_1() {
    for name in ["sd-2.1", "sdxl-base"] {
        let folder = tempfile::tempdir().unwrap();
        let mut experiment = tiny(name, folder.path());
        experiment.table1_steps = vec![2];
        experiment.table1_scored_steps = vec![2];
        assert_eq!(whole(experiment, folder.path()), ["table-1", "table-1-seeds"]);
    }
}

#[test]
fn estimate_needs_neither_weights_nor_prompts() {
    let all: Vec<Part> = Part::ALL.to_vec();
    for (name, blocks, prompts, packages) in
        [("sd-turbo", 7, 800, 5), ("sdxl-turbo", 5, 800, 4), ("sd-2.1", 7, 400, 3)]
    {
        let experiment = experiment(name);
        assert_eq!(experiment.parts(&all), experiment.parts(&[]));
        let study = Study::new(experiment, Scale::Paper, &root()).unwrap();
        assert_eq!(study.packages().len(), packages, "{name}");
        let rate = Rate::Known(0.5);
        let estimate = estimate(&study, None, &[Part::Table1], Shard::WHOLE, rate).unwrap();
        // A picture and its score for every prompt, steps and weighting, vanilla included.
        assert_eq!((estimate.done, estimate.units), (0, 2 * prompts * 3 * (blocks + 1)), "{name}");
        assert!(estimate.disk_bytes > 1 << 30 && estimate.seconds_per_sample == 0.5);
    }
}

#[test]
fn context_says_how_to_fetch_what_is_absent() {
    // Models may be on this machine, prompts of this name are not.
    let folder = tempfile::tempdir().unwrap();
    let mut experiment = tiny("sd-turbo", folder.path());
    experiment.scorer = Some(ScorerConfig::Hps { weights: "hps-v3".into(), tokenizer: None });
    let error = Context::new(study(experiment), &root(), folder.path(), options())
        .err()
        .map_or_else(String::new, |error: ReproduceError| error.to_string());
    assert!(error.contains("hps-v3") && error.contains("did you mean"), "{error}");
}
