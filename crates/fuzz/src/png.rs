//! Damage to PNG files, in chunks whose checksums are right.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use crate::bytes;

const SIGNATURE: usize = 8;

/// One chunk: its type and its data.
type Chunk = ([u8; 4], Vec<u8>);

/// The chunks of a whole file; nothing where it is damaged already.
fn chunks(file: &[u8]) -> Option<Vec<Chunk>> {
    let mut rest = file.get(SIGNATURE..)?;
    let mut chunks = Vec::new();
    while !rest.is_empty() {
        let length = u32::from_be_bytes(rest.get(..4)?.try_into().ok()?) as usize;
        let kind = rest.get(4..8)?.try_into().ok()?;
        chunks.push((kind, rest.get(8..8 + length)?.to_vec()));
        rest = rest.get(12 + length..)?;
    }
    Some(chunks)
}

/// Damages one chunk or the order of chunks.
pub fn damage(file: &[u8], other: &[u8], rng: &mut ChaCha8Rng) -> Option<Vec<u8>> {
    let mut chunks = chunks(file).filter(|chunks| !chunks.is_empty())?;
    let at = rng.random_range(0..chunks.len());
    match rng.random_range(0..6) {
        0 => drop(chunks.remove(at)),
        1 => chunks.insert(at, chunks[at].clone()),
        2 => {
            let last = chunks.len() - 1;
            chunks.swap(at, last);
        }
        3 => {
            const KINDS: [&[u8; 4]; 9] =
                [b"tEXt", b"iTXt", b"zTXt", b"PLTE", b"tRNS", b"acTL", b"fcTL", b"iCCP", b"IDAT"];
            chunks[at].0 = *KINDS[rng.random_range(0..KINDS.len())];
        }
        4 => bytes::damage(&mut chunks[0].1, other, rng),
        _ => bytes::damage(&mut chunks[at].1, other, rng),
    }
    let mut out = file[..SIGNATURE].to_vec();
    for (kind, data) in chunks {
        out.extend((data.len() as u32).to_be_bytes());
        out.extend(kind);
        out.extend(&data);
        let mut checksum = crc32fast::Hasher::new();
        checksum.update(&kind);
        checksum.update(&data);
        out.extend(checksum.finalize().to_be_bytes());
    }
    Some(out)
}
