//! `cargo xtask alone`: each library in a workspace of its own, as somebody has it who depends on it
//! alone.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, bail};

use crate::command::{WrongUse, cargo, output};
use crate::project_root;

/// What the command does.
pub const ABOUT: &str = "Build each library's example outside this workspace, and count its crates";

const HELP: &str = "Usage: cargo xtask alone [--count] [LIBRARY]...

Makes a workspace in `target/alone` that depends on one library by path, with the versions of this
workspace's Cargo.lock, counts the crates that it compiles, builds the library's example there and runs
it. The first build takes minutes.

Options:
  --count  count only, which takes seconds";

/// A library as somebody depends on it.
struct Subject {
    library: &'static str,
    /// In the dependency's braces, behind the path.
    features: &'static str,
    example: &'static str,
    /// The example's other dependencies, each a line of a manifest; `ROOT` is this workspace.
    others: &'static [&'static str],
    /// What the example is given; `ROOT` likewise.
    argument: Option<&'static str>,
    /// Whether this workspace's small `icu` is taken for the published one.
    patched: bool,
}

const BURN: &str =
    r#"burn = { version = "=0.22.1", default-features = false, features = ["std", "flex"] }"#;
const REWEIGHT: &str = r#"reweight = { path = "ROOT/crates/reweight" }"#;
const PICTURES: &str = r#"pictures = { path = "ROOT/crates/pictures" }"#;

/// Every library, from few crates to many.
const SUBJECTS: [Subject; 9] = [
    Subject::new("metrics", ", default-features = false", "pairs", &[PICTURES]),
    Subject::new("scheduler", "", "denoise", &[BURN]),
    Subject {
        argument: Some("ROOT/crates/unet-core/tests/fixtures/tiny-sd/unet"),
        ..Subject::new("unet-core", "", "turn_a_block", &[BURN])
    },
    Subject::new("reweight", "", "schedule", &[r#"toml = "0.9""#]),
    Subject::new("probe", ", default-features = false", "own_network", &[REWEIGHT]),
    Subject { patched: true, ..Subject::new("clip", "", "tokens", &[]) },
    Subject { patched: true, ..Subject::new("metrics", "", "pairs", &[PICTURES]) },
    Subject { patched: true, ..Subject::new("probe", "", "own_network", &[REWEIGHT]) },
    Subject::new("clip", "", "tokens", &[]),
];

impl Subject {
    const fn new(
        library: &'static str,
        features: &'static str,
        example: &'static str,
        others: &'static [&'static str],
    ) -> Self {
        Self { library, features, example, others, argument: None, patched: false }
    }

    fn name(&self) -> String {
        let bare = if self.features.is_empty() { "" } else { " without default features" };
        let patched = if self.patched { ", with this workspace's `icu`" } else { "" };
        format!("{}{bare}{patched}", self.library)
    }

    fn manifest(&self, root: &Path) -> String {
        let Self { library, features, example, .. } = self;
        let mut text = format!(
            "[package]\nname = \"alone\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[workspace]\n\n\
             [[bin]]\nname = \"{example}\"\npath = \"ROOT/crates/{library}/examples/{example}.rs\"\n\n\
             [dependencies]\n{library} = {{ path = \"ROOT/crates/{library}\"{features} }}\n"
        );
        for other in self.others {
            text += &format!("{other}\n");
        }
        if self.patched {
            text += "\n[patch.crates-io]\nicu = { path = \"ROOT/crates/icu\" }\n";
        }
        text.replace("ROOT", &root.display().to_string())
    }

    /// Writes the workspace, with this one's versions.
    fn write(&self, root: &Path) -> anyhow::Result<PathBuf> {
        let name = self.name().replace([' ', ',', '`', '\''], "-");
        let folder = root.join("target/alone").join(name);
        std::fs::create_dir_all(&folder).with_context(|| format!("`{}`", folder.display()))?;
        std::fs::write(folder.join("Cargo.toml"), self.manifest(root))?;
        std::fs::copy(root.join("Cargo.lock"), folder.join("Cargo.lock"))?;
        Ok(folder)
    }

    /// Builds and runs the example; its output follows.
    fn run(&self, root: &Path, folder: &Path) -> anyhow::Result<()> {
        let argument = self.argument.map(|text| text.replace("ROOT", &root.display().to_string()));
        let status = cargo()
            .current_dir(folder)
            .args(["run", "--quiet", "--"])
            .args(argument)
            .env("CARGO_TARGET_DIR", root.join("target/alone/target"))
            .status()
            .context("cargo could not be started")?;
        match status.success() {
            true => Ok(()),
            false => bail!("the example `{}` of `{}` failed", self.example, self.library),
        }
    }
}

/// Counts and, unless told not to, builds and runs.
pub fn run(arguments: &[String]) -> anyhow::Result<ExitCode> {
    let root = project_root();
    let (mut only_count, mut chosen) = (false, BTreeSet::new());
    for argument in arguments {
        match argument.as_str() {
            "--count" => only_count = true,
            "--help" | "-h" => {
                println!("{ABOUT}\n\n{HELP}");
                return Ok(ExitCode::SUCCESS);
            }
            name if SUBJECTS.iter().any(|subject| subject.library == name) => {
                chosen.insert(name);
            }
            other => {
                return Err(
                    WrongUse(format!("there is no library or option `{other}`\n\n{HELP}")).into()
                );
            }
        }
    }
    println!("| library | crates compiled | of them this project's |\n|---|---|---|");
    let mut written = Vec::new();
    for subject in &SUBJECTS {
        if !chosen.is_empty() && !chosen.contains(subject.library) {
            continue;
        }
        let folder = subject.write(&root)?;
        let crates = crates(&folder)?;
        let own = crates.iter().filter(|line| line.contains('/')).count();
        println!("| {} | {} | {own} |", subject.name(), crates.len());
        written.push((subject, folder));
    }
    for (subject, folder) in written.into_iter().filter(|_| !only_count) {
        println!("\n{}:", subject.name());
        let start = Instant::now();
        subject.run(&root, &folder)?;
        println!("({:.0} s)", start.elapsed().as_secs_f64());
    }
    Ok(ExitCode::SUCCESS)
}

/// The crates that are compiled for the workspace in `folder`, but for the example's own.
fn crates(folder: &Path) -> anyhow::Result<BTreeSet<String>> {
    let mut tree = cargo();
    tree.args(["tree", "--quiet", "--edges", "normal,build", "--prefix", "none"]);
    let text = output(tree.current_dir(folder))?;
    let lines = text.lines().map(|line| line.trim_end_matches(" (*)").to_string());
    Ok(lines.filter(|line| !line.is_empty() && !line.starts_with("alone ")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_subject_has_an_example_and_a_name_of_its_own() {
        let root = project_root();
        let mut names = BTreeSet::new();
        for subject in &SUBJECTS {
            let Subject { library, example, .. } = subject;
            let file = root.join(format!("crates/{library}/examples/{example}.rs"));
            assert!(file.is_file(), "{}", file.display());
            assert!(names.insert(subject.name()), "{}", subject.name());
            assert!(subject.manifest(&root).contains(&file.display().to_string()));
        }
    }
}
