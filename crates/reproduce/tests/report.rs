//! What a run shows: metrics whose weights are there have values, and nothing in the page is taken
//! for HTML.

use std::path::{Path, PathBuf};

use burn::tensor::{Device, FloatDType};
use reproduce::{Context, Experiment, Part, Rate, RunOptions, Scale, Shard, Study, estimate, run};
use safetensors::Dtype;
use safetensors::tensor::{TensorView, serialize_to_file};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn options() -> RunOptions {
    let (dtype, device) = (FloatDType::F32, Device::flex());
    RunOptions { dtype, device, unet_batch: 32, picture_batch: 1 }
}

/// LPIPS's alex network with weights that are no network's, but all different.
fn write_lpips(path: &Path) {
    let convolutions = [
        (0, [64, 3, 11, 11]),
        (3, [192, 64, 5, 5]),
        (6, [384, 192, 3, 3]),
        (8, [256, 384, 3, 3]),
        (10, [256, 256, 3, 3]),
    ];
    let mut shapes: Vec<(String, Vec<usize>)> = Vec::new();
    for (lin, (at, shape)) in convolutions.into_iter().enumerate() {
        shapes.push((format!("features.{at}.weight"), shape.to_vec()));
        shapes.push((format!("features.{at}.bias"), vec![shape[0]]));
        shapes.push((format!("lin{lin}.model.1.weight"), vec![1, shape[0], 1, 1]));
    }
    let tensors: Vec<(String, Vec<usize>, Vec<u8>)> = shapes
        .into_iter()
        .map(|(name, shape)| {
            let positive = name.starts_with("lin");
            let value = |i: usize| {
                let wave = (i as f32 * 0.37).sin();
                if positive { wave.abs() } else { 0.05 * wave }
            };
            let count = shape.iter().product();
            (name, shape, (0..count).flat_map(|i| value(i).to_le_bytes()).collect())
        })
        .collect();
    let views = tensors.iter().map(|(name, shape, bytes)| {
        (name.as_str(), TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap())
    });
    serialize_to_file(views, None, path).unwrap();
}

#[test]
fn run_with_lpips_fills_its_column_and_the_page_is_escaped() {
    let folder = tempfile::tempdir().unwrap();
    let weights = folder.path().join("lpips.safetensors");
    write_lpips(&weights);
    let mut experiment = Experiment::from_file(root().join("experiments/emoji-sd.toml")).unwrap();
    experiment.name = "emoji <sd> & \"co\"".into();
    experiment.steps = 2;
    if let Some(pruning) = &mut experiment.pruning {
        pruning.lpips = Some(weights.display().to_string());
    }
    let study = Study::new(experiment, Scale::Smoke, &root()).unwrap();
    let store = folder.path().join("store");
    let context = Context::new(study, &root(), &store, options()).unwrap();
    let out = folder.path().join("out");
    let outcome = run(&context, &[Part::Pictures], &out, &mut |_| {}).unwrap();
    let [table] = outcome.tables.as_slice() else { panic!("{:?}", outcome.tables) };
    for seed in ["train", "test"] {
        let column = format!("{seed} LPIPS");
        let at = table.columns.iter().position(|name| *name == column).unwrap();
        for (label, cells) in &table.rows {
            let value = cells[at].map(|cell| cell.value);
            assert!(value.is_some_and(|value| value > 0.0), "{label}: {value:?}");
        }
    }
    assert!(table.note.contains("LPIPS v0.1 alex"), "{}", table.note);
    for seed in ["train", "test"] {
        let column = format!("{seed} CLIP score, emoji-clip × 100");
        let at = table.columns.iter().position(|name| *name == column).unwrap();
        for (label, cells) in &table.rows {
            let difference = cells[at].and_then(|cell| cell.difference);
            assert_eq!(difference.map(|difference| difference.count), Some(4), "{label}");
        }
    }
    let page = std::fs::read_to_string(out.join("report.html")).unwrap();
    assert!(page.contains("<h1>emoji &lt;sd&gt; &amp; &quot;co&quot;</h1>"));
    assert!(!page.contains("<sd>") && page.contains("data:image/png;base64,iVBOR"));
}

#[test]
fn estimate_of_a_full_size_model_draws_no_full_size_weights() {
    let file = root().join("experiments/paper/sdxl-base.toml");
    let study = Study::new(Experiment::from_file(file).unwrap(), Scale::Paper, &root()).unwrap();
    let start = std::time::Instant::now();
    let rate = options();
    let rate = Rate::Measure(&rate);
    let estimate = estimate(&study, None, &[Part::Table1], Shard::WHOLE, rate).unwrap();
    // Filling the whole U-Net with random numbers alone takes longer, let alone running it.
    assert!(start.elapsed().as_secs() < 20, "{:?}", start.elapsed());
    let measured = estimate.measured.unwrap();
    // As `inspect` counts them for 1024×1024 pixels.
    assert!((2.5e12..3.5e12).contains(&(measured.macs_per_sample as f64)), "{measured:?}");
    assert_eq!(measured.levels[1], 3);
    let seconds = measured.macs_per_sample as f64 / measured.macs_per_second;
    assert!(seconds > 0.0 && (estimate.seconds_per_sample - seconds).abs() < 1e-9 * seconds);
}

