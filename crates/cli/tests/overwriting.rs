//! No command writes over a file that it reads, or over one that is not its own.

use std::path::Path;

use crate::support;
use crate::support::{fail, model, succeed};

const SCHEDULE: &str = r#"{"blocks": {"weights": [[1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.1]]}}"#;

fn text(path: &Path) -> String {
    path.display().to_string()
}

#[test]
fn schedules_that_are_read_are_not_replaced_by_records() {
    let folder = tempfile::tempdir().unwrap();
    let (cmp, seed) = (folder.path().join("cmp.json"), folder.path().join("42.json"));
    for path in [&cmp, &seed] {
        std::fs::write(path, SCHEDULE).unwrap();
    }
    let (weights, out) = (text(&cmp), text(&folder.path().join("cmp.png")));
    let compare = ["compare", "a", "--steps", "1", "--weights", &weights, "--out", &out];
    assert!(fail(&compare).contains("cmp.json` is read by this command"));
    let (weights, out) = (text(&seed), text(folder.path()));
    let generate = ["generate", "a", "--steps", "1", "--weights", &weights, "--out", &out];
    for force in [&[][..], &["--force"]] {
        let error = fail(&[&generate, force].concat());
        assert!(error.contains("42.json` is read by this command"), "{error}");
    }
    for path in [&cmp, &seed] {
        assert_eq!(std::fs::read_to_string(path).unwrap(), SCHEDULE);
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "nothing was written");
}

#[test]
fn results_are_replaced_and_foreign_files_only_by_force() {
    let folder = tempfile::tempdir().unwrap();
    let (out, record) = (text(folder.path()), folder.path().join("42.json"));
    let generate = ["generate", "a", "--steps", "1", "--save-latents", "--out", &out];
    succeed(&generate);
    let first = std::fs::read(&record).unwrap();
    succeed(&generate);
    assert_eq!(std::fs::read(&record).unwrap(), first);
    std::fs::write(&record, "my notes").unwrap();
    let error = fail(&generate);
    assert!(error.contains("42.json` exists") && error.contains("--force"), "{error}");
    assert_eq!(std::fs::read_to_string(&record).unwrap(), "my notes");
    succeed(&[&generate[..], &["--force"]].concat());
    assert_eq!(std::fs::read(&record).unwrap(), first);
    // Noise that is read from the file that would be written.
    let noise = text(&folder.path().join("latents.safetensors"));
    let error = fail(&[&generate[..], &["--force", "--initial-noise", &noise]].concat());
    assert!(error.contains("latents.safetensors` is read"), "{error}");
}

#[test]
fn schedules_and_probes_do_not_write_over_what_people_wrote() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.toml");
    let out = text(&path);
    succeed(&["schedule", "static", "--out", &out]);
    std::fs::write(&path, "# mine\n").unwrap();
    assert!(fail(&["schedule", "static", "--out", &out]).contains("--force"));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "# mine\n");
    succeed(&["schedule", "static", "--out", &out, "--force"]);
    std::fs::write(folder.path().join("importance.csv"), "my table").unwrap();
    let error = fail(&["probe", "a", "--out", &text(folder.path())]);
    assert!(error.contains("importance.csv` exists"), "{error}");
}

#[test]
fn maps_of_differences_are_not_written_over_the_pictures() {
    let folder = tempfile::tempdir().unwrap();
    let [a, b] = ["a", "b"].map(|name| folder.path().join(name));
    let source = support::model().join("validation");
    let pictures = pictures::list_pictures(source).unwrap();
    for set in [&a, &b] {
        std::fs::create_dir(set).unwrap();
        std::fs::copy(&pictures[0], set.join("1.png")).unwrap();
    }
    let before = std::fs::read(a.join("1.png")).unwrap();
    let (a, b) = (text(&a), text(&b));
    for maps in [&a, &b] {
        for force in [&[][..], &["--force"]] {
            let error = fail(&[&["score", "lpips", &a, &b, "--maps", maps], force].concat());
            assert!(error.contains("1.png` is read by this command"), "{error}");
        }
    }
    assert_eq!(std::fs::read(Path::new(&a).join("1.png")).unwrap(), before);
}

#[test]
fn what_a_model_or_a_set_of_pictures_consists_of_is_not_written_over() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("unet/config.json");
    std::fs::create_dir(folder.path().join("unet")).unwrap();
    std::fs::copy(support::model().join("unet/config.json"), &config).unwrap();
    let picture = folder.path().join("1.png");
    let source = pictures::list_pictures(support::model().join("validation")).unwrap();
    std::fs::copy(&source[0], &picture).unwrap();
    let before = [&config, &picture].map(|path| std::fs::read(path).unwrap());
    let (whole, unet, file) = (text(folder.path()), text(&config), text(&picture));
    let schedule = ["schedule", "static", "--model", &whole, "--out", &unet, "--force"];
    assert!(fail(&schedule).contains("config.json` is read by this command"));
    let fid = ["score", "fid", &whole, "--network", "clip", "--save-stats", &file, "--force"];
    assert!(fail(&fid).contains("1.png` is read by this command"));
    assert_eq!([&config, &picture].map(|path| std::fs::read(path).unwrap()), before);
}

#[test]
fn pages_drawings_and_pictures_of_others_are_not_written_over() {
    let folder = tempfile::tempdir().unwrap();
    let model = model().display().to_string();
    let out = folder.path().display().to_string();
    std::fs::create_dir(folder.path().join("pictures")).unwrap();
    let common = ["a", "--model", &model, "--steps", "1", "--guidance", "0", "--seeds", "7"];
    for (command, name, content) in [
        ("explain", "index.html", "<!doctype html>\n<title>mine</title>"),
        ("explain", "pictures/7-vanilla.png", "mine"),
        ("explain", "pictures/7-block3-all-x1.2.png", "mine"),
        ("importance", "importance.svg", "<svg xmlns=\"http://www.w3.org/2000/svg\"></svg>"),
        ("importance", "importance.csv", "step,block,path,mine\n"),
        ("effects", "effects.csv", "step,block,path,mine\n"),
    ] {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        let error = fail(&[&[command][..], &common, &["--out", &out]].concat());
        assert!(error.contains("--force"), "{command} {name}: {error}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), content, "{name}");
        std::fs::remove_file(&path).unwrap();
    }
}
