//! Every option of the program with every hostile value.

#![cfg(target_os = "linux")]

use std::process::Command;

use hostile::{Taken, Usual, try_every_option};

#[test]
fn peers_is_told_what_is_wrong() {
    let program = |arguments: &[String]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_peers"));
        command.args(arguments);
        command
    };
    let taken = Taken { texts: &[], names: &[], whole: &[], numbers: &[] };
    let usual = [Usual::without_what_it_needs("", &["--python", "/nowhere", "--work", "unet1"])];
    try_every_option(program, &usual, taken).unwrap();
}