#[test]
fn controls_share_their_mean_weight_and_are_compared_with_the_constant() {
    let folder = tempfile::tempdir().unwrap();
    let mut experiment = Experiment::from_file(root().join("experiments/emoji-sd.toml")).unwrap();
    experiment.steps = 2;
    experiment.ranges.truncate(2);
    let study = Study::new(experiment, Scale::Smoke, &root()).unwrap();
    let context = Context::new(study, &root(), &folder.path().join("store"), options()).unwrap();
    let out = folder.path().join("out");
    let outcome = run(&context, &[Part::Controls], &out, &mut |_| {}).unwrap();
    let [snr, score] = outcome.tables.as_slice() else { panic!("{:?}", outcome.tables) };
    // Vanilla, and of [0.98, 1.1]: the constant, itself, shuffled, inverted, derivative, empirical;
    // the fitted weights and three other ranges beside their constants.
    assert_eq!((snr.rows.len(), score.rows.len()), (7 + 2 * 4, 5));
    let weight = |row: usize| snr.rows[row].1[0].unwrap().value;
    assert_eq!(
        [snr.rows[7].0.as_str(), &snr.rows[8].0],
        ["constant at the mean of fitted", "fitted"]
    );
    assert!((weight(7) - weight(8)).abs() < 1e-9 && weight(8) != 1.0);
    for (table, rows) in [(snr, 1..7), (score, 1..5)] {
        // Ranks 1 to 7 of 7 blocks have the mean 4/7.
        for (label, cells) in &table.rows[rows] {
            let weight = cells[0].unwrap().value;
            assert!((weight - (0.98 + 0.12 * 4.0 / 7.0)).abs() < 1e-9, "{label}: {weight}");
            let to = |at: usize| cells[at].and_then(|cell| cell.difference);
            assert!(to(1).is_some_and(|difference| difference.count == 4), "{label}");
            assert_eq!(to(2).is_none(), label.starts_with("constant"), "{label}");
            let shuffled = label == "[0.98, 1.1]" && table == snr;
            assert_eq!(to(3).is_some(), shuffled, "{label}");
        }
        let of = |label: &str| &table.rows.iter().find(|(name, _)| name == label).unwrap().1;
        let (constant, itself) = (of("constant at the mean of [0.98, 1.1]"), of("[0.98, 1.1]"));
        let [vanilla, constant, itself] =
            [&table.rows[0].1, constant, itself].map(|cells| cells[1].unwrap().value);
        // The column says what its values are compared with.
        let difference = of("[0.98, 1.1]")[2].unwrap().difference.unwrap().mean;
        assert!((difference - (itself - constant)).abs() < 1e-9);
        let difference = of("[0.98, 1.1]")[1].unwrap().difference.unwrap().mean;
        assert!((difference - (itself - vanilla)).abs() < 1e-9);
    }
    let values = |label: &str| {
        let (_, cells) = snr.rows.iter().find(|(name, _)| name.starts_with(label)).unwrap();
        cells[1].unwrap().value
    };
    let different = ["constant at the mean of [0.98, 1.1]", "[0.98, 1.1] on", "[0.98, 1.1] inv"];
    let different = different.map(values);
    assert!(different[0] != different[1] && different[1] != different[2]);
}

#[test]
fn tables_over_seeds_and_of_fewer_steps_compare_the_pictures_they_name() {
    let folder = tempfile::tempdir().unwrap();
    let mut experiment = Experiment::from_file(root().join("experiments/emoji-sd.toml")).unwrap();
    experiment.steps = 2;
    experiment.table1_steps = vec![1, 2];
    experiment.table1_scored_steps = vec![1, 2];
    experiment.table1_prompt = Some("a cartoon of a dragon".into());
    experiment.scales.smoke.table1_seeds = 3;
    let study = Study::new(experiment, Scale::Smoke, &root()).unwrap();
    let context = Context::new(study, &root(), &folder.path().join("store"), options()).unwrap();
    let parts = [Part::Table1Seeds, Part::FewerSteps];
    let outcome = run(&context, &parts, &folder.path().join("out"), &mut |_| {}).unwrap();
    let [seeds, fewer] = outcome.tables.as_slice() else { panic!("{:?}", outcome.tables) };
    assert!(seeds.title.contains("3 noise seeds") && seeds.note.contains("a cartoon of a dragon"));
    assert!(seeds.note.contains("the scripts take 20"), "{}", seeds.note);
    assert_eq!((seeds.rows.len(), seeds.columns.len()), (8, 2));
    let counts = seeds.rows[1..].iter().flat_map(|(_, cells)| cells);
    assert!(counts.flatten().all(|cell| cell.difference.unwrap().count == 3));
    let labels: Vec<&str> = fewer.rows.iter().map(|(label, _)| label.as_str()).collect();
    assert_eq!(
        labels,
        [
            "Vanilla, 2 steps",
            "Vanilla, 1 step",
            "[0.98, 1.1], 1 step",
            "[0.98, 1.1] inverted, 1 step",
            "constant at the mean of [0.98, 1.1], 1 step"
        ]
    );
    let all = fewer.rows[0].1[0].unwrap().value;
    for (label, cells) in &fewer.rows[1..] {
        let cell = cells[0].unwrap();
        assert!((cell.difference.unwrap().mean - (cell.value - all)).abs() < 1e-9, "{label}");
        // Pictures of one step are not those of two.
        assert!(cells[2].unwrap().value < 60.0, "{label}");
    }
}
