//! The measures of a trained model's pictures, on models trained for a moment.

use burn::tensor::{Device, FloatDType};
use metrics::ClipScorer;
use pictures::Dataset;
use pipeline::Pipeline;
use trainer::{
    HeldOut, QualitySettings, Recipe, Reference, ScorerRecipe, Stages, Summary, TrainError,
    Trained, VaguePrompt, quality, scored, train_scorer_model,
};

use crate::common;

#[test]
fn quality_counts_pictures_and_refuses_foreign_ones() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let data = common::pictures(&folder.join("data"));
    let (work, out) = (folder.join("work"), folder.join("out"));
    let recipe = Recipe::from_file(common::recipe(folder, common::PIPELINE)).unwrap();
    let written = common::train(folder, common::PIPELINE, None, Stages::All, &mut |_, _| {});
    let summary = Summary::from_folder(&out).unwrap();
    assert_eq!(written.unwrap(), Trained::Pipeline(summary.clone()));
    let pipeline = Pipeline::from_folder(&out, FloatDType::F32, &Device::flex()).unwrap();
    let mut train = Dataset::open(data.join("train")).unwrap();
    let settings = QualitySettings { pictures: 2, steps: 2, guidance_scale: 2.0, seed: 1 };
    let measured = quality(&pipeline, &train, &summary.concepts, settings).unwrap();
    assert_eq!(measured.pictures, 2);
    let error = quality(&pipeline, &train, &["a unicorn".into()], settings).unwrap_err();
    assert!(matches!(error, TrainError::NoConcept { pictures: 8, concepts: 1 }), "{error}");
    let smaller = Dataset { size: 8, ..train.clone() };
    let error = quality(&pipeline, &smaller, &summary.concepts, settings).unwrap_err();
    assert!(error.to_string().contains("16×16"), "{error}");

    let scorer = ScorerRecipe::from_file(common::recipe(folder, common::SCORER)).unwrap();
    let clip = folder.join("clip");
    let trained =
        train_scorer_model(&scorer, &data, &work, &clip, &Device::flex(), &mut |_, _| {}).unwrap();
    // The two of `validation/` and the one that was drawn.
    assert_eq!((trained.pairs, trained.held_out.pairs), (7, 3));
    let held_out = HeldOut::from_folder(&out).unwrap();
    assert_eq!(held_out.pairs().len(), 1);
    assert_eq!(HeldOut::from_folder(&clip).unwrap(), held_out);
    let clip = ClipScorer::from_folder(&clip, FloatDType::F32, &Device::flex()).unwrap();
    let held_out = held_out.split_off(&mut train);
    let validation = Dataset::open(data.join("validation")).unwrap();
    let reference = Reference { train: &train, held_out: &held_out, validation: &validation };
    // Of this few concepts no kind is asked for.
    let captions = &recipe.diffusion.captions;
    assert_eq!(VaguePrompt::of_kinds(&data, captions, &train).unwrap(), []);
    let vague = VaguePrompt {
        text: "flat art of a thing".into(),
        style: "flat".into(),
        concepts: summary.concepts.iter().cloned().collect(),
    };
    let concepts = ["a red cat", "a blue cap", "a green bed", "a white bat"].map(String::from);
    let mut pictures = 0;
    let (scored, sheet) =
        scored(&pipeline, reference, &concepts, &[vague], &clip, settings, &mut |more| {
            pictures += more
        })
        .unwrap();
    assert_eq!(pictures, 2 + 1 + 2 + 8);
    assert_eq!((scored.seen.pictures, scored.held_out.unwrap().pictures), (2, 1));
    assert_eq!(scored.validation.unwrap().pictures, 2);
    assert_eq!(scored.diversity.len(), 1);
    assert!(scored.mean_diversity_ratio.unwrap() > 0.0);
    assert!(scored.copies.unwrap().sampled > 0.0);
    assert_eq!((sheet.width, sheet.height), (8 * (16 + 2), 4 * (16 + 2)));
}
