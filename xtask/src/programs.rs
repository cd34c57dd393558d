//! The commands that are programs of their own: built by cargo where they are not, then started.

use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::Context;

use crate::command::cargo;
use crate::project_root;

/// A command and the program that does it.
pub struct Program {
    /// What is typed after `cargo xtask`.
    pub command: &'static str,
    /// What it does.
    pub about: &'static str,
    package: &'static str,
    binary: &'static str,
    /// What the program is given before the user's own arguments.
    first: &'static [&'static str],
}

/// Processor time that the first build of any program takes without GPU support, in seconds, as
/// measured on two cores.
const FIRST_BUILD: u64 = 520;

/// Packages that everybody comes to use: the first build of one brings the other, so that the last
/// steps of both, which keep one processor busy, run side by side.
const FIRST: [&str; 2] = ["reproduce", "cli"];

/// Every such command.
pub const ALL: [Program; 8] = [
    Program {
        command: "reproduce",
        about: "Run the paper's experiments on a model",
        package: "reproduce",
        binary: "reproduce",
        first: &[],
    },
    Program {
        command: "download",
        about: "Fetch models, metrics' weights and prompts into the usual caches",
        package: "cli",
        binary: "unet-reweight",
        first: &["download"],
    },
    Program {
        command: "parity",
        about: "Compare with a folder of reference outputs",
        package: "parity",
        binary: "parity",
        first: &[],
    },
    Program {
        command: "train",
        about: "Train the models that ship in `models/`",
        package: "trainer",
        binary: "train",
        first: &[],
    },
    Program {
        command: "quality",
        about: "Measure how well the shipped model's pictures show what they were asked for",
        package: "trainer",
        binary: "quality",
        first: &[],
    },
    Program {
        command: "random-model",
        about: "Write a model with a preset's files and random weights",
        package: "random-model",
        binary: "random-model",
        first: &[],
    },
    Program {
        command: "peers",
        about: "Measure this project and PyTorch alternately on the same work",
        package: "peers",
        binary: "peers",
        first: &[],
    },
    Program {
        command: "gpu-check",
        about: "Check a device: agreement with the CPU, times and memory, PyTorch's beside them",
        package: "gpu-check",
        binary: "gpu-check",
        first: &[],
    },
];

impl Program {
    /// Builds the program where needed, with cargo's progress visible, and runs it.
    pub fn run(&self, arguments: &[String]) -> anyhow::Result<ExitCode> {
        let root = project_root();
        let features = features(self, arguments);
        if !self.is_built(&root) {
            let cores = std::thread::available_parallelism().map_or(1, usize::from) as u64;
            let minutes = FIRST_BUILD.div_ceil(60 * cores).max(1);
            eprintln!(
                "compiling `{}` and the libraries it needs{}: about {minutes} min on {cores} cores \
                 this once, seconds from then on",
                self.binary,
                match features.iter().find(|feature| ["cuda", "wgpu", "tch"].contains(feature)) {
                    Some(gpu) => format!(" with {} (some minutes more)", gpu.to_uppercase()),
                    None => String::new(),
                },
            );
            if features.is_empty() && FIRST.contains(&self.package) {
                let packages = FIRST.iter().flat_map(|package| ["--package", package]);
                let status = cargo_here(&root, "build").args(packages).status();
                if !status.context("cargo could not be started")?.success() {
                    return Ok(ExitCode::FAILURE);
                }
            }
        }
        let status = cargo_here(&root, "run")
            .args(["--package", self.package, "--bin", self.binary])
            .args(features.iter().flat_map(|feature| ["--features", feature]))
            .arg("--")
            .args(self.first)
            .args(arguments)
            .status()
            .context("cargo could not be started")?;
        Ok(ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)))
    }

    fn is_built(&self, root: &Path) -> bool {
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or(root.join("target"), Into::into);
        target
            .join("debug")
            .join(self.binary)
            .with_extension(std::env::consts::EXE_EXTENSION)
            .exists()
    }
}

/// `cargo SUBCOMMAND` for this workspace, from any folder.
pub fn cargo_here(root: &Path, subcommand: &str) -> Command {
    let mut command = cargo();
    command.arg(subcommand);
    command.args(["--manifest-path".as_ref(), root.join("Cargo.toml").as_os_str()]);
    command
}

/// The cargo features that the arguments ask for.
fn features(program: &Program, arguments: &[String]) -> Vec<&'static str> {
    let mut features = Vec::new();
    // `--option=value`, or the word after `--option`.
    let value = |option: &str| {
        let mut words = arguments.iter().map(String::as_str);
        let found = words.find_map(|word| match word.strip_prefix(option)? {
            "" => Some(None),
            rest => rest.strip_prefix('=').map(Some),
        })?;
        Some(found.or_else(|| words.next()).unwrap_or_default())
    };
    let device = value("--device").or((program.package == "gpu-check").then_some("cuda"));
    // Where jobs are submitted from there need be no GPU.
    let elsewhere = ["--slurm", "--scripts"].iter().any(|option| value(option).is_some());
    match device.and_then(|device| device.split(':').next()) {
        Some("cuda") if elsewhere || nvidia_driver_present() => features.push("cuda"),
        Some("torch") => features.push("tch"),
        Some("wgpu") if elsewhere || vulkan_driver_present() => features.push("wgpu"),
        _ => {}
    }
    if program.package == "reproduce" && value("--scale") == Some("paper") {
        features.push("download");
    }
    features
}

/// Whether the machine seems to have an NVIDIA driver: without one a build that could use it is
/// minutes for nothing, and the program as it is says what is missing.
fn nvidia_driver_present() -> bool {
    // The driver's control device, and WSL's.
    const DEVICES: [&str; 2] = ["/dev/nvidiactl", "/dev/dxg"];
    !cfg!(target_os = "linux") || DEVICES.iter().any(|path| Path::new(path).exists())
}

/// Whether the machine seems to have a Vulkan driver, as [`nvidia_driver_present`]; other systems
/// than Linux have an interface of their own.
fn vulkan_driver_present() -> bool {
    // Where the loader looks for drivers' manifests.
    const VARIABLES: [&str; 2] = ["VK_DRIVER_FILES", "VK_ICD_FILENAMES"];
    const FOLDERS: [&str; 3] =
        ["/etc/vulkan/icd.d", "/usr/local/share/vulkan/icd.d", "/usr/share/vulkan/icd.d"];
    let holds_any =
        |folder| std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some());
    !cfg!(target_os = "linux")
        || VARIABLES.iter().any(|name| std::env::var_os(name).is_some())
        || FOLDERS.into_iter().any(holds_any)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paper_scale_brings_downloads_and_other_values_bring_nothing() {
        let words = |text: &str| text.split(' ').map(String::from).collect::<Vec<_>>();
        let reproduce = &ALL[0];
        assert_eq!(features(reproduce, &words("--scale paper --dry-run")), ["download"]);
        assert_eq!(features(reproduce, &words("--dry-run --scale=paper")), ["download"]);
        assert!(features(reproduce, &words("--scale smoke --device cpu")).is_empty());
        assert!(features(reproduce, &words("--scales paper --scale")).is_empty());
        assert_eq!(features(reproduce, &words("--slurm --device cuda")), ["cuda"]);
        assert_eq!(features(reproduce, &words("--slurm --device wgpu:1")), ["wgpu"]);
        assert_eq!(features(reproduce, &words("--device torch:cpu")), ["tch"]);
        assert!(features(reproduce, &words("--slurm --device cpu")).is_empty());
    }
}
