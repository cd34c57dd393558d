//! The archive, tried where nothing else is.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

use super::PROGRAM;
use crate::command::{output, succeed};

/// Where the archive is unpacked in the empty place.
const PLACE: &str = "opt";

/// Unpacks the archive into an empty folder and makes a picture there. As root the folder becomes the
/// whole disk, with the system libraries that `ldd` names and no others; else only the environment is
/// empty, and that is said.
pub fn run(archive: &Path, name: &str) -> anyhow::Result<()> {
    let folder = std::env::temp_dir().join(format!("{PROGRAM}-dist-{}", std::process::id()));
    let result = tried(archive, name, &folder);
    // Whether the folder can be removed is of no consequence.
    let _ = std::fs::remove_dir_all(&folder);
    result
}

fn tried(archive: &Path, name: &str, folder: &Path) -> anyhow::Result<()> {
    let place = folder.join(PLACE);
    std::fs::create_dir_all(&place)?;
    succeed(Command::new("tar").arg("-xzf").arg(archive).arg("-C").arg(&place))?;
    let program = place.join(name).join("bin").join(PROGRAM);
    let libraries = libraries(&program)?;
    let alone = output(Command::new("id").arg("-u"))?.trim() == "0";
    if alone {
        for library in &libraries {
            let to = folder.join(library.strip_prefix("/").unwrap_or(library));
            std::fs::create_dir_all(to.parent().unwrap_or(folder))?;
            std::fs::copy(library, &to).with_context(|| format!("`{}`", library.display()))?;
        }
    }
    let inside = format!("/{PLACE}/{name}/bin/{PROGRAM}");
    let start = |arguments: &[&str]| -> anyhow::Result<String> {
        let mut command = match alone {
            true => {
                let mut command = Command::new("chroot");
                command.arg(folder).arg(&inside);
                command
            }
            false => Command::new(&program),
        };
        command.args(arguments).current_dir(folder).env_clear();
        if alone {
            // Only that `chroot` itself is found: nothing of it is inside.
            command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        }
        output(&mut command)
    };
    let version = start(&["--version"])?;
    let model = start(&["inspect"])?;
    let out = if alone { "/out".to_string() } else { folder.join("out").display().to_string() };
    start(&["generate", "a red apple", "--steps", "2", "--seeds", "7", "--out", &out])?;
    let picture = folder.join("out/7.png");
    let bytes = std::fs::read(&picture).with_context(|| format!("`{}`", picture.display()))?;
    if !bytes.starts_with(b"\x89PNG") {
        bail!("`{}` is no PNG file", picture.display());
    }
    let where_to = if alone { "with nothing else on the disk" } else { "in an empty environment" };
    println!("started {where_to}: {}", version.trim());
    println!("{}", model.lines().next().unwrap_or_default());
    let names: Vec<_> = libraries.iter().map(|library| library.display().to_string()).collect();
    println!("a picture of {} bytes; system libraries: {}", bytes.len(), names.join(", "));
    Ok(())
}

/// The system libraries that the program is linked with, its loader among them.
fn libraries(program: &Path) -> anyhow::Result<Vec<PathBuf>> {
    Ok(paths(&output(Command::new("ldd").arg(program))?))
}

/// The paths in what `ldd` prints: `name => /path (address)`, or `/path (address)`.
fn paths(said: &str) -> Vec<PathBuf> {
    let path = |line: &str| {
        let line = line.rsplit_once("=>").map_or(line, |(_, path)| path).trim();
        line.starts_with('/').then(|| PathBuf::from(line.split(" (").next().unwrap_or(line)))
    };
    said.lines().filter_map(path).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_those_of_libraries_and_loader() {
        let said = "\tlinux-vdso.so.1 (0x00007ffe)\n\
                    \tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f1)\n\
                    \t/lib64/ld-linux-x86-64.so.2 (0x00007f2)\n";
        let expected = ["/lib/x86_64-linux-gnu/libc.so.6", "/lib64/ld-linux-x86-64.so.2"];
        assert_eq!(paths(said), expected.map(PathBuf::from));
    }
}
