//! Damaged copies of what a program has stored.

/// All copies of `bytes` of which one bit is another, from the first byte's lowest bit on.
pub fn flipped_bits(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> + '_ {
    (0..8 * bytes.len()).map(|bit| {
        let mut damaged = bytes.to_vec();
        damaged[bit / 8] ^= 1 << (bit % 8);
        damaged
    })
}
