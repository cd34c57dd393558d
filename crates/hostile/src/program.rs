//! A program, its usual runs, and what its options may take of the hostile values.

use std::collections::HashSet;
use std::io;
use std::process::Command;
use std::time::Duration;

use crate::{Case, Given, Limits, Summary, cases, options, run_all};

/// Set, all options of all commands are tried with all values, not only those that differ.
pub const LONG: &str = "EVERY_OPTION_OF_EVERY_COMMAND";
/// What a run may take; no usual run needs half of it.
const LIMITS: Limits = Limits { address_space: 6 << 30, time: Duration::from_secs(120) };
/// Values of texts and names, which differ in little else.
const FEW: [&str; 2] = ["", "nan"];

/// A command, and arguments with which it ends well.
#[derive(Debug, Clone)]
pub struct Usual {
    command: &'static str,
    arguments: Vec<String>,
    ends_well: bool,
}

impl Usual {
    /// A run that ends well; `command` is of words, or none.
    pub fn new(command: &'static str, arguments: &[&str]) -> Self {
        let arguments = arguments.iter().map(|text| text.to_string()).collect();
        Self { command, arguments, ends_well: true }
    }

    /// A run that is refused for want of something that a test does not have.
    pub fn without_what_it_needs(command: &'static str, arguments: &[&str]) -> Self {
        Self { ends_well: false, ..Self::new(command, arguments) }
    }

    fn words(&self) -> Vec<String> {
        self.command.split_whitespace().map(String::from).collect()
    }
}

/// Which of the hostile values options may take; all others are to be refused.
#[derive(Debug, Clone, Copy)]
pub struct Taken<'a> {
    /// Options that take any text.
    pub texts: &'a [&'a str],
    /// Options that name a file or folder that is written: any but the empty name.
    pub names: &'a [&'a str],
    /// Options that take any whole number of 64 bits; lists of them where they end in `s`.
    pub whole: &'a [&'a str],
    /// Options that take these numbers.
    pub numbers: &'a [(&'a str, &'a [&'a str])],
}

impl Taken<'_> {
    fn may_be_done(&self, case: &Case) -> bool {
        let name = case.option.as_str();
        let Given::Value(value) = case.given else { return case.given == Given::Flag };
        let whole = value.split(',').all(|part| part.parse::<u64>().is_ok());
        let many = name.ends_with('s') || !value.contains(',');
        self.texts.contains(&name)
            || self.names.contains(&name) && !value.is_empty()
            || self.whole.contains(&name) && whole && many
            || self.numbers.iter().any(|(of, values)| *of == name && values.contains(&value))
    }

    /// Whether other values of the option would show the same.
    fn is_enough(&self, case: &Case) -> bool {
        let name = case.option.as_str();
        let any = self.texts.contains(&name) || self.names.contains(&name);
        any && matches!(case.given, Given::Value(value) if !FEW.contains(&value))
    }
}

/// Tries every option of the `usual` runs of a program, each run in an empty folder of its own.
/// An option that several commands have in the same words is tried with the first.
///
/// # Errors
/// Where the program cannot be started.
///
/// # Panics
/// Where a usual run does not end as it should, or a case does not: the panic lists all of them.
pub fn try_every_option(
    program: impl Fn(&[String]) -> Command + Sync,
    usual: &[Usual],
    taken: Taken<'_>,
) -> io::Result<Summary> {
    let long = std::env::var_os(LONG).is_some();
    let (mut all, mut seen) = (Vec::<Case>::new(), HashSet::new());
    for run in usual {
        let help = program(&[run.words(), vec!["-h".into()]].concat()).output()?;
        let whole = [run.words(), run.arguments.clone()].concat();
        if run.ends_well {
            all.push(Case { option: String::new(), given: Given::Flag, arguments: whole.clone() });
        }
        for option in options(&String::from_utf8_lossy(&help.stdout)) {
            if long || seen.insert(option.clone()) || whole.contains(&option.name) {
                let tried = cases(&whole, &option).into_iter();
                all.extend(tried.filter(|case| long || !taken.is_enough(case)));
            }
        }
    }
    let work = tempfile::tempdir()?;
    let command = |case: &Case| {
        let mut command = program(&case.arguments);
        let folder = tempfile::Builder::new().disable_cleanup(true).tempdir_in(work.path())?;
        command.current_dir(folder.path());
        Ok(command)
    };
    let summary = run_all(&all, LIMITS, command, |case| taken.may_be_done(case))?;
    let (faults, count) = (&summary.faults, all.len());
    assert!(faults.is_empty(), "{} of {count} cases:\n{}", faults.len(), faults.join("\n"));
    let least = usual.iter().filter(|run| run.ends_well).count();
    assert!(summary.done >= least && count > least, "nothing was tried: {summary:?}");
    Ok(summary)
}

#[cfg(target_os = "linux")]
#[cfg(test)]
mod tests {
    use super::*;

    const TAKEN: Taken<'_> =
        Taken { texts: &[], names: &[], whole: &["--seed"], numbers: &[("--share", &["0.5"])] };

    /// A program of the shell that takes what it should, and `more`.
    fn program(more: &str) -> impl Fn(&[String]) -> Command + Sync {
        let script = format!(
            "case \"$*\" in *-h) printf '  --seed <S>  Seed\\n  --share <S>  Share\\n';; \
             ''|--seed=0|--seed=9223372036854775808|--seed=18446744073709551615|--share=0.5) ;; \
             {more}) ;; *) echo wrong >&2; exit 2;; esac"
        );
        move |arguments| {
            let mut command = Command::new("sh");
            command.args(["-c", &script, "program"]).args(arguments);
            command
        }
    }

    #[test]
    fn try_every_option_is_content_where_all_that_is_wrong_is_refused() {
        let summary = try_every_option(program("never"), &[Usual::new("", &[])], TAKEN).unwrap();
        assert_eq!((summary.done, summary.refused), (5, 24), "{summary:?}");
    }

    #[test]
    #[should_panic(expected = "--share=inf")]
    fn try_every_option_names_what_was_taken() {
        let _ = try_every_option(program("--share=inf"), &[Usual::new("", &[])], TAKEN);
    }
}
