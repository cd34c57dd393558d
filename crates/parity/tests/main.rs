//! Every option of the program with every hostile value.

#![cfg(target_os = "linux")]

use std::process::Command;

use hostile::{Taken, Usual, try_every_option};

#[test]
fn parity_is_told_what_is_wrong() {
    let program = |arguments: &[String]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_parity"));
        command.args(arguments);
        command
    };
    let taken = Taken { texts: &[], names: &[], whole: &[], numbers: &[] };
    let usual = ["", "/nowhere", "0", "nan"];
    let usual = usual.map(|folder| Usual::without_what_it_needs("", &[folder]));
    try_every_option(program, &usual, taken).unwrap();
}
