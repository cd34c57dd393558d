//! `cargo xtask dist`: a release archive for this platform.

mod check;
mod notices;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::Context;

use crate::command::{WrongUse, cargo, output, succeed};
use crate::project_root;

/// What the command does.
pub const ABOUT: &str = "Make a release archive for this platform, with man pages and licences";

const HELP: &str = "Usage: cargo xtask dist [--check] [--out FOLDER]

The archive holds what stands under one folder in the end, so that the program finds its models:

  bin/unet-reweight
  share/unet-reweight/models/    the shipped models and the tokenizer
  share/man/man1/                a page for each command
  share/bash-completion/, share/zsh/, share/fish/
  share/doc/unet-reweight/       README, licences, and those of the libraries inside

Options:
  --check       also unpack it into an empty folder and make a picture there: without Rust, without this
                checkout, without any variable; as root with nothing else on the disk (Linux)
  --out FOLDER  where the archive goes [default: target/dist]";

/// The program.
const PROGRAM: &str = "unet-reweight";
/// The feature whose command writes man pages.
const PAGES: &str = "man";
/// Models that are shipped.
const MODELS: [&str; 4] = ["emoji-sd", "emoji-turbo", "emoji-clip", "clip-tokenizer"];
/// What checks a model and is not needed to use it.
const LEFT_OUT: [&str; 2] = ["diffusers-check", "open-clip-check"];
/// Shells, and where each looks for completions.
const SHELLS: [(&str, &str); 3] = [
    ("bash", "share/bash-completion/completions/unet-reweight"),
    ("zsh", "share/zsh/site-functions/_unet-reweight"),
    ("fish", "share/fish/vendor_completions.d/unet-reweight.fish"),
];

/// Makes the archive.
pub fn run(arguments: &[String]) -> anyhow::Result<ExitCode> {
    let root = project_root();
    let (mut checks, mut out) = (false, root.join("target/dist"));
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--check" => checks = true,
            "--out" => {
                out = words.next().ok_or_else(|| WrongUse("--out needs a folder".into()))?.into()
            }
            "--help" | "-h" => {
                println!("{ABOUT}\n\n{HELP}");
                return Ok(ExitCode::SUCCESS);
            }
            other => return Err(WrongUse(format!("there is no option `{other}`\n\n{HELP}")).into()),
        }
    }
    std::fs::create_dir_all(&out).with_context(|| format!("`{}`", out.display()))?;
    let out = out.canonicalize()?;
    let built = build(&root)?;
    let name = format!("{PROGRAM}-{}-{}", version(&built)?, host()?);
    let folder = out.join(&name);
    if folder.exists() {
        std::fs::remove_dir_all(&folder).with_context(|| format!("`{}`", folder.display()))?;
    }
    fill(&root, &built, &folder)?;
    let archive = out.join(format!("{name}.tar.gz"));
    pack(&out, &name, &archive)?;
    let bytes = std::fs::metadata(&archive)?.len();
    println!("{} ({:.1} MB)", archive.display(), bytes as f64 / 1e6);
    if checks {
        check::run(&archive, &name)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Builds the program with the command that writes its man pages.
fn build(root: &Path) -> anyhow::Result<PathBuf> {
    succeed(cargo().args(["build", "--package", "cli", "--features", PAGES]).current_dir(root))?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or(root.join("target"), Into::into);
    let program = target.join("debug").join(PROGRAM);
    Ok(program.with_extension(std::env::consts::EXE_EXTENSION))
}

/// The version that the program says.
fn version(program: &Path) -> anyhow::Result<String> {
    let said = output(Command::new(program).arg("--version"))?;
    Ok(said.trim().rsplit(' ').next().unwrap_or_default().to_string())
}

/// The platform that programs are built for.
fn host() -> anyhow::Result<String> {
    let said = output(Command::new("rustc").arg("-vV"))?;
    let host = said.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("`rustc -vV` says no host")?.to_string())
}

/// Everything that the archive holds.
fn fill(root: &Path, built: &Path, folder: &Path) -> anyhow::Result<()> {
    let place = |path: &str| -> anyhow::Result<PathBuf> {
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().unwrap_or(folder))?;
        Ok(path)
    };
    let program = place("bin/any")?.with_file_name(built.file_name().unwrap_or_default());
    std::fs::copy(built, &program)?;
    // Smaller by the names of functions; where there is no such tool it stays as it is.
    let _ = Command::new("strip").arg(&program).stderr(Stdio::null()).status();
    for model in MODELS {
        let to = place("share/unet-reweight/models/any")?.with_file_name(model);
        copy(&root.join("models").join(model), &to)?;
    }
    let pages = place("share/man/man1/any")?;
    succeed(Command::new(&program).arg("man").arg(pages.parent().unwrap_or(folder)))?;
    for (shell, path) in SHELLS {
        let script = output(Command::new(&program).args(["completions", shell]))?;
        std::fs::write(place(path)?, script)?;
    }
    for file in ["README.md", "LICENSE-MIT", "LICENSE-APACHE"] {
        std::fs::copy(root.join(file), place(&format!("share/doc/{PROGRAM}/{file}"))?)?;
    }
    let notices = place(&format!("share/doc/{PROGRAM}/THIRD-PARTY.md"))?;
    Ok(std::fs::write(notices, notices::text(root, &[PAGES])?)?)
}

/// Copies a folder, but for what checks models.
fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from).with_context(|| format!("`{}`", from.display()))? {
        let entry = entry?;
        let (name, path) = (entry.file_name(), entry.path());
        if LEFT_OUT.iter().any(|left_out| name == *left_out) {
            continue;
        }
        if path.is_dir() {
            copy(&path, &to.join(name))?;
        } else {
            std::fs::copy(&path, to.join(name))?;
        }
    }
    Ok(())
}

/// `name` in `folder` as `archive`, which appears as a whole; the same content gives the same bytes.
fn pack(folder: &Path, name: &str, archive: &Path) -> anyhow::Result<()> {
    let partial = archive.with_extension("partial");
    succeed(
        Command::new("tar")
            .args(["--sort=name", "--owner=0", "--group=0", "--numeric-owner", "--mtime=@0"])
            .args(["--use-compress-program", "gzip -n -9", "-cf"])
            .arg(&partial)
            .arg("-C")
            .arg(folder)
            .arg(name),
    )?;
    Ok(std::fs::rename(partial, archive)?)
}
