//! Fine-tuning of pruned students of the shipped model.

use std::path::{Path, PathBuf};

use burn::tensor::{Device, FloatDType};
use pipeline::{Guidance, Pipeline, SampleRequest, initial_noise};
use pruning::{FineTuning, PruningError, Student, fine_tune};
use reweight::{BlockWeights, StepMatrix};
use scheduler::SchedulerKind;
use unet_core::UNet2DConditionModel;
use weights::StoredDtype;

fn load() -> Pipeline {
    let folder: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/emoji-sd");
    Pipeline::from_folder(folder, FloatDType::F32, &Device::flex()).unwrap()
}

fn samples(pipeline: &Pipeline, count: u64, scale: f64) -> Vec<SampleRequest> {
    let prompts = pipeline.encode_prompts(&["a cartoon of a dragon".into()]).unwrap();
    let negative = pipeline.encode_negative(None, &prompts).unwrap();
    (0..count)
        .map(|seed| SampleRequest {
            prompts: prompts.clone(),
            guidance: Some(Guidance { scale, negative: negative.clone() }),
            noise: initial_noise(&[seed], [4, 16, 16], pipeline.device()),
            fresh_noise: None,
            scheduler: SchedulerKind::Ddim,
            scheduler_config: pipeline.scheduler_config().clone(),
            steps: 2,
            sizes: None,
        })
        .collect()
}

/// Skips the bottleneck at the first step and the last block at the second.
fn skips() -> BlockWeights {
    let thresholds =
        [3, 6].map(|skipped| (0..7).map(|i| if i == skipped { 1.5 } else { 0.0 }).collect());
    let thresholds = StepMatrix::from_rows(thresholds.to_vec()).unwrap();
    BlockWeights::vanilla(2, 7).with_thresholds(thresholds).unwrap()
}

fn settings(epochs: usize) -> FineTuning {
    FineTuning { learning_rate: 1e-4, batch: 2, epochs, checkpoint_every: 1 }
}

fn tune(
    pipeline: &Pipeline,
    samples: &[SampleRequest],
    epochs: usize,
    folder: &Path,
) -> Result<Student, PruningError> {
    fine_tune(pipeline, &skips(), samples, &settings(epochs), folder, &mut |_| {})
}

/// All parameters by path.
fn parameters(unet: &UNet2DConditionModel) -> Vec<(String, Vec<f32>)> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("unet.safetensors");
    weights::save(unet, &path, StoredDtype::F32).unwrap();
    let bytes = std::fs::read(path).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let values = |data: &[u8]| -> Vec<f32> {
        data.chunks(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap())).collect()
    };
    let mut all: Vec<_> =
        file.tensors().into_iter().map(|(name, view)| (name, values(view.data()))).collect();
    all.sort_by(|a: &(String, Vec<f32>), b| a.0.cmp(&b.0));
    all
}

#[test]
fn fine_tune_lowers_the_loss_and_moves_attention_alone() {
    let pipeline = load();
    for scale in [0.0, 3.0] {
        let samples = samples(&pipeline, 3, scale);
        let folder = tempfile::tempdir().unwrap();
        let student = tune(&pipeline, &samples, 4, folder.path()).unwrap();
        assert!(student.losses[3] < student.losses[0], "{:?}", student.losses);
        let (before, after) = (parameters(pipeline.unet()), parameters(&student.unet));
        let mut moved = 0;
        for ((name, old), (_, new)) in before.iter().zip(&after) {
            let same = old == new;
            assert!(same || name.contains("attentions"), "{name} moved");
            moved += usize::from(!same);
        }
        assert!(moved > 100, "{moved} tensors moved");
    }
}

#[test]
fn fine_tune_interrupted_goes_on_to_the_same_student() {
    let pipeline = load();
    let samples = samples(&pipeline, 3, 0.0);
    let (whole, parts) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let straight = tune(&pipeline, &samples, 3, whole.path()).unwrap();
    // The second epoch's end is never reached: its checkpoint is the first's.
    let interrupted = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let settings = settings(3);
        fine_tune(&pipeline, &skips(), &samples, &settings, parts.path(), &mut |progress| {
            assert_ne!(progress.epochs, 2, "killed");
        })
    }));
    assert!(interrupted.is_err());
    let mut resumed = Vec::new();
    let again = fine_tune(&pipeline, &skips(), &samples, &settings(3), parts.path(), &mut |p| {
        resumed.push(p.epochs);
    })
    .unwrap();
    assert_eq!(resumed, [3]);
    assert_eq!(straight.losses, again.losses);
    assert_eq!(parameters(&straight.unet), parameters(&again.unet));
    // A checkpoint of another task is left alone.
    let other = self::samples(&pipeline, 2, 0.0);
    assert_eq!(tune(&pipeline, &other, 1, parts.path()).unwrap().losses.len(), 1);
}

#[test]
fn fine_tune_bad_settings_and_checkpoints_are_named() {
    let pipeline = load();
    let samples = samples(&pipeline, 1, 0.0);
    let folder = tempfile::tempdir().unwrap();
    let error = tune(&pipeline, &[], 1, folder.path()).unwrap_err().to_string();
    assert!(error.contains("at least one sample"), "{error}");
    let mut long = samples.clone();
    long[0].steps = 3;
    let error = tune(&pipeline, &long, 1, folder.path()).unwrap_err().to_string();
    assert!(error.contains("3 steps"), "{error}");
    std::fs::write(folder.path().join("state.json"), "{").unwrap();
    let error = tune(&pipeline, &samples, 1, folder.path()).unwrap_err().to_string();
    assert!(error.contains("state.json") && error.contains("begin again"), "{error}");
}
