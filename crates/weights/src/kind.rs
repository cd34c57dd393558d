//! What a file is, told by its first bytes and never by its name.

use std::io::Read;
use std::path::Path;

use files::FileError;

/// Bytes that are looked at.
const START: u64 = 262;

/// Kinds of files that weights are met in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Safetensors,
    /// A zip archive, which PyTorch writes since 1.6.
    Zip,
    /// Pickles one after the other: PyTorch 0.1.10 to 1.5.
    Pickle,
    /// A tar archive: PyTorch before 0.1.10.
    Tar,
    /// Something else; what it is in words.
    Other(&'static str),
}

/// The magic number that legacy PyTorch files begin with, 0x1950a86a20f9469cfc6c, as the pickle
/// protocols from 2 on write it, and as protocols 0 and 1 do.
const LEGACY_MAGIC: [&[u8]; 2] =
    [&[0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19], b"119547037146038801333356"];

/// Beginnings of what is given in place of weights by mistake.
const MISTAKES: [(&[u8], &str); 6] = [
    (b"GGUF", "a GGUF file"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file (Keras)"),
    (b"version https://git-lfs", "a pointer of git-lfs: the file itself was not downloaded"),
    (b"<", "an HTML or XML page"),
    (b"{", "a JSON text"),
    (b"\x93NUMPY", "a NumPy array"),
];

/// What the file at `path` is.
///
/// # Errors
/// [`FileError`] where it cannot be read.
pub(crate) fn kind_of(path: &Path) -> Result<Kind, FileError> {
    let mut start = Vec::new();
    files::open(path)?.take(START).read_to_end(&mut start).map_err(FileError::at(path))?;
    Ok(kind(&start))
}

/// Whether a file that begins with `start` is a legacy one of PyTorch's: five pickles, then bytes.
/// The reader of such files looks for the same bytes at the same place.
pub(crate) fn is_legacy(start: &[u8]) -> bool {
    let start = &start[..start.len().min(64)];
    LEGACY_MAGIC.iter().any(|magic| start.windows(magic.len()).any(|window| window == *magic))
}

fn kind(start: &[u8]) -> Kind {
    if start.is_empty() {
        return Kind::Other("an empty file");
    }
    if start.starts_with(b"PK\x03\x04") {
        return Kind::Zip;
    }
    if start.get(257..262) == Some(b"ustar") {
        return Kind::Tar;
    }
    // The length of a header, then the header; the length may look like anything.
    if start.get(8) == Some(&b'{') {
        return Kind::Safetensors;
    }
    let binary = start[0] == 0x80 && matches!(start.get(1), Some(1..=5));
    let text = [&b"(dp"[..], b"(lp", b"}q", b"]q", b"ccollections\n", b"ctorch"];
    if binary || is_legacy(start) || text.iter().any(|text| start.starts_with(text)) {
        return Kind::Pickle;
    }
    let mistake = MISTAKES.iter().find(|(beginning, _)| start.starts_with(beginning));
    Kind::Other(mistake.map_or("a file of another kind", |(_, words)| words))
}

#[cfg(test)]
mod tests {
    use super::{Kind, kind};

    #[test]
    fn files_are_told_by_their_first_bytes() {
        let tar = [&[b'a'; 257][..], b"ustar"].concat();
        for (start, expected) in [
            (&b"PK\x03\x04rest"[..], Kind::Zip),
            (&tar, Kind::Tar),
            // A header of 0x280 bytes begins like a pickle of protocol 2.
            (b"\x80\x02\0\0\0\0\0\0{\"a\"", Kind::Safetensors),
            (b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.", Kind::Pickle),
            (b"L119547037146038801333356L\n.", Kind::Pickle),
            (b"(dp0\nS'a'\n", Kind::Pickle),
            (b"}q\x00.", Kind::Pickle),
            (b"GGUF\x03\0\0\0", Kind::Other("a GGUF file")),
            (b"<!doctype html>", Kind::Other("an HTML or XML page")),
            (b"", Kind::Other("an empty file")),
            (b"hello", Kind::Other("a file of another kind")),
        ] {
            assert_eq!(kind(start), expected, "{}", String::from_utf8_lossy(start));
        }
    }
}
