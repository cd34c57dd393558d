//! Every reader stands a short run; `FUZZ_SECONDS` and `FUZZ_SEED` make it another.

use std::process::Command;

fn variable(name: &str, default: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| default.into())
}

#[test]
fn every_reader_stands_damaged_files() {
    let findings = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_fuzz"))
        .args([
            "--seconds",
            &variable("FUZZ_SECONDS", "0.3"),
            "--seed",
            &variable("FUZZ_SEED", "1"),
        ])
        .arg("--findings")
        .arg(findings.path())
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(output.status.success(), "{said}");
    // Damage that nothing accepts would only try the first check of a reader.
    for line in said.lines().skip(1) {
        let words: Vec<&str> = line.split_whitespace().collect();
        assert!(words[2] != "0", "{line}");
    }
}
