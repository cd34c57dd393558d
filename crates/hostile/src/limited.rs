//! A program that is run with so much address space and time, and no more.

use std::io::{self, Read, Seek};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// What a run may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Address space in bytes.
    pub address_space: u64,
    /// Time from start to end.
    pub time: Duration,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// With an exit code.
    Code(i32),
    /// By a signal: an abort, or out of memory.
    Signal,
    /// It was still running when its time was over, and was ended.
    OutOfTime,
}

/// How a run ended, and what it said.
#[derive(Debug, Clone)]
pub struct Ended {
    /// How it ended.
    pub ending: Ending,
    /// What it wrote to standard error.
    pub said: String,
}

impl Ended {
    /// Whether it was told, with code 1 or 2 and a message, what is wrong; no panic, no abort.
    pub fn is_told(&self) -> bool {
        let told = matches!(self.ending, Ending::Code(1 | 2)) && !self.said.trim().is_empty();
        told && !self.said.contains("panicked at") && !self.said.contains("stack backtrace")
    }
}

/// Runs a command within limits; what it prints is thrown away.
///
/// # Errors
/// Where it cannot be started.
pub fn run(command: &Command, limits: Limits) -> io::Result<Ended> {
    let mut said = tempfile::tempfile()?;
    let kibibytes = limits.address_space / 1024;
    let mut shell = Command::new("sh");
    shell
        .args(["-c", &format!("ulimit -c 0; ulimit -v {kibibytes} && exec \"$0\" \"$@\"")])
        .arg(command.get_program())
        .args(command.get_args())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(said.try_clone()?);
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    if let Some(folder) = command.get_current_dir() {
        shell.current_dir(folder);
    }
    let (mut child, start) = (shell.spawn()?, Instant::now());
    let ending = loop {
        if let Some(status) = child.try_wait()? {
            break status.code().map_or(Ending::Signal, Ending::Code);
        }
        if start.elapsed() > limits.time {
            child.kill()?;
            child.wait()?;
            break Ending::OutOfTime;
        }
        thread::sleep(Duration::from_millis(2));
    };
    let mut bytes = Vec::new();
    said.rewind()?;
    said.read_to_end(&mut bytes)?;
    Ok(Ended { ending, said: String::from_utf8_lossy(&bytes).into_owned() })
}

#[cfg(target_os = "linux")]
#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { address_space: 1 << 30, time: Duration::from_millis(500) };

    fn shell(script: &str) -> Ended {
        run(Command::new("sh").args(["-c", script]).env("WORD", "hello"), LIMITS).unwrap()
    }

    #[test]
    fn run_tells_codes_signals_and_time() {
        let ended = shell("echo $WORD >&2; exit 2");
        assert_eq!((ended.ending, ended.said.as_str()), (Ending::Code(2), "hello\n"));
        assert!(ended.is_told());
        assert!(!shell("exit 2").is_told(), "without a word");
        assert!(!shell("echo thread panicked at x >&2; exit 1").is_told());
        assert_eq!(shell("kill -9 $$").ending, Ending::Signal);
        assert_eq!(shell("sleep 5").ending, Ending::OutOfTime);
        assert_eq!(shell("ulimit -v").ending, Ending::Code(0));
        assert_eq!(shell("test $(ulimit -v) = 1048576").ending, Ending::Code(0));
    }
}
