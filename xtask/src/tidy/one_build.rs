//! All programs share one build: a third-party crate has the same features in each of them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use anyhow::{Context, bail};

/// What is built for the README's commands, as arguments of cargo.
const BUILDS: [&[&str]; 5] = [
    &["--package", "reproduce"],
    &["--package", "cli"],
    &["--package", "parity"],
    &["--package", "trainer"],
    &["--workspace"],
];

/// Features of each third-party crate: as many sets as it is built with (for programs, and for
/// build scripts and procedural macros).
type Features = BTreeMap<String, BTreeSet<String>>;

/// Complains about every crate that two builds compile differently.
pub fn check(root: &Path, complaints: &mut Vec<String>) -> anyhow::Result<()> {
    let builds =
        BUILDS.iter().map(|build| features(root, build)).collect::<anyhow::Result<Vec<_>>>()?;
    let Some((workspace, programs)) = builds.split_last() else { return Ok(()) };
    for (build, program) in BUILDS.iter().zip(programs) {
        for (name, sets) in program {
            let Some(everywhere) = workspace.get(name) else { continue };
            for set in sets.iter().filter(|set| !everywhere.contains(*set)) {
                complaints.push(format!(
                    "crates/one-build/Cargo.toml: `{name}` is built with [{set}] for `{}`, with \
                     [{}] for the workspace",
                    build.join(" "),
                    everywhere.iter().map(String::as_str).collect::<Vec<_>>().join("] or [")
                ));
            }
        }
    }
    Ok(())
}

fn features(root: &Path, build: &[&str]) -> anyhow::Result<Features> {
    let output = Command::new("cargo")
        .args(["tree", "--quiet", "--prefix", "none", "--format", "{p}|{f}"])
        .args(["--edges", if build == ["--workspace"] { "all" } else { "normal,build" }])
        .args(build)
        .current_dir(root)
        .output()
        .context("`cargo tree` could not be started")?;
    if !output.status.success() {
        bail!("`cargo tree`: {}", String::from_utf8_lossy(&output.stderr));
    }
    let mut features = Features::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let line = line.trim_end_matches(" (*)");
        let Some((package, set)) = line.split_once('|') else { continue };
        // Crates of the workspace have their path behind the version.
        if !package.contains('/') {
            let package = package.trim_end_matches(" (proc-macro)");
            features.entry(package.to_string()).or_default().insert(set.to_string());
        }
    }
    Ok(features)
}
