//! Large inputs under a limit of address space: what every run may take, and a stated multiple of the
//! input.

use std::path::Path;
use std::time::Duration;

use hostile::{Ended, Ending, Limits, run};
use pictures::RgbImage;
use safetensors::Dtype;

use crate::support::{model, program};

/// Address space of the program and its threads, without a model.
const BASE_WITHOUT_MODEL: u64 = 1 << 29;
/// Address space of the program, its threads and the shipped model.
const BASE: u64 = 5 << 26;

fn within(arguments: &[&str], address_space: u64) -> Ended {
    let folder = tempfile::tempdir().unwrap();
    let mut command = program(arguments);
    // Every thread takes a stack of its own.
    command.current_dir(folder.path()).env("RAYON_NUM_THREADS", "2");
    run(&command, Limits { address_space, time: Duration::from_secs(240) }).unwrap()
}

#[test]
fn pictures_that_are_compared_take_three_times_what_they_decode_to() {
    let folder = tempfile::tempdir().unwrap();
    let (side, decoded) = (4000, 3 * 4000 * 4000);
    let picture = RgbImage { width: side, height: side, rgb: vec![128; decoded] };
    picture.save_png(folder.path().join("grey.png"), &[]).unwrap();
    let folder = folder.path().display().to_string();
    for metric in ["psnr", "ssim"] {
        let address_space = BASE_WITHOUT_MODEL + 3 * decoded as u64;
        let ended = within(&["score", metric, &folder, &folder], address_space);
        assert_eq!(ended.ending, Ending::Code(0), "{metric}: {}", ended.said);
    }
}

/// A folder like SD 2.1's with channels for so many bytes of f32 weights, and how many they are.
fn model_of(channels: [usize; 4], folder: &Path) -> u64 {
    let mut manifest = pipeline::tiny(hub::preset("sd-turbo").unwrap());
    manifest.config["unet"]["block_out_channels"] = channels.into();
    pipeline::write_synthetic(&manifest, folder, Dtype::F32, 1).unwrap();
    folder.join("unet/diffusion_pytorch_model.safetensors").metadata().unwrap().len()
}

#[test]
fn weights_are_held_once_and_twice_where_they_are_written() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = model_of([96, 192, 384, 384], &folder.path().join("model"));
    assert!(bytes > BASE / 2, "{bytes}");
    let model = folder.path().join("model").display().to_string();
    let run = ["generate", "x", "--model", &model, "--steps", "1", "--seeds", "1", "--out", "out"];
    let ended = within(&run, BASE + bytes * 5 / 4);
    assert_eq!(ended.ending, Ending::Code(0), "{}", ended.said);
    let out = folder.path().join("one.safetensors").display().to_string();
    let run = ["export", "checkpoint", "--model", &model, "--dtype", "f32", "--out", &out];
    let ended = within(&run, BASE + bytes * 9 / 4);
    assert_eq!(ended.ending, Ending::Code(0), "{}", ended.said);
}

#[test]
fn a_tokenizer_takes_sixteen_times_its_files() {
    let folder = tempfile::tempdir().unwrap();
    let tokenizer = folder.path().join("tokenizer");
    std::fs::create_dir(&tokenizer).unwrap();
    for name in ["merges.txt", "tokenizer_config.json", "special_tokens_map.json", "vocab.json"] {
        std::fs::copy(model().join("tokenizer").join(name), tokenizer.join(name)).unwrap();
    }
    for part in ["unet", "vae", "text_encoder", "scheduler", "model_index.json"] {
        std::os::unix::fs::symlink(model().join(part), folder.path().join(part)).unwrap();
    }
    let vocabulary = tokenizer.join("vocab.json");
    let own = std::fs::read_to_string(&vocabulary).unwrap();
    let more: String =
        (0..500_000).map(|number| format!("\"token-{number}\": {number}, ")).collect();
    std::fs::write(&vocabulary, own.replacen('{', &format!("{{{more}"), 1)).unwrap();
    let bytes = vocabulary.metadata().unwrap().len();
    let name = folder.path().display().to_string();
    let run = ["generate", "x", "--model", &name, "--steps", "1", "--seeds", "1", "--out", "out"];
    let ended = within(&run, BASE + 16 * bytes);
    assert!(ended.is_told() && ended.said.contains("500000 tokens"), "{}", ended.said);
}

#[test]
fn fitting_takes_no_more_for_more_pictures() {
    let pictures = model().join("validation").display().to_string();
    let run = ["fit", "--pictures", &pictures, "--steps", "1", "--out", "fit.toml"];
    let ended = within(&run, 2 * BASE);
    assert_eq!(ended.ending, Ending::Code(0), "{}", ended.said);
}
