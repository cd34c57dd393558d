//! Fine-tuning of pruned students of the shipped model.

use std::path::{Path, PathBuf};

use burn::tensor::{DType, Device, FloatDType};
use pipeline::{Guidance, Pipeline, SampleRequest, initial_noise};
use pruning::{FineTuning, PruningError, SkipSets, Student, fine_tune, teacher};
use rayon::ThreadPoolBuilder;
use reweight::BlockWeights;
use scheduler::SchedulerKind;
use unet_core::UNet2DConditionModel;
use weights::StoredDtype;

fn load() -> Pipeline {
    let folder: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/emoji-sd");
    Pipeline::from_folder(folder, FloatDType::F32, &Device::flex()).unwrap()
}

fn samples(pipeline: &Pipeline, count: u64, scale: f64) -> Vec<SampleRequest> {
    samples_of(pipeline, "a cartoon of a dragon", count, scale)
}

fn samples_of(pipeline: &Pipeline, prompt: &str, count: u64, scale: f64) -> Vec<SampleRequest> {
    let prompts = pipeline.encode_prompts(&[prompt.into()]).unwrap();
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
    SkipSets::new(7, vec![vec![3], vec![6]]).unwrap().block_weights().unwrap()
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
    let mut parameters: Vec<_> =
        file.tensors().into_iter().map(|(name, view)| (name, values(view.data()))).collect();
    parameters.sort_by(|a: &(String, Vec<f32>), b| a.0.cmp(&b.0));
    parameters
}

#[test]
fn fine_tune_lowers_the_loss_and_moves_attention_alone() {
    let pipeline = load();
    for scale in [0.0, 3.0] {
        let samples = samples(&pipeline, 3, scale);
        let folder = tempfile::tempdir().unwrap();
        let student = tune(&pipeline, &samples, 4, folder.path()).unwrap();
        assert!(student.losses.windows(2).all(|pair| pair[1] < pair[0]), "{:?}", student.losses);
        let (before, after) = (parameters(pipeline.unet()), parameters(&student.unet));
        for ((name, old), (_, new)) in before.iter().zip(&after) {
            // Every block runs at one step or the other, so that all of its parameters learn.
            assert_eq!(old != new, name.contains("attentions"), "{name}");
        }
    }
}

#[test]
fn fine_tune_first_step_is_adams_with_the_epsilon_of_pytorch() {
    // Adam's first step is lr · g / (|g| + ε). The median gradient here is 5e-8: with ε = 1e-8 a
    // step of 0.84 lr, with burn's 1e-5 one of 0.005 lr.
    let pipeline = load();
    let mut samples = samples(&pipeline, 1, 0.0);
    samples[0].steps = 1;
    let skips = SkipSets::new(7, vec![vec![3]]).unwrap().block_weights().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let settings = FineTuning { learning_rate: 1e-3, ..settings(1) };
    let student =
        fine_tune(&pipeline, &skips, &samples, &settings, folder.path(), &mut |_| {}).unwrap();
    let (before, after) = (parameters(pipeline.unet()), parameters(&student.unet));
    let pairs = before.iter().zip(&after).filter(|((name, _), _)| name.contains("attentions"));
    let mut moves: Vec<f32> = pairs
        .flat_map(|((_, old), (_, new))| old.iter().zip(new).map(|(old, new)| (new - old).abs()))
        .filter(|moved| *moved > 0.0)
        .collect();
    moves.sort_by(f32::total_cmp);
    let median = moves[moves.len() / 2];
    assert!(median > 0.8e-3, "median move {median:e}, lower decile {:e}", moves[moves.len() / 10]);
}

#[test]
fn teacher_and_student_are_in_one_data_type() {
    let folder: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/emoji-sd");
    let half = Pipeline::from_folder(folder, FloatDType::F16, &Device::flex()).unwrap();
    assert_eq!(half.unet().dtype(), DType::F16);
    let samples = samples(&half, 1, 0.0);
    let folder = tempfile::tempdir().unwrap();
    let student = tune(&half, &samples, 1, folder.path()).unwrap();
    assert_eq!([teacher(&half).unet().dtype(), student.unet.dtype()], [DType::F32; 2]);
}

#[test]
fn fine_tune_gives_the_same_student_on_any_number_of_threads() {
    // Guidance makes batches of four, which several threads could share.
    let pipeline = load();
    let samples = samples(&pipeline, 2, 3.0);
    let student = |threads: usize| {
        let folder = tempfile::tempdir().unwrap();
        let pool = ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let student = pool.install(|| tune(&pipeline, &samples, 1, folder.path())).unwrap();
        (student.losses, parameters(&student.unet))
    };
    let one = student(1);
    assert!((2..=4).all(|threads| student(threads) == one));
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
    // Fewer epochs than the checkpoint has are begun anew.
    let shorter = tune(&pipeline, &samples, 1, parts.path()).unwrap();
    assert_eq!(shorter.losses, straight.losses[..1]);
}

#[test]
fn fine_tune_does_not_go_on_from_another_prompt_or_guidance() {
    let pipeline = load();
    let folder = tempfile::tempdir().unwrap();
    let dragon = samples(&pipeline, 1, 0.0);
    tune(&pipeline, &dragon, 2, folder.path()).unwrap();
    let compass = samples_of(&pipeline, "pixel art of a compass", 1, 0.0);
    for other in [compass, samples(&pipeline, 1, 3.0)] {
        let fresh = tempfile::tempdir().unwrap();
        let expected = tune(&pipeline, &other, 2, fresh.path()).unwrap();
        let student = tune(&pipeline, &other, 2, folder.path()).unwrap();
        assert_eq!(student.losses, expected.losses);
    }
}

#[test]
fn fine_tune_removes_its_own_older_checkpoints_and_nothing_else() {
    let pipeline = load();
    let folder = tempfile::tempdir().unwrap();
    let foreign = ["notes.txt", "student-best.bpk", "model.safetensors"];
    for name in foreign {
        std::fs::write(folder.path().join(name), "precious").unwrap();
    }
    tune(&pipeline, &samples(&pipeline, 1, 0.0), 3, folder.path()).unwrap();
    let mut names: Vec<String> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let mut expected = [&foreign[..], &["optimizer-2.bpk", "state.json", "student-2.bpk"]].concat();
    expected.sort_unstable();
    assert_eq!(names, expected);
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
    assert!(error.contains("2 steps, expected 3"), "{error}");
    for (bad, expected) in [
        (FineTuning { batch: 0, ..settings(1) }, "`batch`"),
        (FineTuning { checkpoint_every: 0, ..settings(1) }, "`checkpoint_every`"),
        (settings(0), "found 0"),
        (settings(usize::MAX), "1 to 1000000 epochs"),
        (FineTuning { learning_rate: f64::NAN, ..settings(1) }, "learning rate"),
    ] {
        let tuned = fine_tune(&pipeline, &skips(), &samples, &bad, folder.path(), &mut |_| {});
        let error = tuned.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    // One bit of many.
    tune(&pipeline, &samples, 2, folder.path()).unwrap();
    let file = folder.path().join("student-1.bpk");
    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    let error = tune(&pipeline, &samples, 2, folder.path()).unwrap_err().to_string();
    assert!(error.contains("student-1.bpk") && error.contains("expected sha256"), "{error}");
    std::fs::write(folder.path().join("state.json"), "{").unwrap();
    let error = tune(&pipeline, &samples, 1, folder.path()).unwrap_err().to_string();
    assert!(error.contains("state.json") && error.contains("begin again"), "{error}");
}
