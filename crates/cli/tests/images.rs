//! Pictures made of pictures: `generate --image` and `edit`.

use std::path::{Path, PathBuf};

use pictures::RgbImage;

use crate::support::{fail, model, succeed};

fn text(path: &Path) -> String {
    path.display().to_string()
}

fn dragon() -> String {
    text(&model().join("validation/nature_dragon_pixel.png"))
}

/// A black PNG of a size.
fn black(folder: &Path, [height, width]: [usize; 2]) -> PathBuf {
    let path = folder.join(format!("{width}x{height}.png"));
    let picture = RgbImage { width, height, rgb: vec![0; 3 * width * height] };
    picture.save_png(&path, &[]).unwrap();
    path
}

#[test]
fn generate_from_a_picture_keeps_its_size_and_more_of_it_the_weaker() {
    let folder = tempfile::tempdir().unwrap();
    let model = text(&model());
    let made = |strength: &str, more: &[&str]| {
        let out = folder.path().join(strength);
        let common = ["generate", "a cartoon of a dragon", "--model", &model, "--image"];
        let options = ["--strength", strength, "--steps", "10", "--out", out.to_str().unwrap()];
        succeed(&[&common[..], more, &options].concat());
        RgbImage::open(out.join("42.png")).unwrap()
    };
    let source = RgbImage::open(dragon()).unwrap();
    let distance = |picture: &RgbImage| metrics::mean_squared_error(picture, &source).unwrap();
    let distances = ["0.1", "0.4", "1"].map(|strength| distance(&made(strength, &[&dragon()])));
    assert!(distances.is_sorted_by(|a, b| a < b), "{distances:?}");
    let record = std::fs::read_to_string(folder.path().join("0.4/42.json")).unwrap();
    let record: serde_json::Value = serde_json::from_str(&record).unwrap();
    assert_eq!(record["image"]["noised"]["strength"], 0.4);
    assert_eq!(record["image"]["sha256"], files::sha256_bytes(std::fs::read(dragon()).unwrap()));
    let wide = made("0.5", &[&text(&black(folder.path(), [32, 96]))]);
    assert_eq!(wide.size(), [32, 96]);
    // What it was made of is not in it.
    let picture = text(&folder.path().join("0.4/42.png"));
    let again = ["generate", "--like", &picture, "--model", &model];
    assert!(fail(&again).contains("made of another"));
}

#[test]
fn edit_gives_the_source_back_and_another_picture() {
    let folder = tempfile::tempdir().unwrap();
    let (model, out) = (text(&model()), text(folder.path()));
    let edit = |steps: &str, to: &str, more: &[&str]| -> serde_json::Value {
        let options = ["--prompt", "pixel art of a dragon", "--to", to, "--steps", steps];
        let files = ["--model", &model, "--out", &out, "--json"];
        let text = succeed(&[&["edit", &dragon()][..], &options, &files, more].concat());
        serde_json::from_str(&text).unwrap()
    };
    let psnr = |result: &serde_json::Value, what: &str| result["psnr"][what].as_f64().unwrap();
    let few = edit("2", "a cartoon of a dragon", &[]);
    let result = edit("10", "a cartoon of a dragon", &[]);
    assert_eq!((&result["guidance"], &result["source_guidance"]), (&3.0.into(), &1.0.into()));
    let (lost, kept) = (psnr(&few, "reconstruction"), psnr(&result, "reconstruction"));
    assert!(lost < kept && kept < psnr(&result, "autoencoder"), "{few} {result}");
    let picture = |name: &str| RgbImage::open(folder.path().join(name)).unwrap();
    assert_ne!(picture("edited.png"), picture("reconstruction.png"));
    // Nothing is asked to change, and nothing does.
    edit("4", "pixel art of a dragon", &["--guidance", "1"]);
    assert_eq!(picture("edited.png"), picture("reconstruction.png"));
    let record = std::fs::read_to_string(folder.path().join("edited.json")).unwrap();
    let record: serde_json::Value = serde_json::from_str(&record).unwrap();
    assert_eq!(record["image"]["inverted"]["prompt"], "pixel art of a dragon");
    // Unless a schedule says so.
    let schedule = text(&folder.path().join("s.toml"));
    let made = ["schedule", "static", "--steps", "4", "--block", "6", "--weight", "1.2"];
    succeed(&[&made[..], &["--out", &schedule]].concat());
    let weights = ["--guidance", "1", "--weights", &schedule];
    edit("4", "pixel art of a dragon", &weights);
    assert_ne!(picture("edited.png"), picture("reconstruction.png"));
}

