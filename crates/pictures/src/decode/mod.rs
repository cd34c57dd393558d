//! Picture files in: the format by content, the size by header, the pixels as Pillow's
//! `convert("RGB")` gives them.

mod jpeg;
mod png;
mod webp;

use std::io::{BufRead, BufReader, Cursor, Seek};
use std::path::Path;

use files::FileError;

use crate::{DecodeError, PictureError, RgbImage};

/// What a picture may ask for; checked from its header, before anything is allocated for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Longest side in pixels. Default: 1,000,000, which is libpng's.
    pub max_side: u64,
    /// Most bytes of the decoded picture, with all channels it has in its file.
    /// Default: 512 MiB, which is 13,377×13,377 pixels of 8-bit RGB.
    pub max_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_side: 1_000_000, max_bytes: 512 << 20 }
    }
}

impl Limits {
    /// Bytes of a buffer for `width · height` pixels.
    fn buffer(self, width: u64, height: u64, bytes_per_pixel: u64) -> Result<usize, DecodeError> {
        let bytes = width.saturating_mul(height).saturating_mul(bytes_per_pixel);
        let Self { max_side, max_bytes } = self;
        match usize::try_from(bytes) {
            Ok(size) if bytes <= max_bytes && width.max(height) <= max_side => Ok(size),
            _ => Err(DecodeError::TooLarge { width, height, bytes, max_side, max_bytes }),
        }
    }
}

impl RgbImage {
    /// Reads a PNG, JPEG or WebP file within the default [`Limits`]; its content decides, not its
    /// name.
    ///
    /// Converted as Pillow's `convert("RGB")` does: transparency is dropped, not blended, palettes
    /// are looked up, grey is repeated, of 16-bit colours the high byte is taken; 16-bit grey is
    /// cut off at 255. Of an animation the first picture is read.
    ///
    /// # Errors
    /// [`PictureError::File`] or [`PictureError::Decode`], naming the file.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, PictureError> {
        Self::open_within(path, Limits::default())
    }

    /// [`Self::open`] with other limits.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_within(path: impl AsRef<Path>, limits: Limits) -> Result<Self, PictureError> {
        let path = path.as_ref();
        let mut reader = BufReader::new(files::open(path)?);
        // What cannot be read at all, a folder for example, is no broken picture.
        reader.fill_buf().map_err(FileError::at(path))?;
        decode(reader, limits).map_err(PictureError::decode(path))
    }

    /// Decodes the bytes of a PNG, JPEG or WebP file within the default [`Limits`], as
    /// [`Self::open`] does.
    ///
    /// # Errors
    /// [`DecodeError`], which cannot name a file.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        decode(Cursor::new(bytes), Limits::default())
    }
}

fn decode(mut reader: impl BufRead + Seek, limits: Limits) -> Result<RgbImage, DecodeError> {
    let start = reader.fill_buf().unwrap_or_default();
    match start {
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => png::decode(reader, limits),
        [0xff, 0xd8, 0xff, ..] => jpeg::decode(reader, limits),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => {
            webp::decode(reader, limits)
        }
        [] => Err(DecodeError::Format { found: "nothing".into() }),
        other => {
            let start = &other[..other.len().min(8)];
            Err(DecodeError::Format { found: format!("\"{}\"", start.escape_ascii()) })
        }
    }
}

/// Gives a decoder's error the name of its format, for `map_err`.
fn broken<E: std::fmt::Display>(format: &'static str) -> impl Fn(E) -> DecodeError {
    move |error| DecodeError::Broken { format, reason: error.to_string() }
}

/// The first three channels of pixels with `channels` of them; one or two are grey and repeated.
fn to_rgb<T: Copy>(pixels: &[T], channels: usize, convert: impl Fn(T) -> u8) -> Vec<u8> {
    let pixels = pixels.chunks_exact(channels);
    match channels {
        1 | 2 => pixels.flat_map(|pixel| [convert(pixel[0]); 3]).collect(),
        _ => pixels.flat_map(|p| [p[0], p[1], p[2]]).map(convert).collect(),
    }
}
