//! Every option of the program with every hostile value.

#![cfg(target_os = "linux")]

use std::process::Command;

use hostile::{Taken, Usual, try_every_option};

#[test]
fn random_model_is_told_what_is_wrong() {
    let program = |arguments: &[String]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_random-model"));
        command.args(arguments);
        command
    };
    let usual = [Usual::new("", &["sd-2.1", "--tiny", "--out", "random"])];
    let taken = Taken { texts: &[], names: &["--out"], whole: &["--seed"], numbers: &[] };
    try_every_option(program, &usual, taken).unwrap();
}
