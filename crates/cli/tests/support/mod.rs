//! Runs the program as a person would.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

pub fn model() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/emoji-sd")
}

fn unet_reweight(arguments: &[&str]) -> Output {
    // Whatever this computer has downloaded is no part of a test.
    Command::new(env!("CARGO_BIN_EXE_unet-reweight"))
        .args(arguments)
        .env("HF_HOME", "/nowhere/huggingface")
        .env_remove("HF_HUB_CACHE")
        .env("TORCH_HOME", "/nowhere/torch")
        .output()
        .unwrap()
}

pub fn succeed(arguments: &[&str]) -> String {
    let output = unet_reweight(arguments);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{arguments:?}: {error}");
    String::from_utf8(output.stdout).unwrap()
}

pub fn fail(arguments: &[&str]) -> String {
    let output = unet_reweight(arguments);
    assert!(!output.status.success(), "{arguments:?}");
    String::from_utf8(output.stderr).unwrap()
}
