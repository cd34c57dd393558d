//! Which files are results of this program, known by what is in them.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use pipeline::CHECKPOINT_METADATA;
use serde_json::Value;

use super::seal::is_sealed;

/// Longest JSON file that is looked into.
const LONGEST_JSON: u64 = 256 << 20;

/// What a file that is written is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A picture: PNG with the record of how it was made.
    Picture,
    /// The record beside a picture.
    Record,
    /// A map of differences: PNG with our mark.
    Map,
    /// Noise and latents in safetensors.
    Latents,
    /// A model in one file, with our mark.
    Checkpoint,
    /// A probe's result, or an importance map.
    ProbeResult,
    /// Measured effects.
    Effects,
    /// The page about a prompt's blocks.
    Page,
    /// What it shows.
    Explanation,
    /// A probe's table.
    ProbeTable,
    /// A probe's drawing.
    ProbeDrawing,
    /// The result of a fit.
    FitResult,
    /// The result of a search of weights.
    TuneResult,
    /// A schedule with a seal, which tells whether people changed it by hand.
    SealedSchedule,
    /// A schedule, which people may have written or changed by hand.
    Schedule,
    /// Statistics of pictures, which other programs write too.
    Statistics,
}

impl Kind {
    /// Keyword of the text in maps of differences.
    pub const MAP_KEYWORD: &str = "unet-reweight map";

    /// Whether the name ends as that of such a file must.
    pub fn check_name(self, path: &Path) -> Result<(), String> {
        let end = match self {
            Self::Picture | Self::Map => "png",
            Self::Checkpoint => "safetensors",
            _ => return Ok(()),
        };
        if path.extension().is_some_and(|found| found.eq_ignore_ascii_case(end)) {
            return Ok(());
        }
        Err(format!("expected the name of a {self} to end in `.{end}`, found `{}`", path.display()))
    }

    /// Whether a file is such a result of this program, and so may be written anew.
    pub fn is_ours(self, path: &Path) -> bool {
        match self {
            Self::Picture => has_text(path, "unet-reweight"),
            Self::Map => has_text(path, Self::MAP_KEYWORD),
            Self::Record => json_has(path, &["model_sha256", "intervention", "version"]),
            Self::Latents => holds_latents(path),
            Self::Checkpoint => is_checkpoint(path),
            Self::ProbeResult => {
                json_has(path, &["facts", "importance", "ranking"])
                    || json_has(path, &["facts", "method", "scores", "ranking"])
            }
            Self::Effects => json_has(path, &["facts", "latents", "psnr"]),
            Self::Page => begins_with(path, b"<!doctype html>", PAGE),
            Self::Explanation => json_has(path, &["facts", "blocks", "importance", "pictures"]),
            Self::ProbeTable => TABLES.iter().any(|header| starts_with(path, header)),
            Self::ProbeDrawing => begins_with(path, b"<svg xmlns=", DRAWING),
            Self::FitResult => json_has(path, &["facts", "plan", "groups", "fitted"]),
            Self::TuneResult => json_has(path, &["facts", "settings", "trials", "summary"]),
            Self::SealedSchedule => is_sealed(path),
            Self::Schedule | Self::Statistics => false,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Picture => "picture",
            Self::Record => "record of a picture",
            Self::Map => "map of differences",
            Self::Latents => "file of latents",
            Self::Checkpoint => "checkpoint",
            Self::ProbeResult | Self::Effects | Self::ProbeTable | Self::ProbeDrawing => {
                "result of a probe"
            }
            Self::Page | Self::Explanation => "page about a prompt",
            Self::FitResult => "result of a fit",
            Self::TuneResult => "result of a search of weights",
            Self::SealedSchedule => "unchanged result",
            Self::Schedule => "mere result",
            Self::Statistics => "mere result",
        })
    }
}

/// The first bytes of a file, at most `most`.
fn head(path: &Path, most: u64) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(most).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

/// What a page of ours says in its first lines.
const PAGE: &[u8] = b"<meta name=\"generator\" content=\"unet-reweight explain\">";
/// How the drawings of ours are set up.
const DRAWING: &[u8] = b"font-family=\"sans-serif\" font-size=\"12\">";
/// The headers of our tables, earlier ones among them.
const TABLES: [&[u8]; 2] =
    [b"step,block,path,importance,low,high", b"step,block,path,latents,psnr,score,lpips\n"];

/// Whether a file begins so, and holds `mark` among its first bytes.
fn begins_with(path: &Path, beginning: &[u8], mark: &[u8]) -> bool {
    head(path, 512).is_some_and(|bytes| {
        bytes.starts_with(beginning) && bytes.windows(mark.len()).any(|window| window == mark)
    })
}

fn starts_with(path: &Path, beginning: &[u8]) -> bool {
    head(path, beginning.len() as u64).is_some_and(|bytes| bytes == beginning)
}

/// Whether a PNG has a text chunk of that keyword before its pixels.
fn has_text(path: &Path, keyword: &str) -> bool {
    let find = || -> io::Result<bool> {
        let mut file = BufReader::new(File::open(path)?);
        let mut signature = [0; 8];
        file.read_exact(&mut signature)?;
        if signature != *b"\x89PNG\r\n\x1a\n" {
            return Ok(false);
        }
        // Length, kind, data, checksum.
        let (mut length, mut kind) = ([0; 4], [0; 4]);
        loop {
            file.read_exact(&mut length)?;
            file.read_exact(&mut kind)?;
            let length = i64::from(u32::from_be_bytes(length));
            let name = keyword.len() as i64 + 1;
            let mut read = 0;
            match &kind {
                b"iTXt" | b"tEXt" if length >= name => {
                    let mut start = vec![0; keyword.len() + 1];
                    file.read_exact(&mut start)?;
                    if start.strip_suffix(&[0]) == Some(keyword.as_bytes()) {
                        return Ok(true);
                    }
                    read = name;
                }
                b"IDAT" | b"IEND" => return Ok(false),
                _ => {}
            }
            file.seek_relative(length - read + 4)?;
        }
    };
    find().unwrap_or(false)
}

fn json_has(path: &Path, keys: &[&str]) -> bool {
    let small = std::fs::metadata(path).is_ok_and(|metadata| metadata.len() <= LONGEST_JSON);
    let text = small.then(|| std::fs::read(path).ok()).flatten().unwrap_or_default();
    let value: Value = serde_json::from_slice(&text).unwrap_or_default();
    keys.iter().all(|key| value.get(key).is_some())
}

/// Whether the header of a safetensors file names noise and latents, and nothing else.
fn holds_latents(path: &Path) -> bool {
    let Some(bytes) = head(path, 4096) else { return false };
    let Some((length, rest)) = bytes.split_first_chunk::<8>() else { return false };
    let header = usize::try_from(u64::from_le_bytes(*length)).ok().and_then(|end| rest.get(..end));
    let header: Value = serde_json::from_slice(header.unwrap_or_default()).unwrap_or_default();
    header.as_object().is_some_and(|names| names.keys().eq(["latents", "noise"]))
}

/// Whether the header of a safetensors file begins with the mark of our checkpoints.
fn is_checkpoint(path: &Path) -> bool {
    let metadata: BTreeMap<&str, &str> = CHECKPOINT_METADATA.into();
    let mark = format!("{{\"__metadata__\":{}", serde_json::json!(metadata));
    head(path, 8 + mark.len() as u64).is_some_and(|bytes| bytes.ends_with(mark.as_bytes()))
}
