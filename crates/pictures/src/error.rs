//! What can go wrong with pictures and with the files they are in.

use std::path::{Path, PathBuf};

use files::FileError;

/// What can go wrong with a picture file, a folder of pictures or a captioned set.
#[derive(Debug, thiserror::Error)]
pub enum PictureError {
    /// A file or folder could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// A file holds no picture that can be read.
    #[error("`{path}`: {reason}", path = path.display())]
    Decode {
        /// The file.
        path: PathBuf,
        /// What was expected and what was found.
        reason: DecodeError,
    },
    /// A picture could not be written.
    #[error("`{path}`: {reason}", path = path.display())]
    Encode {
        /// The file.
        path: PathBuf,
        /// The encoder's word.
        reason: EncodeError,
    },
    /// A file or folder does not hold what it should.
    #[error("`{path}`: {reason}", path = path.display())]
    Broken {
        /// The file or folder.
        path: PathBuf,
        /// What was expected and what was found.
        reason: String,
    },
    /// A size that a picture cannot have or be given.
    #[error(transparent)]
    Size(#[from] SizeError),
}

impl PictureError {
    pub(crate) fn broken(path: impl Into<PathBuf>, reason: impl std::fmt::Display) -> Self {
        Self::Broken { path: path.into(), reason: reason.to_string() }
    }

    pub(crate) fn decode(path: &Path) -> impl FnOnce(DecodeError) -> Self {
        move |source| Self::Decode { path: path.into(), reason: source }
    }
}

/// Bytes that are no picture that can be read.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// The bytes begin like none of the formats.
    #[error("expected a PNG, JPEG or WebP picture, found {found}")]
    Format {
        /// What the bytes begin with.
        found: String,
    },
    /// The header asks for more than the limits allow.
    #[error(
        "a picture of {width}×{height} pixels, {bytes} bytes decoded, is larger than allowed: at \
         most {max_side} pixels a side and {max_bytes} bytes"
    )]
    TooLarge {
        /// Width in pixels.
        width: u64,
        /// Height in pixels.
        height: u64,
        /// Bytes of the decoded picture.
        bytes: u64,
        /// Longest side that is allowed.
        max_side: u64,
        /// Most bytes that are allowed.
        max_bytes: u64,
    },
    /// The bytes are cut off, damaged, or of a kind that is not read.
    #[error("unreadable {format}: {reason}")]
    Broken {
        /// The format.
        format: &'static str,
        /// The decoder's word.
        reason: String,
    },
}

/// A picture that cannot be a PNG file.
#[derive(Debug, thiserror::Error)]
#[error("cannot be written as PNG: {0}")]
pub struct EncodeError(pub(crate) String);

/// A size that a picture cannot have or be given.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SizeError {
    /// A side without a pixel.
    #[error("expected a picture of at least 1×1 pixels, found {width}×{height}")]
    Empty {
        /// Width in pixels.
        width: usize,
        /// Height in pixels.
        height: usize,
    },
    /// A picture that is not worth its memory.
    #[error("a picture of {width}×{height} pixels is larger than allowed: at most {limit} bytes")]
    TooLarge {
        /// Width in pixels.
        width: usize,
        /// Height in pixels.
        height: usize,
        /// Most bytes that are allowed.
        limit: usize,
    },
    /// Pixels that are not as many as the size says.
    #[error("expected {expected} values for a picture of {width}×{height} pixels, found {found}")]
    Values {
        /// Width in pixels.
        width: usize,
        /// Height in pixels.
        height: usize,
        /// `3 · width · height`.
        expected: usize,
        /// What there is.
        found: usize,
    },
}
