//! `cargo xtask`: the project's own commands.

mod alone;
mod bench;
mod command;
mod dist;
mod programs;
mod tidy;
mod validate;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The workspace's root.
fn project_root() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package).to_path_buf()
}

fn usage() -> String {
    let mut text = String::from("Usage: cargo xtask COMMAND [OPTIONS]\n\nCommands:\n");
    let checks = [
        ("bench", bench::ABOUT),
        ("validate", validate::ABOUT),
        ("tidy", tidy::ABOUT),
        ("alone", alone::ABOUT),
        ("dist", dist::ABOUT),
    ];
    let programs = programs::ALL.iter().map(|program| (program.command, program.about));
    for (name, about) in programs.chain(checks) {
        text += &format!("  {name:<13} {about}\n");
    }
    text + "\n`cargo xtask COMMAND --help` tells the options of a command."
}

fn run(command: &str, arguments: &[String]) -> anyhow::Result<ExitCode> {
    if let Some(program) = programs::ALL.iter().find(|program| program.command == command) {
        return program.run(arguments);
    }
    match command {
        "bench" => bench::run(arguments),
        "validate" => validate::run(arguments),
        "tidy" => tidy::run(arguments),
        "alone" => alone::run(arguments),
        "dist" => dist::run(arguments),
        "help" | "--help" | "-h" => {
            println!("{}", usage());
            Ok(ExitCode::SUCCESS)
        }
        _ => {
            eprintln!("error: there is no command `{command}`\n\n{}", usage());
            Ok(ExitCode::from(2))
        }
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((command, rest)) = arguments.split_first() else {
        eprintln!("{}", usage());
        return ExitCode::from(2);
    };
    run(command, rest).unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::from(if error.is::<command::WrongUse>() { 2 } else { 1 })
    })
}

#[cfg(test)]
mod tests {
    use super::{command::WrongUse, run};

    #[test]
    fn options_that_there_are_not_are_wrong_use() {
        for command in ["bench", "validate", "tidy", "alone", "dist"] {
            let error = run(command, &["--nonsense".into()]).unwrap_err();
            assert!(
                error.is::<WrongUse>() && error.to_string().contains("--nonsense"),
                "{command}"
            );
        }
    }
}
