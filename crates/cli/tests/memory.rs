//! Large inputs under a limit of address space: what every run may take, and a stated multiple of the
//! input.

use std::fs;
use std::path::Path;
use std::time::Duration;

use hostile::{Ended, Ending, Limits, run};
use pictures::RgbImage;

use crate::support::program;

/// Address space of the program, its threads and the shipped model, whatever the input is.
const BASE: u64 = 3 << 29;
/// The same of commands that load no model.
const BASE_WITHOUT_MODEL: u64 = 1 << 29;

fn within(arguments: &[&str], address_space: u64) -> Ended {
    let folder = tempfile::tempdir().unwrap();
    let mut command = program(arguments);
    command.current_dir(folder.path());
    run(&command, Limits { address_space, time: Duration::from_secs(240) }).unwrap()
}

/// A safetensors file of one tensor of zeros of `bytes`, which takes no room on the disk.
fn tensor(folder: &Path, name: &str, bytes: u64) -> String {
    let path = folder.join(format!("{name}.safetensors"));
    let shape = [1, 4, bytes / 16];
    let header = format!(
        "{{\"{name}\":{{\"dtype\":\"F32\",\"shape\":{shape:?},\"data_offsets\":[0,{bytes}]}}}}"
    );
    let length = header.len() as u64;
    fs::write(&path, [&length.to_le_bytes()[..], header.as_bytes()].concat()).unwrap();
    let file = fs::File::options().write(true).open(&path).unwrap();
    file.set_len(8 + length + bytes).unwrap();
    path.display().to_string()
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

#[test]
fn files_larger_than_memory_that_do_not_fit_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    for (name, option) in [("noise", "--initial-noise"), ("unknown", "--lora")] {
        let file = tensor(folder.path(), name, 2 << 30);
        let ended = within(&["generate", "a", "--steps", "1", option, &file], BASE);
        assert!(ended.is_told() && ended.said.contains(&file), "{option}: {ended:?}");
    }
}
