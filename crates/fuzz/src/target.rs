//! What is fed: a reader, what it reads, and what it may take.

use std::path::Path;

/// How a reader took a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// With an error.
    Refused,
    /// As valid.
    Accepted,
    /// As valid, but something that must hold of it does not.
    Broken(String),
}

impl Verdict {
    /// [`Self::Broken`] where what must hold does not.
    pub fn holds(holds: bool, what: impl FnOnce() -> String) -> Self {
        match holds {
            true => Self::Accepted,
            false => Self::Broken(what()),
        }
    }
}

/// What a file consists of, and so how it is damaged beyond its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Bytes alone.
    Bytes,
    /// Lines of text.
    Text,
    /// A JSON document.
    Json,
    /// A TOML document.
    Toml,
    /// An archive, whose entries are damaged and packed again.
    Zip,
    /// A header in JSON before bytes.
    Safetensors,
    /// Chunks whose checksums are made right again.
    Png,
}

/// One reader.
pub struct Target {
    /// Its name.
    pub name: &'static str,
    /// The file name that cases get.
    pub file: &'static str,
    /// What the file consists of.
    pub form: Form,
    /// Whole files that damage begins with.
    pub seeds: fn() -> anyhow::Result<Vec<Vec<u8>>>,
    /// Puts other files that the reader needs into the folder of the case.
    pub beside: fn(&Path) -> anyhow::Result<()>,
    /// Reads the file, and checks what it accepts.
    pub read: fn(&Path) -> Verdict,
    /// Bytes a case may take beyond [`most_memory`]'s.
    pub room: u64,
}

/// Bytes that reading a file of `length` bytes may take: a constant that no reader needs to
/// question, and a multiple of the file for copies, converted values and documents in trees.
pub fn most_memory(length: usize, room: u64) -> u64 {
    (64 << 20) + 128 * length as u64 + room
}
