//! LoRAs, from the command line: they are in the picture's record, and made again from it.

use std::path::{Path, PathBuf};

use pipeline::PictureRecord;

use crate::support::{fail, model, succeed};

fn lora(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../pipeline/tests/lora-check").join(name)
}

#[test]
fn a_picture_with_loras_is_recorded_and_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let model = model().display().to_string();
    let (kohya, processor) = (lora("kohya.safetensors"), lora("processor.safetensors"));
    let (kohya, processor) = (kohya.display().to_string(), processor.display().to_string());
    let common = ["generate", "a red apple", "--model", &model, "--steps", "2", "--seeds", "5"];
    let strong = format!("{kohya}=0.8@mid_block,text_encoder");
    let loras = ["--lora", &strong, "--lora", &processor, "--out"];
    succeed(&[&common[..], &loras[..], &[&path("a")]].concat());
    succeed(&[&common[..], &["--out", &path("plain")]].concat());
    let picture = path("a/5.png");
    let record = PictureRecord::of_png(&picture).unwrap();
    assert_eq!(record.loras.len(), 2);
    assert_eq!((record.loras[0].strength, record.loras[0].blocks.len()), (0.8, 2));
    assert!(record.model.contains("kohya.safetensors=0.8@mid_block,text_encoder"));
    let plain = PictureRecord::of_png(path("plain/5.png")).unwrap();
    assert_ne!(record.model_sha256, plain.model_sha256);
    // In whatever order the files are named.
    let like = ["generate", "--like", &picture, "--model", &model, "--out", &path("b")];
    succeed(&[&like[..], &["--lora", &processor, "--lora", &kohya]].concat());
    let bytes = |name: &str| std::fs::read(folder.path().join(name)).unwrap();
    assert_eq!(bytes("a/5.png"), bytes("b/5.png"));
    assert_ne!(bytes("a/5.png"), bytes("plain/5.png"));
    let error = fail(&[&like[..], &["--lora", &kohya]].concat());
    assert!(error.contains("processor.safetensors") && error.contains("--lora"), "{error}");
    let error = fail(&[&like[..], &["--lora", &strong, "--lora", &processor]].concat());
    assert!(error.contains("expected --lora FILE"), "{error}");
    let other = lora("diffusers.safetensors").display().to_string();
    let error = fail(&[&like[..], &["--lora", &other]].concat());
    assert!(error.contains("made without") && error.contains("diffusers.safetensors"), "{error}");
}

#[test]
fn loras_that_are_none_are_errors() {
    let model = model().display().to_string();
    let common = ["importance", "a red apple", "--model", &model, "--lora"];
    let golden = lora("golden.safetensors").display().to_string();
    let error = fail(&[&common[..], &[&golden]].concat());
    assert!(error.contains("golden.safetensors") && error.contains("lora_down"), "{error}");
    let error = fail(&[&common[..], &["nowhere.safetensors=0.5"]].concat());
    assert!(error.contains("`nowhere.safetensors`"), "{error}");
    let error = fail(&[&common[..], &["a.safetensors=0.5@"]].concat());
    assert!(error.contains("FILE=STRENGTH"), "{error}");
}
