//! The program `reproduce` where nobody takes what it says.

use std::process::{Command, Stdio};

fn dry_run() -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_reproduce"));
    program
        .args(["--dry-run", "--seconds-per-sample", "0.1", "--no-download"])
        .env("HF_HOME", "/nowhere/huggingface")
        .env("XDG_CACHE_HOME", "/nowhere/cache")
        .env("HF_HUB_OFFLINE", "1");
    program
}

#[test]
fn output_that_nobody_takes_ends_quietly_and_a_full_disk_with_an_error() {
    let mut closed = dry_run().stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(closed.stdout.take());
    let output = closed.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{said}");

    let full = || std::fs::File::options().write(true).open("/dev/full").unwrap();
    let output = dry_run().stdout(full()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.starts_with("error: standard output: "), "{said}");

    let status = dry_run().arg("--shard").arg("1/0").stderr(full()).status().unwrap();
    assert_eq!(status.code(), Some(2));
    let missing = dry_run().args(["--experiment", "nowhere.toml"]).stderr(full()).status();
    assert_eq!(missing.unwrap().code(), Some(1));
}
