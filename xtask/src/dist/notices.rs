//! The licences of the libraries inside the program.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::command::{cargo, output};

/// How files begin that a licence asks to be passed on.
const BEGINNINGS: [&str; 5] = ["LICENSE", "LICENCE", "COPYING", "NOTICE", "COPYRIGHT"];

/// One library inside the program.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Library {
    name: String,
    version: String,
    licence: String,
    repository: String,
}

/// Every library inside the program with its licence, then the texts, each once with the libraries
/// that have it.
pub fn text(root: &Path, features: &[&str]) -> anyhow::Result<String> {
    let tree = output(
        cargo()
            .args(["tree", "--quiet", "--package", "cli", "--edges", "normal", "--prefix", "none"])
            .args(["--format", "{p}|{l}|{r}"])
            .args(features.iter().flat_map(|feature| ["--features", feature]))
            .current_dir(root),
    )?;
    let libraries = libraries(&tree);
    let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let sources = sources()?;
    for Library { name, version, .. } in &libraries {
        let folder = sources.iter().map(|source| source.join(format!("{name}-{version}")));
        for text in folder.filter(|folder| folder.is_dir()).take(1).flat_map(|at| licences(&at)) {
            texts.entry(text).or_default().push(format!("{name} {version}"));
        }
    }
    let mut all = String::from(
        "# Libraries inside the program\n\nThe program is made of its own crates (MIT or Apache-2.0) \
         and of these.\n\n",
    );
    for Library { name, version, licence, repository } in &libraries {
        all += &format!("- {name} {version}: {licence} {repository}\n");
    }
    for (text, owners) in texts {
        all += &format!("\n## {}\n\n```text\n{}\n```\n", owners.join(", "), text.trim_end());
    }
    Ok(all)
}

/// The third-party crates of a tree, each once; the workspace's own have their path behind them.
fn libraries(tree: &str) -> BTreeSet<Library> {
    let library = |line: &str| {
        let line = line.trim_end_matches(" (*)");
        let mut fields = line.split('|');
        let package = fields.next()?.trim_end_matches(" (proc-macro)");
        let (name, version) = package.split_once(" v")?;
        if version.contains(' ') {
            return None;
        }
        let mut next = || fields.next().unwrap_or_default().to_string();
        let (licence, repository) = (next(), next());
        Some(Library { name: name.into(), version: version.into(), licence, repository })
    };
    tree.lines().filter_map(library).collect()
}

/// Where cargo unpacks crates.
fn sources() -> anyhow::Result<Vec<PathBuf>> {
    let home = std::env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo")));
    let folder = home.context("neither CARGO_HOME nor HOME is set")?.join("registry/src");
    let entries = std::fs::read_dir(&folder).with_context(|| format!("`{}`", folder.display()))?;
    Ok(entries.flatten().map(|entry| entry.path()).collect())
}

/// The texts of a crate's licences, in the order of the files' names.
fn licences(folder: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    files.sort();
    let is_licence = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_uppercase();
        BEGINNINGS.iter().any(|beginning| name.starts_with(beginning))
    };
    files
        .into_iter()
        .filter(is_licence)
        .filter_map(|path| std::fs::read_to_string(path).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_are_the_crates_of_others_each_once() {
        let tree = "cli v0.1.0 (/home/a/crates/cli)|MIT OR Apache-2.0|\n\
                    anyhow v1.0.100|MIT OR Apache-2.0|https://github.com/dtolnay/anyhow\n\
                    clap_derive v4.6.9 (proc-macro)|MIT|\n\
                    anyhow v1.0.100|MIT OR Apache-2.0|https://github.com/dtolnay/anyhow (*)\n";
        let found: Vec<_> = libraries(tree).into_iter().collect();
        let names: Vec<_> = found.iter().map(|library| library.name.as_str()).collect();
        assert_eq!(names, ["anyhow", "clap_derive"]);
        assert_eq!(found[0].repository, "https://github.com/dtolnay/anyhow");
        assert_eq!(found[1].version, "4.6.9");
    }

    #[test]
    fn the_program_has_libraries_and_their_texts() {
        let text = text(&crate::project_root(), &[]).unwrap();
        assert!(text.contains("- burn 0.22.1: "), "burn is inside");
        assert!(text.contains("\n## ") && text.contains("Permission is hereby granted"));
    }
}