#[test]
fn pictures_that_cannot_be_used_are_named_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let model = text(&model());
    let odd = text(&black(folder.path(), [63, 50]));
    let broken = text(&folder.path().join("broken.png"));
    std::fs::write(&broken, b"\x89PNG\r\n\x1a\nno more").unwrap();
    let (missing, out) = (text(&folder.path().join("none.png")), text(folder.path()));
    let commands: [&dyn Fn(&str) -> String; 2] = [
        &|picture| {
            let options = ["--image", picture, "--model", &model, "--out", &out];
            fail(&[&["generate", "a"][..], &options].concat())
        },
        &|picture| {
            let options = ["--prompt", "a", "--to", "b", "--model", &model, "--out", &out];
            fail(&[&["edit", picture][..], &options].concat())
        },
    ];
    for command in commands {
        let error = command(&odd);
        assert!(error.contains("50x63.png` of 63×50 pixels"), "{error}");
        assert!(error.contains("multiples of 4, found 63×50"), "{error}");
        assert!(command(&broken).contains("broken.png"));
        assert!(command(&missing).contains("none.png"));
    }
    let generate = |more: &[&str]| {
        fail(&[&["generate", "a", "--model", &model, "--image", &dragon()][..], more].concat())
    };
    assert!(generate(&["--strength", "0.01"]).contains("at least one of 20 steps"));
    assert!(generate(&["--strength", "1.5"]).contains("from 0 to 1, found 1.5"));
    assert!(generate(&["--width", "32"]).contains("--width"));
    let error = fail(&["generate", "a", "--model", &model, "--strength", "0.5"]);
    assert!(error.contains("--image"), "{error}");
}

#[test]
fn explain_makes_a_picture_again_as_edit_does() {
    let folder = tempfile::tempdir().unwrap();
    let (model, source) = (text(&model()), dragon());
    let (edited, page) = (text(&folder.path().join("edit")), text(&folder.path().join("page")));
    let (of_source, to) = ("pixel art of a dragon", "a cartoon of a dragon");
    let common = ["--model", &model, "--steps", "2"];
    let edit = ["edit", &source, "--prompt", of_source, "--to", to, "--out", &edited];
    succeed(&[&edit[..], &common].concat());
    let asked = ["explain", to, "--image", &source, "--source-prompt", of_source, "--out", &page];
    let explain = [&asked[..], &common].concat();
    let euler = fail(&[&explain[..], &["--scheduler", "euler"]].concat());
    assert!(euler.contains("expected --scheduler ddim"), "{euler}");
    let seeds = fail(&[&explain[..], &["--seeds", "1"]].concat());
    assert!(seeds.contains("cannot be used with"), "{seeds}");
    succeed(&[&explain[..], &["--dry-run"]].concat());
    assert!(!folder.path().join("page").exists());
    // What is there is gone on from.
    for _ in 0..2 {
        succeed(&explain);
    }
    let picture = |path: &str| RgbImage::open(folder.path().join(path)).unwrap();
    assert_eq!(picture("page/pictures/0-vanilla.png"), picture("edit/edited.png"));
    let html = std::fs::read_to_string(folder.path().join("page/index.html")).unwrap();
    assert!(html.contains(of_source) && html.contains("--initial-noise"));
    // Another picture's page is another page, whose noise stays what it is.
    let noise = || std::fs::read(folder.path().join("page/inverted.safetensors")).unwrap();
    let before = noise();
    let other = text(&black(folder.path(), [64, 64]));
    let asked = ["explain", to, "--image", &other, "--out", &page];
    assert!(fail(&[&asked[..], &common].concat()).contains("another page"));
    assert_eq!(noise(), before);
}
