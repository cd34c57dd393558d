//! Every option of the program with every hostile value.

use std::process::Command;

use hostile::{Taken, Usual, try_every_option};

#[test]
fn reproduce_is_told_what_is_wrong() {
    let program = |arguments: &[String]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_reproduce"));
        command.args(arguments).env("HF_HUB_OFFLINE", "1");
        command
    };
    let dry = ["--scale", "smoke", "--dry-run", "--seconds-per-sample", "0.01"];
    let taken = Taken {
        texts: &[],
        names: &["--out", "--store", "--progress-file"],
        whole: &[],
        numbers: &[("--seconds-per-sample", &["0.5"])],
    };
    try_every_option(program, &[Usual::new("", &dry)], taken).unwrap();
}
