//! The rules of the repository that no other tool checks.

use std::path::{Path, PathBuf};

use anyhow::Context;

/// Longest source file, in lines.
const MAX_LINES: usize = 300;

/// Crates from the lowest layer up; a crate may depend on those of lower layers only.
const LAYERS: [&[&str]; 6] = [
    &["layers", "scheduler", "dataset", "hub"],
    &["unet-core", "clip", "autoencoder"],
    &["pipeline", "reweight", "metrics"],
    &["probe", "pruning", "trainer", "onnx-backbone"],
    &["reproduce", "parity"],
    &["cli", "xtask"],
];

/// Everything that breaks a rule, as `file: complaint`.
pub fn complaints(root: &Path) -> anyhow::Result<Vec<String>> {
    let mut all = Vec::new();
    for folder in ["crates", "xtask"] {
        visit(&root.join(folder), &mut |path| check_file(root, path, &mut all))?;
    }
    all.sort();
    Ok(all)
}

fn visit(folder: &Path, check: &mut dyn FnMut(&Path) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("`{}`", folder.display()))?;
    for entry in entries {
        let path: PathBuf = entry?.path();
        if path.is_dir() {
            visit(&path, check)?;
        } else {
            check(&path)?;
        }
    }
    Ok(())
}

fn check_file(root: &Path, path: &Path, all: &mut Vec<String>) -> anyhow::Result<()> {
    let name = path.strip_prefix(root).unwrap_or(path).display().to_string();
    let is_source = path.extension().is_some_and(|extension| extension == "rs");
    let is_manifest = path.file_name().is_some_and(|file| file == "Cargo.toml");
    if !is_source && !is_manifest {
        return Ok(());
    }
    let text = std::fs::read_to_string(path).with_context(|| name.clone())?;
    if text.lines().any(|line| line.ends_with([' ', '\t'])) {
        all.push(format!("{name}: trailing white space"));
    }
    if is_manifest {
        check_manifest(&name, &text, all);
        return Ok(());
    }
    let lines = text.lines().count();
    if lines > MAX_LINES {
        all.push(format!("{name}: {lines} lines, at most {MAX_LINES} allowed"));
    }
    let library =
        name.starts_with("crates/") && name.contains("/src/") && !name.ends_with("main.rs");
    if library {
        check_source(&name, &text, all);
    }
    Ok(())
}

/// No panics on purpose and no leftovers outside tests.
fn check_source(name: &str, text: &str, all: &mut Vec<String>) {
    let code = text.split("#[cfg(test)]").next().unwrap_or(text);
    // Spelt in parts, so that this file does not match itself.
    let words = [(".unw", "rap()"), ("tod", "o!("), ("db", "g!("), ("unimple", "mented!(")];
    for (number, line) in code.lines().enumerate() {
        if line.trim_start().starts_with("//") {
            continue;
        }
        for (a, b) in words {
            let word = format!("{a}{b}");
            if line.contains(&word) {
                all.push(format!("{name}:{}: `{word}` in a library", number + 1));
            }
        }
    }
}

fn check_manifest(name: &str, text: &str, all: &mut Vec<String>) {
    for line in
        ["license.workspace = true", "edition.workspace = true", "[lints]\nworkspace = true"]
    {
        if !text.contains(line) {
            all.push(format!("{name}: expected `{}`", line.replace('\n', " ")));
        }
    }
    let own = text.lines().find_map(|line| line.strip_prefix("name = \""));
    let own = own.map(|name| name.trim_end_matches('"')).unwrap_or_default();
    let layer = |name: &str| LAYERS.iter().position(|layer| layer.contains(&name));
    let Some(own_layer) = layer(own) else {
        all.push(format!("{name}: the crate `{own}` stands in no layer"));
        return;
    };
    let dependencies = text.split("[dependencies]").nth(1).unwrap_or_default();
    let dependencies = dependencies.split("\n[").next().unwrap_or_default();
    for dependency in dependencies.lines().filter_map(|line| line.split(['.', ' ']).next()) {
        if layer(dependency).is_some_and(|layer| layer >= own_layer) {
            all.push(format!("{name}: `{own}` must not depend on `{dependency}`"));
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn repository_is_tidy() {
        let complaints = super::complaints(&crate::project_root()).unwrap();
        assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    }
}
