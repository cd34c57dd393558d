//! Trainings that go on from a model's folder.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use trainer::{Progress, Stages, Summary, TrainError};

use crate::common::{self, contents, kill};

const UNET: &str = "unet/diffusion_pytorch_model.safetensors";

/// Trains by `recipe` below `folder`, from the model `from`.
fn train(
    folder: &Path,
    recipe: &str,
    from: Option<&Path>,
    watch: &mut dyn FnMut(&'static str, Progress),
) -> Result<(), TrainError> {
    run(folder, recipe, from, Stages::All, watch)
}

fn run(
    folder: &Path,
    recipe: &str,
    from: Option<&Path>,
    stages: Stages,
    watch: &mut dyn FnMut(&'static str, Progress),
) -> Result<(), TrainError> {
    common::pictures(&folder.join("data"));
    common::train(folder, recipe, from, stages, watch).map(|_| ())
}

/// A model that was trained by [`common::PIPELINE`], in `out` of the folder.
fn trained() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    train(folder.path(), common::PIPELINE, None, &mut |_, _| {}).unwrap();
    folder
}

#[test]
fn train_goes_on_from_a_folder_and_ends_in_the_same_bytes_when_killed() {
    let first = trained();
    let from = first.path().join("out");
    let recipe = format!("{}{}", common::PIPELINE, common::REFINEMENT);
    let [whole, killed] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let mut steps = Vec::new();
    let watch = &mut |stage, progress: Progress| steps.push((stage, progress.step));
    train(whole.path(), &recipe, Some(&from), watch).unwrap();
    assert_eq!(steps, [1, 2, 3, 4].map(|step| ("refinement", step)), "only the last training");
    let run = || train(killed.path(), &recipe, Some(&from), &mut kill("refinement", 3));
    catch_unwind(AssertUnwindSafe(run)).expect_err("the run was not killed");
    train(killed.path(), &recipe, Some(&from), &mut |_, _| {}).unwrap();
    for part in ["out", "work"] {
        let [whole, killed] = [&whole, &killed].map(|run| contents(&run.path().join(part)));
        assert!(whole.len() > 2 && whole == killed, "`{part}` differs");
    }
    let out = whole.path().join("out");
    let [before, after] = [&from, &out].map(|folder| contents(folder));
    for (path, bytes) in &before {
        let is_trained = path.starts_with("unet") || path.starts_with("text_encoder");
        let may_differ = is_trained && path.extension().is_some_and(|end| end == "safetensors")
            || path.ends_with("training.json");
        assert_eq!(after[path] == *bytes, !may_differ, "{}", path.display());
    }
    let [before, after] = [&from, &out].map(|folder| Summary::from_folder(folder).unwrap());
    assert_eq!(after.autoencoder_loss, before.autoencoder_loss);
    assert_eq!(after.diffusion_loss, before.diffusion_loss);
    assert_eq!((after.refinement_loss.len(), after.refinement_loss[0].len()), (1, 4));
    assert!(before.from_sha256.is_none() && after.from_sha256.is_some());
}

#[test]
fn train_distils_a_folder_that_needs_no_more_training() {
    let first = trained();
    let from = first.path().join("out");
    let folder = tempfile::tempdir().unwrap();
    let mut steps = Vec::new();
    let watch = &mut |stage, progress: Progress| steps.push((stage, progress.step));
    run(folder.path(), common::PIPELINE, Some(&from), Stages::Distillation, watch).unwrap();
    assert_eq!(steps, [1, 2, 3, 4, 1, 2, 3, 4].map(|step| ("distillation", step)));
    let [teacher, student] = [&from, &folder.path().join("out")].map(|folder| contents(folder));
    assert_ne!(teacher[Path::new(UNET)], student[Path::new(UNET)]);
    let summary = Summary::from_folder(folder.path().join("out")).unwrap();
    assert_eq!(summary.distillation_loss.len(), 2);
    assert_eq!(summary.diffusion_loss, Summary::from_folder(&from).unwrap().diffusion_loss);
}

#[test]
fn train_from_a_folder_refuses_another_one_midway_and_its_own_result() {
    let first = trained();
    let (from, other) = (first.path().join("out"), first.path().join("other"));
    let recipe = format!("{}{}", common::PIPELINE, common::REFINEMENT);
    let folder = tempfile::tempdir().unwrap();
    train(folder.path(), &recipe, Some(&from), &mut |_, _| {}).unwrap();
    for (path, bytes) in contents(&from) {
        std::fs::create_dir_all(other.join(&path).parent().unwrap()).unwrap();
        std::fs::write(other.join(path), bytes).unwrap();
    }
    std::fs::copy(folder.path().join("out").join(UNET), other.join(UNET)).unwrap();
    let refused = |from: &Path, parts: &[&str]| {
        let before = contents(folder.path());
        let watch = &mut |_, _| panic!("a step was made");
        let error = train(folder.path(), &recipe, Some(from), watch).unwrap_err().to_string();
        for part in parts {
            assert!(error.contains(part), "`{part}` in: {error}");
        }
        assert!(contents(folder.path()) == before, "files were changed");
    };
    refused(&other, &["refinement.safetensors", "`from_sha256`", "work folder"]);
    refused(&folder.path().join("out"), &["another folder"]);
}

#[test]
fn train_from_a_folder_names_what_the_recipe_has_otherwise() {
    let first = trained();
    let from = first.path().join("out");
    let folder = tempfile::tempdir().unwrap();
    let refused = |recipe: &str, from: &Path, parts: &[&str]| {
        let watch = &mut |_, _| panic!("a step was made");
        let error = train(folder.path(), recipe, Some(from), watch).unwrap_err().to_string();
        for part in parts {
            assert!(error.contains(part), "`{part}` in: {error}");
        }
        let written = ["work", "out"].map(|part| folder.path().join(part).exists());
        assert_eq!(written, [false; 2], "files were written");
    };
    let changed = |field: &str, other: &str| common::PIPELINE.replacen(field, other, 1);
    let recipe = changed("latent_channels = 4", "latent_channels = 8");
    refused(&recipe, &from, &["vae", "config.json", "`latent_channels` (expected 8, found 4)"]);
    let heads = changed("[1, 2, 2, 2]", "[2, 2, 2, 2]");
    refused(&heads, &from, &["unet", "`attention_head_dim` (expected [2,2,2,2], found [1,2,2,2])"]);
    let recipe = changed("text_layers = 1", "text_layers = 2");
    refused(&recipe, &from, &["text_encoder", "`num_hidden_layers` (expected 2, found 1)"]);
    let summary = from.join("training.json");
    let text = std::fs::read_to_string(&summary).unwrap();
    for (field, found) in [("refinement_loss", "found 1"), ("distillation_loss", "and 1 rounds")] {
        let more = text.replacen('{', &format!("{{\"{field}\": [[0.5]],"), 1);
        std::fs::write(&summary, more).unwrap();
        refused(common::PIPELINE, &from, &["training.json", "at most the recipe's 0", found]);
    }
    std::fs::write(&summary, text).unwrap();
    let other_pairs = changed("pairs = 1", "pairs = 4");
    refused(&other_pairs, &from, &["trained without the pairs", "may know `a "]);
    refused(common::PIPELINE, &folder.path().join("nothing"), &["training.json"]);
    std::fs::remove_file(from.join("tokenizer/merges.txt")).unwrap();
    refused(common::PIPELINE, &from, &["merges.txt"]);
}
