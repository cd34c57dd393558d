//! Every option with every hostile value, and what a program does with it.

use std::io;
use std::process::Command;
use std::sync::Mutex;
use std::thread;

use crate::{CliOption, Ended, Ending, Limits, run};

/// What options are given: nothing, zero, negative, a fraction, huge, no number, a word, a list.
pub const VALUES: [&str; 12] = [
    "",
    "0",
    "-1",
    "0.5",
    "9223372036854775808",
    "18446744073709551615",
    "1e308",
    "nan",
    "inf",
    "-inf",
    "nonsense",
    "1,2,3,4,5",
];

/// Runs at a time.
const THREADS: usize = 2;

/// How an option is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Given {
    /// With a value.
    Value(&'static str),
    /// Without the value it takes.
    Missing,
    /// Twice, with two values that contradict each other.
    Twice,
    /// A flag.
    Flag,
}

/// One run.
#[derive(Debug, Clone)]
pub struct Case {
    /// The option.
    pub option: String,
    /// How it is given.
    pub given: Given,
    /// All arguments.
    pub arguments: Vec<String>,
}

/// All cases of an option, beside the arguments of a run that would end well.
pub fn cases(usual: &[String], option: &CliOption) -> Vec<Case> {
    let name = &option.name;
    let given = match option.takes_value {
        true => {
            let values = VALUES.map(|value| (Given::Value(value), vec![format!("{name}={value}")]));
            let twice = vec![format!("{name}=1"), format!("{name}=0.25")];
            let rest = [(Given::Missing, vec![name.clone()]), (Given::Twice, twice)];
            values.into_iter().chain(rest).collect()
        }
        false => vec![(Given::Flag, vec![name.clone()])],
    };
    let usual = without(usual, option);
    let case = |(given, own): (Given, Vec<String>)| Case {
        option: name.clone(),
        given,
        arguments: [&usual[..], &own].concat(),
    };
    given.into_iter().map(case).collect()
}

/// Arguments without an option and its value.
fn without(arguments: &[String], option: &CliOption) -> Vec<String> {
    let Some(at) = arguments.iter().position(|argument| *argument == option.name) else {
        return arguments.to_vec();
    };
    let end = at + 1 + usize::from(option.takes_value);
    [&arguments[..at], arguments.get(end..).unwrap_or_default()].concat()
}

/// How many cases ended how.
#[derive(Debug, Default)]
pub struct Summary {
    /// A wrong use, code 2.
    pub refused: usize,
    /// A failure that was told, code 1.
    pub failed: usize,
    /// Done, as it may be.
    pub done: usize,
    /// Everything else, in words: panics, aborts, no end, values that must not be taken.
    pub faults: Vec<String>,
}

impl Summary {
    fn add(&mut self, case: &Case, ended: &Ended, may_be_done: bool) {
        match ended.ending {
            Ending::Code(0) if may_be_done => self.done += 1,
            Ending::Code(1) if ended.is_told() => self.failed += 1,
            Ending::Code(2) if ended.is_told() => self.refused += 1,
            ending => {
                let said: String = ended.said.chars().take(300).collect();
                self.faults.push(format!("{ending:?}: {:?}: {said}", case.arguments));
            }
        }
    }
}

/// Runs all cases; `command` makes a case's command, `may_be_done` says where success is right.
///
/// # Errors
/// Where a program cannot be started.
pub fn run_all(
    cases: &[Case],
    limits: Limits,
    command: impl Fn(&Case) -> io::Result<Command> + Sync,
    may_be_done: impl Fn(&Case) -> bool + Sync,
) -> io::Result<Summary> {
    let state = Mutex::new((cases.iter(), Summary::default()));
    let lock = || state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let work = || -> io::Result<()> {
        loop {
            let Some(case) = lock().0.next() else { return Ok(()) };
            let ended = run(&command(case)?, limits)?;
            lock().1.add(case, &ended, may_be_done(case));
        }
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..THREADS).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| {
            worker.join().unwrap_or_else(|_| Err(io::Error::other("a run could not be judged")))
        })
    })?;
    let (_, summary) = state.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    Ok(summary)
}

#[cfg(target_os = "linux")]
#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn option(takes_value: bool) -> CliOption {
        CliOption { name: "--steps".into(), takes_value, about: String::new() }
    }

    #[test]
    fn cases_take_the_place_of_the_usual_value() {
        let usual = ["a", "--steps", "1", "--json"].map(String::from);
        let all = cases(&usual, &option(true));
        assert_eq!(all.len(), VALUES.len() + 2);
        assert_eq!(all[1].arguments, ["a", "--json", "--steps=0"]);
        assert_eq!(all[VALUES.len()].arguments, ["a", "--json", "--steps"]);
        let flag = ["a", "--steps", "b"].map(String::from);
        assert_eq!(cases(&flag, &option(false))[0].arguments, ["a", "b", "--steps"]);
    }

    #[test]
    fn run_all_counts_and_names_what_is_wrong() {
        let limits = Limits { address_space: 1 << 30, time: Duration::from_secs(5) };
        let all = cases(&[], &option(true));
        let script = |case: &Case| match case.given {
            Given::Value("0") => "exit 0",
            Given::Value("1e308") => "exit 101",
            Given::Value("nan") => "exit 0",
            Given::Missing => "echo missing >&2; exit 1",
            _ => "echo wrong >&2; exit 2",
        };
        let command = |case: &Case| {
            let mut command = Command::new("sh");
            command.args(["-c", script(case)]);
            Ok(command)
        };
        let may_be_done = |case: &Case| case.given == Given::Value("0");
        let summary = run_all(&all, limits, command, may_be_done).unwrap();
        let Summary { refused, failed, done, mut faults } = summary;
        assert_eq!((refused, failed, done), (all.len() - 4, 1, 1));
        faults.sort();
        assert_eq!(faults.len(), 2);
        assert!(faults[0].contains("--steps=nan") && faults[1].contains("101"), "{faults:?}");
    }
}
