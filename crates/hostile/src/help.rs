//! The options of a command, as clap prints them for `-h`.

/// An option of a command.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CliOption {
    /// With its hyphens.
    pub name: String,
    /// Whether it takes a value, or is a flag.
    pub takes_value: bool,
    /// The beginning of what is said about it.
    pub about: String,
}

/// The options that a text of `-h` lists, without those that every command has.
pub fn options(help: &str) -> Vec<CliOption> {
    let mut options = Vec::new();
    let mut lines = help.lines().peekable();
    while let Some(line) = lines.next() {
        let Some((name, rest)) = header(line) else { continue };
        if ["--help", "--version", "--verbose"].contains(&name) {
            continue;
        }
        let (value, about) = rest.split_once("  ").unwrap_or((rest, ""));
        let about = match about.trim() {
            "" => lines.peek().map_or("", |next| next.trim()),
            about => about,
        };
        options.push(CliOption {
            name: name.into(),
            takes_value: value.contains('<'),
            about: about.into(),
        });
    }
    options
}

/// The name of the option that a line is about, and what follows it.
fn header(line: &str) -> Option<(&str, &str)> {
    let text = line.strip_prefix("  ")?.trim_start();
    let long = match text.strip_prefix('-')?.strip_prefix('-') {
        Some(_) => text,
        None => text.split_once(", ")?.1,
    };
    let end = long.find(|c: char| !c.is_ascii_lowercase() && !c.is_ascii_digit() && c != '-');
    let (name, rest) = long.split_at(end.unwrap_or(long.len()));
    (name.len() > 2).then_some((name, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HELP: &str = "Makes pictures\n\nUsage: paint [OPTIONS] [PROMPT]\n\nArguments:\n  [PROMPT]  \
                        Prompt\n\nOptions:\n      --steps <STEPS>\n          Inference steps\n  -v, \
                        --verbose...\n          Say more\n      --json         Print JSON\n  -n, \
                        --net-1 <NET>  Network [possible values: a, b]\n  -h, --help  Print help\n\n\
                        Examples:\n  paint --steps 3\n";

    #[test]
    fn options_are_read_from_both_layouts() {
        let option = |name: &str, takes_value, about: &str| CliOption {
            name: name.into(),
            takes_value,
            about: about.into(),
        };
        assert_eq!(
            options(HELP),
            [
                option("--steps", true, "Inference steps"),
                option("--json", false, "Print JSON"),
                option("--net-1", true, "Network [possible values: a, b]"),
            ]
        );
    }
}
