//! Settings, resolved for a model, and the requests made of them.

use burn::tensor::{Device, FloatDType};
use pipeline::{
    Generation, GenerationSettings, NoiseKind, Pipeline, Precision, SchedulerChoice, tiny,
    write_synthetic,
};
use safetensors::Dtype;
use scheduler::SchedulerKind;

fn model(dtype: FloatDType) -> Pipeline {
    let at = tempfile::tempdir().unwrap();
    let preset = tiny(hub::preset("sd-turbo").unwrap());
    write_synthetic(&preset, at.path(), Dtype::F32, 5).unwrap();
    Pipeline::from_folder(at.path(), dtype, &Device::flex()).unwrap()
}

fn settings() -> GenerationSettings {
    GenerationSettings { prompt: "a red car".into(), seeds: vec![1], ..Default::default() }
}

#[test]
fn resolve_fills_in_what_is_left_open() {
    let pipeline = model(FloatDType::BF16);
    let plain = pipeline.resolve(settings()).unwrap();
    assert_eq!((plain.steps, plain.guidance_scale, plain.size), (20, 3.0, [64, 64]));
    assert_eq!((plain.scheduler, plain.scheduler_config.eta), (SchedulerKind::Ddim, 0.0));
    assert_eq!(plain.noise.dtype, Precision::BF16);
    assert!(plain.default_size);
    let asked = pipeline
        .resolve(GenerationSettings {
            steps: Some(3),
            guidance_scale: Some(0.0),
            height: Some(128),
            scheduler: "model".parse().unwrap(),
            eta: 0.5,
            noise: NoiseKind::TorchCpu,
            ..settings()
        })
        .unwrap();
    assert_eq!((asked.steps, asked.guidance_scale, asked.size), (3, 0.0, [128, 64]));
    assert_eq!(asked.scheduler, pipeline.scheduler_config().kind().unwrap());
    assert_eq!((asked.scheduler_config.eta, asked.noise.kind), (0.5, NoiseKind::TorchCpu));
    assert!(!asked.default_size);
    let request = pipeline.request(&asked, 0..1).unwrap();
    assert_eq!((request.steps, request.scheduler_config), (3, asked.scheduler_config));
    assert!("ddpm".parse::<SchedulerChoice>().is_err());
}

#[test]
fn resolve_sizes_are_refused_before_anything_is_drawn() {
    let pipeline = model(FloatDType::F32);
    let refused =
        |settings: GenerationSettings| pipeline.resolve(settings).unwrap_err().to_string();
    for (height, width, word) in [
        (0, 64, "multiples of 8"),
        (60, 64, "multiples of 8"),
        (100_000, 100_000, "at most 67108864 pixels"),
        (1 << 62, 64, "at most 67108864 pixels"),
    ] {
        let (height, width) = (Some(height), Some(width));
        let error = refused(GenerationSettings { height, width, ..settings() });
        assert!(error.contains(word), "{error}");
    }
    assert!(refused(GenerationSettings { seeds: vec![], ..settings() }).contains("one seed"));
    assert!(refused(GenerationSettings { steps: Some(0), ..settings() }).contains("one step"));
}

#[test]
fn batches_cover_all_samples_and_give_the_same_noise() {
    let pipeline = model(FloatDType::F32);
    let seeds: Vec<u64> = (0..40).collect();
    let large = GenerationSettings { height: Some(512), width: Some(512), seeds, ..settings() };
    let large = pipeline.resolve(large).unwrap();
    assert_eq!(large.batches(), [0..8, 8..16, 16..24, 24..32, 32..40]);
    let resolve = |side: usize, unet_batch: Option<usize>| -> Generation {
        let (height, seeds) = (Some(side), large.noise.seeds.clone());
        pipeline
            .resolve(GenerationSettings { height, width: height, seeds, unet_batch, ..settings() })
            .unwrap()
    };
    assert_eq!(resolve(2048, None).batches().len(), 40);
    // Small ones are not all sampled before the first is on disk.
    let small = resolve(64, None);
    assert_eq!(small.batches(), large.batches());
    // Guidance takes two samples of the U-Net, and one picture is the least.
    for (unet_batch, pictures) in [(1, 1), (2, 1), (7, 3), (200, 40)] {
        assert_eq!(resolve(2048, Some(unet_batch)).batches()[0], 0..pictures);
    }
    assert_eq!(small.batches_of(|at| !matches!(at, 0 | 11 | 20..)), [1..9, 9..11, 12..20]);
    let none = GenerationSettings { unet_batch: Some(0), ..settings() };
    assert!(pipeline.resolve(none).unwrap_err().to_string().contains("found 0"));
    let whole = pipeline.request(&small, 0..40).unwrap();
    let part = pipeline.request(&small, 8..16).unwrap();
    assert_eq!(part.noise.into_data(), whole.noise.narrow(0, 8, 8).into_data());
    assert_eq!(part.fresh_noise.unwrap().seeds, (8..16).collect::<Vec<u64>>());
}

#[test]
fn record_says_what_was_resolved() {
    let pipeline = model(FloatDType::F16);
    let generation = pipeline.resolve(settings()).unwrap();
    let record = pipeline.record(&generation, "0123", 1, serde_json::Value::Null);
    assert_eq!((record.model_sha256.as_str(), record.dtype), ("0123", Some(Precision::F16)));
    assert_eq!(record.device.unwrap().to_string(), "cpu");
    assert_eq!((record.steps, record.scheduler.as_str()), (20, "DDIMScheduler"));
}
