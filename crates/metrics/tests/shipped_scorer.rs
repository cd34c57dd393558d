//! The scorer that ships in `models/`.

use std::path::{Path, PathBuf};

use burn::tensor::{Device, FloatDType};
use metrics::ClipScorer;
use pictures::RgbImage;
use serde_json::Value;

fn models() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models")
}

fn scorer() -> ClipScorer {
    let folder = models().join("emoji-clip");
    ClipScorer::from_folder(folder, FloatDType::F32, &Device::flex()).unwrap()
}

/// The pictures and captions that were held out of its training.
fn held_out() -> (Vec<RgbImage>, Vec<String>) {
    let folder = models().join("emoji-sd/validation");
    let text = std::fs::read_to_string(folder.join("metadata.jsonl")).unwrap();
    let rows = text.lines().map(|line| {
        let row: Value = serde_json::from_str(line).unwrap();
        let file = folder.join(row["file_name"].as_str().unwrap());
        (RgbImage::open(file).unwrap(), row["text"].as_str().unwrap().to_string())
    });
    rows.unzip()
}

#[test]
fn held_out_captions_are_found_as_often_as_its_card_says() {
    let (scorer, (pictures, captions)) = (scorer(), held_out());
    let vectors = scorer.embed(&pictures).unwrap();
    let hits = vectors.iter().enumerate().filter(|(index, vector)| {
        let repeated = vec![(*vector).clone(); captions.len()];
        let scores = scorer.cosines(&repeated, &captions).unwrap();
        scores.iter().all(|score| *score <= scores[*index])
    });
    let share = hits.count() as f64 / pictures.len() as f64;
    let text = std::fs::read_to_string(models().join("emoji-clip/training.json")).unwrap();
    let card: Value = serde_json::from_str(&text).unwrap();
    let printed = card["validation"]["caption_of_picture_top1"].as_f64().unwrap();
    // The card's share is of the weights before they were rounded to 16 bits.
    assert!((share - printed).abs() <= 0.03, "{share} {printed}");
}

#[test]
fn scores_do_not_depend_on_the_batch_and_need_a_prompt_each() {
    let (scorer, (pictures, captions)) = (scorer(), held_out());
    let (pictures, captions) = (&pictures[..5], &captions[..5]);
    let together = scorer.score(pictures, captions).unwrap();
    for i in 0..5 {
        let alone = scorer.score(&pictures[i..=i], &captions[i..=i]).unwrap();
        assert_eq!(alone, together[i..=i]);
    }
    assert!(together.iter().all(|score| (-1.0..=1.0).contains(score)));
    assert!(scorer.score(pictures, &captions[..4]).is_err());
    assert!(scorer.score(&[], &[]).unwrap().is_empty());
}

/// What open_clip 3.3.0 makes of the folder (`models/emoji-clip/open-clip-check/check.py`).
#[test]
fn embeddings_equal_open_clip() {
    let folder = models().join("emoji-clip/open-clip-check");
    let golden: Value =
        serde_json::from_str(&std::fs::read_to_string(folder.join("golden.json")).unwrap())
            .unwrap();
    let scorer = scorer();
    for row in golden.as_array().unwrap() {
        let file = models().join("emoji-sd/validation").join(row["file_name"].as_str().unwrap());
        let picture = RgbImage::open(file).unwrap();
        let caption = row["text"].as_str().unwrap().to_string();
        let score = scorer.score(&[picture], &[caption]).unwrap()[0];
        let expected = row["score"].as_f64().unwrap();
        assert!((score - expected).abs() < 1e-4, "{score} {expected}");
    }
}
