//! Interrupted runs end in the same bytes, and checkpoints of other runs are refused untouched.

use burn::tensor::{Device, FloatDType};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use ::pipeline::Pipeline;
use trainer::{Progress, ScorerRecipe, Stages, TrainError};

use crate::common::{self, contents, kill};

/// Trains a pipeline below `folder`, with the working files in `work`; `watch` sees every step.
fn pipeline(
    folder: &Path,
    recipe: &str,
    watch: &mut dyn FnMut(&'static str, Progress),
) -> Result<(), TrainError> {
    common::pictures(&folder.join("data"));
    common::train(folder, recipe, None, Stages::All, watch).map(|_| ())
}

fn scorer(folder: &Path, watch: &mut dyn FnMut(&'static str, Progress)) -> Result<(), TrainError> {
    let data = common::pictures(&folder.join("data"));
    let recipe = ScorerRecipe::from_file(common::recipe(folder, common::SCORER))?;
    let (work, out) = (folder.join("work"), folder.join("out"));
    trainer::train_scorer_model(&recipe, &data, &work, &out, &Device::flex(), watch).map(|_| ())
}

#[test]
fn train_killed_in_both_stages_ends_in_the_same_bytes() {
    let [whole, killed] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    pipeline(whole.path(), common::PIPELINE, &mut |_, _| {}).unwrap();
    // Neither step has just been written.
    for (stage, step) in [("autoencoder", 3), ("diffusion", 5)] {
        let run = || pipeline(killed.path(), common::PIPELINE, &mut kill(stage, step));
        catch_unwind(AssertUnwindSafe(run)).expect_err("the run was not killed");
        assert!(!killed.path().join("out").exists(), "written before the end");
    }
    let mut steps = Vec::new();
    let watch = &mut |stage, progress: Progress| steps.push((stage, progress.step));
    pipeline(killed.path(), common::PIPELINE, watch).unwrap();
    assert_eq!(steps, [("diffusion", 5), ("diffusion", 6)], "resumed where it was written last");
    for part in ["out", "work"] {
        let [whole, killed] = [&whole, &killed].map(|run| contents(&run.path().join(part)));
        assert!(whole.len() > 2 && whole == killed, "`{part}` differs");
    }
}

#[test]
fn train_killed_while_it_distils_ends_in_the_same_bytes() {
    let [whole, killed] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let distil = |folder: &Path, watch: &mut dyn FnMut(&'static str, Progress)| {
        common::pictures(&folder.join("data"));
        common::train(folder, common::PIPELINE, None, Stages::Distillation, watch).unwrap();
    };
    distil(whole.path(), &mut |_, _| {});
    let run = || distil(killed.path(), &mut kill("distillation", 3));
    catch_unwind(AssertUnwindSafe(run)).expect_err("the run was not killed");
    let mut steps = Vec::new();
    distil(killed.path(), &mut |stage, progress: Progress| steps.push((stage, progress.step)));
    // The first round from where it was written last, then the second.
    assert_eq!(steps, [3, 4, 1, 2, 3, 4].map(|step| ("distillation", step)));
    for part in ["out", "work"] {
        let [whole, killed] = [&whole, &killed].map(|run| contents(&run.path().join(part)));
        assert!(whole.len() > 2 && whole == killed, "`{part}` differs");
    }
    // The student says how it is used, and is another model than its teacher.
    let recommended = || {
        let (folder, dtype) = (whole.path().join("out"), FloatDType::F32);
        Pipeline::from_folder(folder, dtype, &Device::flex()).unwrap().recommended()
    };
    assert_eq!(recommended(), Some((1, 0.0)));
    pipeline(whole.path(), common::PIPELINE, &mut |_, _| panic!("a step was made")).unwrap();
    let unet = "unet/diffusion_pytorch_model.safetensors";
    let read = |run: &Path| std::fs::read(run.join("out").join(unet)).unwrap();
    assert_ne!(read(whole.path()), read(killed.path()));
    assert_eq!(recommended(), None);
}

#[test]
fn train_refines_what_was_trained_before_and_ends_in_the_same_bytes_when_killed() {
    let once = format!("{}{}", common::PIPELINE, common::REFINEMENT);
    let twice = format!("{once}{}", common::REFINEMENT);
    let [whole, killed] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    pipeline(whole.path(), &twice, &mut |_, _| {}).unwrap();
    // Begun after trainings without it, whose checkpoints are those of its first parts.
    let unet = Path::new("unet/diffusion_pytorch_model.safetensors");
    let mut trained = Vec::new();
    for recipe in [common::PIPELINE, &once] {
        pipeline(killed.path(), recipe, &mut |_, _| {}).unwrap();
        trained.push(contents(&killed.path().join("out"))[unet].clone());
    }
    let run = || pipeline(killed.path(), &twice, &mut kill("refinement", 3));
    catch_unwind(AssertUnwindSafe(run)).expect_err("the run was not killed");
    let mut steps = Vec::new();
    let watch = &mut |stage, progress: Progress| steps.push((stage, progress.step));
    pipeline(killed.path(), &twice, watch).unwrap();
    assert_eq!(steps, [("refinement", 3), ("refinement", 4)]);
    for part in ["out", "work"] {
        let [whole, killed] = [&whole, &killed].map(|run| contents(&run.path().join(part)));
        assert!(whole.len() > 2 && whole == killed, "`{part}` differs");
    }
    trained.push(contents(&killed.path().join("out"))[unet].clone());
    trained.sort();
    trained.dedup();
    assert_eq!(trained.len(), 3, "a training changed nothing");
}

#[test]
fn train_scorer_killed_ends_in_the_same_bytes() {
    let [whole, killed] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    scorer(whole.path(), &mut |_, _| {}).unwrap();
    let run = || scorer(killed.path(), &mut kill("scorer", 3));
    catch_unwind(AssertUnwindSafe(run)).expect_err("the run was not killed");
    scorer(killed.path(), &mut |_, _| {}).unwrap();
    let [whole, killed] = [&whole, &killed].map(|run| contents(&run.path().join("out")));
    assert!(whole.len() > 2 && whole == killed);
}

#[test]
fn train_under_a_changed_recipe_or_on_other_pictures_is_refused_before_anything_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    pipeline(folder, common::PIPELINE, &mut |_, _| {}).unwrap();
    let before = [contents(&folder.join("work")), contents(&folder.join("out"))];
    let refused = |recipe: &str, parts: &[&str]| {
        let error = pipeline(folder, recipe, &mut |_, _| panic!("a step was made")).unwrap_err();
        assert!(matches!(error, TrainError::OtherOrigin { .. }), "{error}");
        for part in parts {
            assert!(error.to_string().contains(part), "`{part}` in: {error}");
        }
        let after = [contents(&folder.join("work")), contents(&folder.join("out"))];
        assert!(before == after, "files were changed");
    };
    let seed = common::PIPELINE.replace("seed = 3", "seed = 4");
    refused(&seed, &["autoencoder.safetensors", "`seed` (expected 4, found 3)"]);
    let gamma = common::PIPELINE.replace("min_snr_gamma = 5.0", "min_snr_gamma = 4.0");
    refused(&gamma, &["diffusion.safetensors", "`diffusion.min_snr_gamma`", "work folder"]);
    // How often checkpoints are written changes nothing else.
    let every = common::PIPELINE.replace("checkpoint_every = 2", "checkpoint_every = 3");
    pipeline(folder, &every, &mut |_, _| panic!("a step was made")).unwrap();
    std::fs::copy(folder.join("data/train/0.png"), folder.join("data/train/1.png")).unwrap();
    let error = common::train(folder, common::PIPELINE, None, Stages::All, &mut |_, _| {});
    let error = error.unwrap_err().to_string();
    assert!(error.contains("other pictures") && error.contains("safetensors"), "{error}");
}

#[test]
fn train_over_a_damaged_checkpoint_names_it_and_leaves_it() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    pipeline(folder, common::PIPELINE, &mut |_, _| {}).unwrap();
    let checkpoint = folder.join("work/diffusion.safetensors");
    let bytes = std::fs::read(&checkpoint).unwrap();
    let truncated = &bytes[..bytes.len() / 2];
    std::fs::write(&checkpoint, truncated).unwrap();
    let watch = &mut |_, _| panic!("a step was made");
    let error = pipeline(folder, common::PIPELINE, watch).unwrap_err();
    assert!(matches!(error, TrainError::NoCheckpoint { .. }), "{error}");
    assert!(error.to_string().contains("diffusion.safetensors"), "{error}");
    assert_eq!(std::fs::read(&checkpoint).unwrap(), truncated);
}
