//! Blocks of all sizes keep what is written into them, on several threads, however they grow.

use std::sync::{Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;

use allocator::Allocator;
use proptest::prelude::*;

#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

const MIB: usize = 1 << 20;

/// One test at a time: one of them looks at the memory of the whole process.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Physical memory of this process in bytes.
#[cfg(target_os = "linux")]
fn resident() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

fn filled(len: usize, seed: usize) -> Vec<u32> {
    (0..len).map(|place| (place * 31 + seed) as u32).collect()
}

fn holds(block: &[u32], seed: usize) -> bool {
    block.iter().enumerate().all(|(place, value)| *value == (place * 31 + seed) as u32)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn blocks_keep_what_is_in_them(
        steps in prop::collection::vec((0_u8..4, 0_usize..8, 1_usize..700_000), 1..40),
    ) {
        let _alone = alone();
        let mut held: Vec<(Vec<u32>, usize)> = Vec::new();
        for (seed, (kind, which, len)) in steps.into_iter().enumerate() {
            match kind {
                0 | 1 => held.push((filled(len, seed), seed)),
                2 if !held.is_empty() => {
                    let which = which % held.len();
                    drop(held.swap_remove(which));
                }
                3 if !held.is_empty() => {
                    // Larger or smaller, below or above what counts as large.
                    let which = which % held.len();
                    let (block, seed) = &mut held[which];
                    let before = block.len();
                    block.truncate(len);
                    block.shrink_to_fit();
                    block.extend((before.min(len)..len).map(|place| (place * 31 + *seed) as u32));
                }
                _ => {}
            }
            prop_assert!(held.iter().all(|(block, seed)| holds(block, *seed)));
        }
    }
}

#[test]
fn zeroed_blocks_are_zero_when_used_again() {
    let _alone = alone();
    for len in [MIB, 3 * MIB + 5, MIB, 2 * MIB, 17 * MIB] {
        let mut block = vec![0_u8; len];
        assert!(block.iter().all(|byte| *byte == 0));
        block.fill(0xAB);
    }
}

#[test]
fn blocks_go_from_thread_to_thread() {
    let _alone = alone();
    let (sender, receiver) = mpsc::sync_channel::<(Vec<u32>, usize)>(4);
    let makers: Vec<_> = (0..4)
        .map(|maker| {
            let sender = sender.clone();
            thread::spawn(move || {
                for turn in 0..40 {
                    let seed = maker * 1000 + turn;
                    let len = 200_000 + (seed * 7919) % 900_000;
                    sender.send((filled(len, seed), seed)).unwrap();
                }
            })
        })
        .collect();
    drop(sender);
    assert_eq!(receiver.iter().filter(|(block, seed)| holds(block, *seed)).count(), 160);
    makers.into_iter().for_each(|maker| maker.join().unwrap());
}

#[cfg(target_os = "linux")]
#[test]
fn no_more_is_held_than_was_needed_at_once() {
    let _alone = alone();
    let before = resident();
    // A block after the other, each of its own size: 600 MiB in all, 40 at once.
    for turn in 0..20 {
        let block = filled((20 + turn) * MIB / 4, turn);
        assert!(holds(&block, turn));
    }
    assert!(resident() < before + 90 * MIB, "{} and {}", before / MIB, resident() / MIB);
}

/// Addresses of this process in bytes.
#[cfg(target_os = "linux")]
fn addresses() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').next().unwrap().parse::<usize>().unwrap() * 4096
}

#[cfg(target_os = "linux")]
#[test]
fn small_blocks_leave_addresses_to_large_ones() {
    let _alone = alone();
    let before = addresses();
    let blocks: Vec<_> = (0..100_000).map(|seed| filled(100, seed)).collect();
    assert!(blocks.iter().enumerate().all(|(seed, block)| holds(block, seed)));
    assert!(addresses() < before + 200 * MIB, "{} and {}", before / MIB, addresses() / MIB);
    // mimalloc alone reserves a gigabyte before the first block.
    assert!(before < 900 * MIB, "{}", before / MIB);
}
