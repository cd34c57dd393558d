//! Tests of whole programs: every option with every hostile value, under limits of memory and time,
//! so that a wrong use ends with a message whatever it is.
//!
//! [`flipped_bits`] damages stored files for tests of their readers.
//!
//! Only for tests, and programs only where a shell has `ulimit -v`: on Linux.

#![warn(missing_docs)]

mod damage;
mod help;
mod limited;
mod program;
mod table;

pub use damage::flipped_bits;
pub use help::{CliOption, options};
pub use limited::{Ended, Ending, Limits, run};
pub use program::{LONG, Taken, Usual, try_every_option};
pub use table::{Case, Given, Summary, VALUES, cases, run_all};
