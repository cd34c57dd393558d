//! The rules of the repository that no other tool checks.

mod layers;
mod one_build;
mod source;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};

use crate::command::WrongUse;
use crate::project_root;

/// What the command does.
pub const ABOUT: &str = "Check the repository's own rules only";

/// Runs the rules.
pub fn run(arguments: &[String]) -> anyhow::Result<ExitCode> {
    match arguments.first().map(String::as_str) {
        None => {}
        Some("--help" | "-h") => {
            println!("{ABOUT}\n\nUsage: cargo xtask tidy");
            return Ok(ExitCode::SUCCESS);
        }
        Some(other) => {
            let usage = "Usage: cargo xtask tidy";
            return Err(WrongUse(format!("expected no option, found `{other}`\n\n{usage}")).into());
        }
    }
    check(&project_root())?;
    println!("tidy");
    Ok(ExitCode::SUCCESS)
}

/// Fails with everything that breaks a rule.
pub fn check(root: &Path) -> anyhow::Result<()> {
    let complaints = complaints(root)?;
    match complaints.is_empty() {
        true => Ok(()),
        false => bail!("tidy:\n  {}", complaints.join("\n  ")),
    }
}

/// Everything that breaks a rule, as `file: complaint`.
fn complaints(root: &Path) -> anyhow::Result<Vec<String>> {
    let mut complaints = Vec::new();
    for folder in ["crates", "xtask"] {
        visit(&root.join(folder), &mut |path| check_file(root, path, &mut complaints))?;
    }
    one_build::check(root, &mut complaints)?;
    complaints.sort();
    Ok(complaints)
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

fn check_file(root: &Path, path: &Path, complaints: &mut Vec<String>) -> anyhow::Result<()> {
    let name = path.strip_prefix(root).unwrap_or(path).display().to_string().replace('\\', "/");
    let is_source = path.extension().is_some_and(|extension| extension == "rs");
    let is_manifest = path.file_name().is_some_and(|file| file == "Cargo.toml");
    if !is_source && !is_manifest {
        return Ok(());
    }
    let text = std::fs::read_to_string(path).with_context(|| name.clone())?;
    if text.lines().any(|line| line.ends_with([' ', '\t'])) {
        complaints.push(format!("{name}: trailing white space"));
    }
    match is_manifest {
        true => layers::check(&name, &text, complaints),
        false => source::check(&name, &text, complaints),
    }
    if name.ends_with("/tests/main.rs") {
        check_tests(path, &name, &text, complaints)?;
    }
    Ok(())
}

/// A file of tests that the one test program does not name would never run.
fn check_tests(
    path: &Path,
    name: &str,
    text: &str,
    complaints: &mut Vec<String>,
) -> anyhow::Result<()> {
    let folder = path.parent().unwrap_or(path);
    for entry in std::fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let file = entry?.path();
        let stem = file.file_stem().unwrap_or_default().to_string_lossy();
        let is_source = file.extension().is_some_and(|extension| extension == "rs");
        if is_source && stem != "main" && !text.contains(&format!("mod {stem};\n")) {
            complaints.push(format!("{name}: expected `mod {stem};`"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn repository_is_tidy() {
        super::check(&super::project_root()).unwrap();
    }
}
