//! What the programs say on standard output and standard error, and how they end: a reader that
//! goes away is no failure, and a full disk is one that is told.

#![warn(missing_docs)]

mod ending;
mod output;
mod shell;

pub use ending::end;
pub use output::{Closed, flush, json, line, note, pretty_json, visible, warn};
pub use shell::shell_word;
