//! The shipped model on its held-out pictures.

use std::path::{Path, PathBuf};

use burn::tensor::{Device, FloatDType};
use pictures::Dataset;
use pipeline::Pipeline;
use probe::{
    CaptionedPicture, FitPlan, FitSettings, FitState, Noised, PictureEvaluator, PictureNoise,
    ProbeError, TargetEvaluator,
};

fn shipped_model() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/emoji-sd")
}

fn shipped() -> (Pipeline, Dataset) {
    let pipeline = Pipeline::from_folder(shipped_model(), FloatDType::F32, &Device::flex());
    (pipeline.unwrap(), Dataset::open(shipped_model().join("validation")).unwrap())
}

fn captioned(set: &Dataset, chosen: &[usize]) -> Vec<CaptionedPicture<'static>> {
    let leak = |at: &usize| {
        let example = set.examples[*at].clone();
        CaptionedPicture {
            pixels: example.pixels.leak(),
            size: [set.size; 2],
            prompt: example.text.leak(),
        }
    };
    chosen.iter().map(leak).collect()
}

#[test]
fn fits_of_the_shipped_model_do_not_depend_on_the_batch() {
    let (pipeline, set) = shipped();
    let pictures = captioned(&set, &[0, 1, 2]);
    let plan = FitPlan {
        fitted: 2,
        tested: 1,
        seeds: vec![1],
        crossed: 2,
        settings: FitSettings::default(),
    };
    let run = |unet_batch: usize| {
        let mut evaluator = PictureEvaluator::new(&pipeline, &pictures, 2, unet_batch).unwrap();
        let mut state = FitState::new(plan.clone());
        state.complete(&mut evaluator, &mut |_| Ok(())).unwrap();
        assert_eq!(evaluator.unet_samples(), plan.unet_samples(2, 7));
        serde_json::to_string(&state).unwrap()
    };
    let first = run(1);
    for unet_batch in [3, 64] {
        assert!(first == run(unet_batch), "batch {unet_batch}");
    }
}

#[test]
fn the_shipped_model_predicts_what_it_was_trained_to() {
    let (pipeline, set) = shipped();
    let pictures = captioned(&set, &[3, 4]);
    let mut evaluator = PictureEvaluator::new(&pipeline, &pictures, 4, 8).unwrap();
    let at = |picture: usize, noise: PictureNoise, step: usize| Noised { picture, noise, step };
    let (one, none) = ([1.0; 7], [0.0; 7]);
    for step in 0..4 {
        let own = at(0, PictureNoise::Own(1), step);
        let asked = [(own, &one[..]), (own, &none[..])];
        let [vanilla, without]: [Vec<f64>; 2] =
            evaluator.errors(&asked).unwrap().try_into().unwrap();
        let power = |error: &[f64]| error.iter().map(|x| x * x).sum::<f64>() / error.len() as f64;
        // Velocities have a mean square of about 1.
        assert!(power(&vanilla) < 0.5, "step {step}: {}", power(&vanilla));
        assert!(power(&without) > 2.0 * power(&vanilla), "step {step}: {}", power(&without));
    }
    // Noise of a picture's own differs from picture to picture and from step to step.
    let mut first = |noised: Noised| evaluator.errors(&[(noised, &one)]).unwrap();
    let own = first(at(0, PictureNoise::Own(1), 0));
    assert_eq!(own, first(at(0, PictureNoise::Own(1), 0)));
    for other in [
        at(0, PictureNoise::Own(2), 0),
        at(0, PictureNoise::Shared(1), 0),
        at(1, PictureNoise::Own(1), 0),
    ] {
        assert_ne!(own, first(other), "{other:?}");
    }
}

#[test]
fn pictures_that_cannot_be_used_are_refused() {
    let (pipeline, set) = shipped();
    let pictures = captioned(&set, &[0, 1, 0]);
    let evaluator = PictureEvaluator::new(&pipeline, &pictures, 2, 8).unwrap();
    assert_eq!(evaluator.duplicates(), Some([0, 2]));
    let other = CaptionedPicture { size: [32, 128], ..pictures[0] };
    for (pictures, batch, word) in [
        (vec![], 8, "at least one picture"),
        (vec![pictures[0], other], 8, "picture 1: expected 64×64"),
        (vec![CaptionedPicture { pixels: &[0.0; 3], ..pictures[0] }], 8, "3 values"),
        (pictures.clone(), 0, "U-Net batch"),
    ] {
        let error = PictureEvaluator::new(&pipeline, &pictures, 2, batch).err().unwrap();
        assert!(matches!(error, ProbeError::Config(_)), "{error}");
        assert!(error.to_string().contains(word), "{error}");
    }
}
