//! Large inputs under a limit of address space: what every run may take, and a stated multiple of the
//! input.

use std::time::Duration;

use hostile::{Ended, Ending, Limits, run};
use pictures::RgbImage;

use crate::support::program;

/// Address space of the program and its threads, without a model.
const BASE_WITHOUT_MODEL: u64 = 1 << 29;

fn within(arguments: &[&str], address_space: u64) -> Ended {
    let folder = tempfile::tempdir().unwrap();
    let mut command = program(arguments);
    command.current_dir(folder.path());
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
