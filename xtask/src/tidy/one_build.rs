//! All programs share one build: a third-party crate has the same features in each of them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::command::{cargo, output};

/// Packages of the README's commands.
const PROGRAMS: [&str; 4] = ["reproduce", "cli", "parity", "trainer"];
/// Packages with examples, which have the dependencies of tests.
const EXAMPLES: [&str; 6] = ["unet-core", "reweight", "probe", "metrics", "scheduler", "clip"];
/// Which dependencies are compared of examples: what runs, without what only runs at build time.
const RUNNING: &str = "normal,dev,no-proc-macro";

/// Features of each third-party crate: as many sets as it is built with (for programs, and for
/// build scripts and procedural macros).
type Features = BTreeMap<String, BTreeSet<String>>;

/// Complains about every crate that two builds compile differently.
pub fn check(root: &Path, complaints: &mut Vec<String>) -> anyhow::Result<()> {
    compare(root, &PROGRAMS, ["normal,build", "all"], complaints)?;
    compare(root, &EXAMPLES, [RUNNING, RUNNING], complaints)
}

/// Complains about what is compiled differently for one of `packages` than for the workspace, by the
/// dependencies that `edges` names for either.
fn compare(
    root: &Path,
    packages: &[&str],
    edges: [&str; 2],
    complaints: &mut Vec<String>,
) -> anyhow::Result<()> {
    let workspace = features(root, &["--workspace"], edges[1])?;
    for package in packages {
        for (name, sets) in &features(root, &["--package", package], edges[0])? {
            let Some(everywhere) = workspace.get(name) else { continue };
            for set in sets.iter().filter(|set| !everywhere.contains(*set)) {
                complaints.push(format!(
                    "crates/one-build/Cargo.toml: `{name}` is built with [{set}] for `{package}`, \
                     with [{}] for the workspace",
                    everywhere.iter().map(String::as_str).collect::<Vec<_>>().join("] or [")
                ));
            }
        }
    }
    Ok(())
}

fn features(root: &Path, build: &[&str], edges: &str) -> anyhow::Result<Features> {
    let mut tree = cargo();
    tree.args(["tree", "--quiet", "--prefix", "none", "--format", "{p}|{f}", "--edges", edges]);
    let tree = output(tree.args(build).current_dir(root))?;
    let mut features = Features::new();
    for line in tree.lines() {
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
