//! Runs the program as a person would.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

pub fn model() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/emoji-sd")
}

/// The program, with `arguments`, on a computer that has downloaded nothing and keeps nothing.
pub fn program(arguments: &[&str]) -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_unet-reweight"));
    program
        .args(arguments)
        .env("HF_HOME", "/nowhere/huggingface")
        .env("TORCH_HOME", "/nowhere/torch")
        .env("XDG_CACHE_HOME", "/nowhere/cache")
        .env("HF_HUB_OFFLINE", "1");
    for variable in ["HF_HUB_CACHE", "HF_TOKEN", "UNET_REWEIGHT_MODELS"] {
        program.env_remove(variable);
    }
    program
}

pub fn run(arguments: &[&str]) -> Output {
    program(arguments).output().unwrap()
}

pub fn succeed(arguments: &[&str]) -> String {
    let output = run(arguments);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{arguments:?}: {error}");
    String::from_utf8(output.stdout).unwrap()
}

pub fn fail(arguments: &[&str]) -> String {
    let output = run(arguments);
    assert!(!output.status.success(), "{arguments:?}");
    String::from_utf8(output.stderr).unwrap()
}

/// Changes the state of a run in `path` to what an interrupted run might have left.
pub fn change_state(path: &Path, change: impl FnOnce(&mut Value)) {
    let mut saved: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    saved.as_object_mut().unwrap().remove("sha256");
    change(&mut saved["state"]);
    std::fs::write(path, files::with_checksum(&saved.to_string())).unwrap();
}
