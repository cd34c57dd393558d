//! The measure of a trained model's pictures, on a model trained for a moment.

use burn::tensor::{Device, FloatDType};
use pictures::Dataset;
use pipeline::Pipeline;
use trainer::{QualitySettings, Recipe, Stages, Summary, TrainError, quality};

use crate::common;

#[test]
fn quality_counts_pictures_and_refuses_foreign_ones() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let data = common::pictures(&folder.join("data"));
    let recipe = Recipe::from_file(common::recipe(folder, common::PIPELINE)).unwrap();
    let out = folder.join("out");
    let written =
        trainer::train(&recipe, &data, &folder.join("work"), &out, Stages::All, &mut |_, _| {});
    let summary = Summary::from_folder(&out).unwrap();
    assert_eq!(Some(&summary), written.unwrap().as_ref());
    let pipeline = Pipeline::from_folder(&out, FloatDType::F32, &Device::flex()).unwrap();
    let train = Dataset::open(data.join("train")).unwrap();
    let settings = QualitySettings { pictures: 2, steps: 2, guidance_scale: 1.0, seed: 1 };
    let measured = quality(&pipeline, &train, &summary.concepts, settings).unwrap();
    assert_eq!(measured.pictures, 2);
    let error = quality(&pipeline, &train, &["a unicorn".into()], settings).unwrap_err();
    assert!(matches!(error, TrainError::NoConcept { pictures: 8, concepts: 1 }), "{error}");
    let smaller = Dataset { size: 8, ..train };
    let error = quality(&pipeline, &smaller, &summary.concepts, settings).unwrap_err();
    assert!(error.to_string().contains("16×16"), "{error}");
}
