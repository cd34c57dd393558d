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

#[test]
fn inspect_says_what_each_block_of_a_lora_does() {
    let model = model().display().to_string();
    let choice = format!("{}=0.8@mid_block,text_encoder", lora("kohya.safetensors").display());
    let inspect = ["inspect", "--model", &model, "--lora", &choice];
    let facts: serde_json::Value =
        serde_json::from_str(&succeed(&[&inspect[..], &["--json"]].concat())).unwrap();
    let lora = &facts["loras"][0];
    assert_eq!((&lora["file"], &lora["strength"]), (&"kohya.safetensors".into(), &0.8.into()));
    let parts = lora["parts"].as_array().unwrap();
    let part = |path: &str| parts.iter().find(|part| part["path"] == path).unwrap();
    // Every attention block has a row, changed or not.
    let indices: Vec<_> = parts.iter().filter_map(|part| part["index"].as_u64()).collect();
    assert_eq!(indices.iter().collect::<std::collections::BTreeSet<_>>().len(), 7);
    let (mid, text, other) = (part("mid_block"), part("text_encoder"), part("down_blocks.0"));
    assert_eq!(mid["lora_block_weight"], serde_json::json!(["MID"]));
    assert_eq!(mid["comfyui"], serde_json::json!(["middle_1"]));
    assert_eq!(text["lora_block_weight"], serde_json::json!(["BASE"]));
    for changed in [mid, text] {
        assert!(changed["change"].as_f64().unwrap() > 0.0, "{changed}");
        let of_weights =
            changed["weights"].as_f64().unwrap() * changed["relative"].as_f64().unwrap();
        assert!((of_weights / changed["change"].as_f64().unwrap() - 1.0).abs() < 1e-9, "{changed}");
    }
    assert_eq!((&other["layers"], &other["relative"]), (&0.into(), &serde_json::Value::Null));
    let table = succeed(&inspect);
    assert!(table.contains("strength 0.8, merged into mid_block, text_encoder"), "{table}");
    assert!(table.lines().any(|line| line.contains("mid_block ") && line.ends_with("MID")));
    let error = fail(&["inspect", "--model", &model, "--lora", "nowhere.safetensors"]);
    assert!(error.contains("`nowhere.safetensors`"), "{error}");
}
