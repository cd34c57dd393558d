//! One reader fed with case after case, in a process that may be lost.

use std::panic::{AssertUnwindSafe, catch_unwind, set_hook};
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context;

use crate::case::case;
use crate::target::{Target, Verdict, most_memory};

/// Most processor time that one case may take, in seconds.
pub const MOST_TIME: f64 = 10.0;
/// Longest time for those that wait; a server may ask for a minute.
const LONGEST_WAIT: Duration = Duration::from_secs(150);
/// Exit code where a case takes longer.
pub const TOO_LONG: u8 = 3;
/// Cases between two looks at the clock of the processor.
const STRIDE: u64 = 16;
/// Peak memory below which a process's own peak is not set back.
const SLACK: u64 = 32 << 20;

/// What became of the cases so far; the line that is kept in the file `state`.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct State {
    /// Number of the case that is being read.
    pub number: u64,
    /// Cases accepted.
    pub accepted: u64,
    /// Cases refused with an error.
    pub refused: u64,
    /// Processor time, in seconds.
    pub seconds: f64,
}

impl State {
    fn keep(&self) -> std::io::Result<()> {
        let Self { number, accepted, refused, seconds } = self;
        std::fs::write("state", format!("{number} {accepted} {refused} {seconds}"))
    }

    /// Reads the file `state` of `folder`.
    pub fn read(folder: &Path) -> Option<Self> {
        let text = std::fs::read_to_string(folder.join("state")).ok()?;
        let mut words = text.split(' ');
        Some(Self {
            number: words.next()?.parse().ok()?,
            accepted: words.next()?.parse().ok()?,
            refused: words.next()?.parse().ok()?,
            seconds: words.next()?.parse().ok()?,
        })
    }
}

/// Reads cases from number `from` on for `seconds` of processor time, in the working folder: the
/// case is in `case`, findings are lines on standard output.
pub fn work(target: &Target, seed: u64, from: u64, seconds: f64) -> anyhow::Result<ExitCode> {
    let seeds = (target.seeds)()?;
    let folder = Path::new("case");
    std::fs::create_dir_all(folder)?;
    (target.beside)(folder)?;
    let path = folder.join(target.file);
    let panics = quiet_panics();
    let number = watch();
    let mut state = State { number: from, ..State::default() };
    while state.seconds < seconds {
        let bytes = case(target.form, &seeds, seed, state.number);
        // In the place of a link that `beside` may have put there, not through it.
        let _ = std::fs::remove_file(&path);
        std::fs::write(&path, &bytes)?;
        state.keep()?;
        number.store(state.number + 1, Relaxed);
        let before = memory_before()?;
        match caught(target, &path, &panics) {
            Verdict::Refused => state.refused += 1,
            Verdict::Accepted => state.accepted += 1,
            Verdict::Broken(what) => println!("{} {}", state.number, what.replace('\n', " ")),
        }
        let (taken, most) =
            (memory("VmHWM:")?.saturating_sub(before), most_memory(bytes.len(), target.room));
        if taken > most {
            println!("{} {} bytes took {taken} bytes of memory", state.number, bytes.len());
        }
        state.number += 1;
        if state.number.is_multiple_of(STRIDE) {
            state.seconds = processor_time()?;
        }
    }
    number.store(0, Relaxed);
    state.keep()?;
    Ok(ExitCode::SUCCESS)
}

/// Reads one file as each of `targets`.
pub fn replay(targets: &[Target], bytes: &[u8]) -> anyhow::Result<ExitCode> {
    let mut code = ExitCode::SUCCESS;
    for target in targets {
        let folder = tempfile::tempdir()?;
        (target.beside)(folder.path())?;
        let path = folder.path().join(target.file);
        let _ = std::fs::remove_file(&path);
        std::fs::write(&path, bytes)?;
        let start = Instant::now();
        let verdict = (target.read)(&path);
        println!("{}: {verdict:?} after {:?}", target.name, start.elapsed());
        if matches!(verdict, Verdict::Broken(_)) {
            code = ExitCode::FAILURE;
        }
    }
    Ok(code)
}

type Said = Arc<Mutex<String>>;

/// Keeps what a panic says and where.
fn quiet_panics() -> Said {
    let said = Said::default();
    let heard = said.clone();
    set_hook(Box::new(move |panic| {
        *heard.lock().unwrap_or_else(PoisonError::into_inner) = panic.to_string();
    }));
    said
}

fn caught(target: &Target, path: &Path, said: &Said) -> Verdict {
    catch_unwind(AssertUnwindSafe(|| (target.read)(path))).unwrap_or_else(|_| {
        Verdict::Broken(said.lock().unwrap_or_else(PoisonError::into_inner).clone())
    })
}

/// Ends the process when the same case is read for too long. The number returned is that of the
/// case, and one more; 0 where none is read.
fn watch() -> Arc<AtomicU64> {
    let number = Arc::new(AtomicU64::new(0));
    let watched = number.clone();
    std::thread::spawn(move || {
        let (mut last, mut since, mut spent) = (0, Instant::now(), 0.0);
        loop {
            std::thread::sleep(Duration::from_millis(100));
            let now = watched.load(Relaxed);
            let time = processor_time().unwrap_or_default();
            if now != last {
                (last, since, spent) = (now, Instant::now(), time);
            } else if now > 0 && (time - spent > MOST_TIME || since.elapsed() > LONGEST_WAIT) {
                std::process::exit(i32::from(TOO_LONG));
            }
        }
    });
    number
}

/// Resident memory now; the peak is set back to it where that lies far above.
fn memory_before() -> anyhow::Result<u64> {
    let (now, peak) = (memory("VmRSS:")?, memory("VmHWM:")?);
    if peak > now + SLACK {
        std::fs::write("/proc/self/clear_refs", "5")?;
        return Ok(now);
    }
    Ok(peak)
}

/// One of the sizes in `/proc/self/status`, in bytes.
fn memory(name: &str) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kibibytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
    Ok(kibibytes.with_context(|| format!("no `{name}` in /proc/self/status"))?.parse::<u64>()?
        << 10)
}

/// Processor time of the main thread, in seconds.
fn processor_time() -> anyhow::Result<f64> {
    let text = std::fs::read_to_string("/proc/self/schedstat")?;
    let nanoseconds = text.split(' ').next().unwrap_or_default().parse::<u64>()?;
    Ok(nanoseconds as f64 / 1e9)
}
