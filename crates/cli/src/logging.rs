//! What happens inside, on standard error, for those who ask with `-v`.

use log::LevelFilter;

/// Shows warnings; with `verbosity` 1 also what is found and loaded, with 2 details, with 3
/// everything.
pub fn start(verbosity: u8) {
    let level = match verbosity {
        0 => LevelFilter::Warn,
        1 => LevelFilter::Info,
        2 => LevelFilter::Debug,
        _ => LevelFilter::Trace,
    };
    env_logger::Builder::new()
        .filter_level(level)
        .format(|out, record| {
            use std::io::Write;
            let text = format!("{}", record.args());
            let level = record.level().as_str().to_lowercase();
            writeln!(out, "{level}: {}: {}", record.target(), terminal::visible(&text))
        })
        .init();
}
