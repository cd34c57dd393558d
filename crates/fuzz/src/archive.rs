//! Damage to the entries of zip archives, packed again so that their checksums are right.

use std::io::{Cursor, Read, Write};

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use crate::bytes;

/// An archive of `entries`.
pub fn pack(entries: &[(String, Vec<u8>)], method: CompressionMethod) -> anyhow::Result<Vec<u8>> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in entries {
        let options = SimpleFileOptions::default().compression_method(method);
        archive.start_file(name.as_str(), options)?;
        archive.write_all(content)?;
    }
    Ok(archive.finish()?.into_inner())
}

fn unpack(file: &[u8]) -> anyhow::Result<Vec<(String, Vec<u8>)>> {
    let mut archive = ZipArchive::new(Cursor::new(file))?;
    (0..archive.len())
        .map(|at| {
            let mut entry = archive.by_index(at)?;
            let mut content = Vec::new();
            entry.read_to_end(&mut content)?;
            Ok((entry.name()?.to_string(), content))
        })
        .collect()
}

/// Damages entries of the archive `file`.
pub fn damage(file: &[u8], other: &[u8], rng: &mut ChaCha8Rng) -> Option<Vec<u8>> {
    let mut entries = unpack(file).ok().filter(|entries| !entries.is_empty())?;
    let at = rng.random_range(0..entries.len());
    match rng.random_range(0..10) {
        0 => drop(entries.remove(at)),
        1 => {
            let (name, content) = entries[at].clone();
            entries.push((format!("a/{name}"), content));
        }
        2 => {
            let to = rng.random_range(0..entries.len());
            entries[at].1 = entries[to].1.clone();
        }
        3 => {
            let count = 1 << rng.random_range(0..20);
            entries[at].1.resize(count, 0);
        }
        _ => bytes::damage(&mut entries[at].1, other, rng),
    }
    let stored = rng.random_bool(0.7);
    let method = if stored { CompressionMethod::Stored } else { CompressionMethod::Deflated };
    pack(&entries, method).ok()
}
