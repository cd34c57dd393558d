//! What may be written over, and what may not.

use super::*;

const OURS: OutputOptions = OutputOptions { force: false };
const FORCE: OutputOptions = OutputOptions { force: true };

fn error(outputs: &Outputs, inputs: &[&Path], options: &OutputOptions) -> String {
    format!("{:#}", outputs.check(inputs.iter().copied(), options).unwrap_err())
}

#[test]
fn check_inputs_are_never_written_over() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("cmp.json");
    std::fs::write(&input, "{}").unwrap();
    // However it is spelt.
    let spelt = folder.path().join("./cmp.png");
    let outputs = Outputs::new().with_picture(&spelt);
    for options in [OURS, FORCE] {
        assert!(error(&outputs, &[&input], &options).contains("is read by this command"));
    }
}

#[test]
fn check_foreign_files_ask_for_force_and_results_do_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("1.json");
    let outputs = Outputs::new().with(&path, Kind::Record);
    assert!(outputs.check([], &OURS).is_ok());
    for foreign in ["", "{}", "[1]", "notes", "{\"version\": 1}"] {
        std::fs::write(&path, foreign).unwrap();
        assert!(error(&outputs, &[], &OURS).contains("--force"), "{foreign}");
        assert!(outputs.check([], &FORCE).is_ok());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), foreign, "a check changes nothing");
    }
    let ours = r#"{"model_sha256": "a", "intervention": null, "version": "0.1.0"}"#;
    std::fs::write(&path, ours).unwrap();
    assert!(outputs.check([], &OURS).is_ok());
}

#[test]
fn check_pictures_are_known_by_their_text() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("1.png");
    let chunk = |kind: &[u8], data: &[u8]| {
        [&(data.len() as u32).to_be_bytes(), kind, data, &[0; 4]].concat()
    };
    let signature = b"\x89PNG\r\n\x1a\n".as_slice();
    let (header, end) = (chunk(b"IHDR", &[0; 13]), chunk(b"IEND", b""));
    let text = |keyword: &str| chunk(b"iTXt", format!("{keyword}\0\0\0\0\0{{}}").as_bytes());
    for (png, ours) in [
        ([signature, &header, &text("unet-reweight"), &end].concat(), true),
        ([signature, &header, &text("parameters"), &text("unet-reweight"), &end].concat(), true),
        ([signature, &header, &text("parameters"), &end].concat(), false),
        ([signature, &header, &text("unet-reweights"), &end].concat(), false),
        ([signature, &header[..9]].concat(), false),
        (b"no picture".to_vec(), false),
        ([signature, &[0xff; 8]].concat(), false),
    ] {
        std::fs::write(&path, png).unwrap();
        assert_eq!(Kind::Picture.is_ours(&path), ours);
    }
}

#[test]
fn check_names_and_folders_before_any_work() {
    let folder = tempfile::tempdir().unwrap();
    let picture = |name: &str| Outputs::new().with_picture(&folder.path().join(name));
    for name in ["grid.json", "grid", "grid.jpg"] {
        assert!(error(&picture(name), &[], &OURS).contains(".png"), "{name}");
    }
    std::fs::create_dir(folder.path().join("a.png")).unwrap();
    assert!(error(&picture("a.png"), &[], &FORCE).contains("is a folder"));
    std::fs::write(folder.path().join("file"), "").unwrap();
    assert!(error(&picture("file/deep/a.png"), &[], &OURS).contains("file` is a file"));
    assert!(picture("new/deep/a.png").check([], &OURS).is_ok());
    assert!(!folder.path().join("new").exists(), "a check makes no folder");
    let entries = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(entries, 2, "a check leaves nothing");
}
