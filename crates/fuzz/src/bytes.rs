//! Damage to bytes.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// Longest case.
const LONGEST: usize = 1 << 20;

/// Numbers on which arithmetic and allocations go wrong.
const NUMBERS: [u64; 14] = [
    0,
    1,
    0x7f,
    0x80,
    0xff,
    0x7fff,
    0xffff,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    0x1_0000_0000,
    0x7fff_ffff_ffff_ffff,
    0x8000_0000_0000_0000,
    0xffff_ffff_ffff_ffff,
];

/// Damages `bytes` in one to eight places; `other` is a file to take parts of.
pub fn damage(bytes: &mut Vec<u8>, other: &[u8], rng: &mut ChaCha8Rng) {
    for _ in 0..1 << rng.random_range(0..4) {
        once(bytes, other, rng);
    }
    bytes.truncate(LONGEST);
}

fn once(bytes: &mut Vec<u8>, other: &[u8], rng: &mut ChaCha8Rng) {
    let length = bytes.len();
    // Headers matter more than what follows.
    let reach = if rng.random_bool(0.5) { length.min(64) } else { length };
    let at = rng.random_range(0..=reach.min(length.saturating_sub(1)));
    let span = |rng: &mut ChaCha8Rng, most: usize| rng.random_range(0..=most.min(64));
    match rng.random_range(0..10) {
        0 if length > 0 => bytes[at] ^= 1 << rng.random_range(0..8),
        1 if length > 0 => bytes[at] = rng.random(),
        2 => bytes.insert(at.min(length), rng.random()),
        3 if length > 0 => {
            let count = span(rng, length - at);
            bytes.drain(at..at + count);
        }
        4 if length > 0 => bytes.truncate(rng.random_range(0..length)),
        5 => {
            let size = [1, 2, 4, 8][rng.random_range(0..4)];
            let number = NUMBERS[rng.random_range(0..NUMBERS.len())];
            let mut number = number.to_le_bytes()[..size].to_vec();
            if rng.random() {
                number.reverse();
            }
            let end = (at + size).min(length);
            bytes.splice(at.min(end)..end, number);
        }
        6 if length > 0 => {
            let part = bytes[at..at + span(rng, length - at)].to_vec();
            let to = rng.random_range(0..=length);
            bytes.splice(to..to, part);
        }
        7 if !other.is_empty() => {
            let from = rng.random_range(0..other.len());
            let count = span(rng, other.len() - from);
            let end = (at + count).min(length);
            bytes.splice(at.min(end)..end, other[from..from + count].iter().copied());
        }
        8 if length > 0 && length < LONGEST / 8 => {
            let part = bytes[at..at + span(rng, length - at)].to_vec();
            let times = 1 << rng.random_range(0..11);
            bytes.splice(at..at, part.repeat(times));
        }
        _ => bytes.extend((0..rng.random_range(0..32)).map(|_| rng.random::<u8>())),
    }
}
