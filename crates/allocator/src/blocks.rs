//! Large blocks, and how much idle memory is kept for the next ones.

use std::ptr::NonNull;
use std::sync::{Mutex, MutexGuard, OnceLock};

use crate::idle::Idle;
use crate::system;

/// What may be held above the most that was ever in use at once: 16 MiB.
const SLACK: usize = 16 << 20;

/// All large blocks of the process.
static BLOCKS: Mutex<Blocks> = Mutex::new(Blocks { idle: Idle::new(), used: 0, most_used: 0 });

#[derive(Debug)]
struct Blocks {
    idle: Idle,
    used: usize,
    most_used: usize,
}

impl Blocks {
    fn lock() -> MutexGuard<'static, Self> {
        BLOCKS.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Whether what is held stays within the limit.
    fn is_within(&self) -> bool {
        let most = self.most_used.max(self.used);
        self.used.saturating_add(self.idle.total()) <= most.saturating_add(SLACK)
    }

    fn note(&mut self) {
        self.most_used = self.most_used.max(self.used);
    }
}

/// Whole pages for `size` bytes; at most `isize::MAX`, as of every [`std::alloc::Layout`], so that
/// nothing overflows.
fn rounded(size: usize) -> usize {
    static PAGE: OnceLock<usize> = OnceLock::new();
    size.next_multiple_of(*PAGE.get_or_init(system::page))
}

/// A block of `size` bytes, and whether it is known to be all zero.
pub(crate) fn take(size: usize) -> Option<(NonNull<u8>, bool)> {
    let len = rounded(size);
    taken(len).or_else(|| {
        release_all();
        taken(len)
    })
}

fn taken(len: usize) -> Option<(NonNull<u8>, bool)> {
    let mut blocks = Blocks::lock();
    blocks.used = blocks.used.saturating_add(len);
    if let Some(start) = blocks.idle.take(len) {
        blocks.note();
        return NonNull::new(start as *mut u8).map(|start| (start, false));
    }
    drop(blocks);
    release(Blocks::is_within);
    let fresh = system::map(len);
    let mut blocks = Blocks::lock();
    match fresh {
        Some(_) => blocks.note(),
        None => blocks.used -= len,
    }
    fresh.map(|start| (start, true))
}

/// Takes back a block of `size` bytes.
///
/// # Safety
/// It must have come from [`take`] or [`resize`] with that size, and nobody may use it any more.
pub(crate) unsafe fn give(start: NonNull<u8>, size: usize) {
    let len = rounded(size);
    let mut blocks = Blocks::lock();
    blocks.used -= len;
    let oldest = if blocks.idle.is_full() { blocks.idle.take_oldest() } else { None };
    blocks.idle.insert(start.as_ptr() as usize, len);
    drop(blocks);
    if let Some(range) = oldest {
        // SAFETY: as in `release`.
        unsafe { system::unmap(range.start, range.len) };
    }
    release(Blocks::is_within);
}

/// Makes a block of `old` bytes one of `new`, elsewhere perhaps, without copying, or returns
/// `None` and leaves it.
///
/// # Safety
/// As for [`give`]; after success only the new block may be used.
pub(crate) unsafe fn resize(start: NonNull<u8>, old: usize, new: usize) -> Option<NonNull<u8>> {
    let (old, len) = (rounded(old), rounded(new));
    if old == len {
        return Some(start);
    }
    // SAFETY: blocks consist of pages of `system::map`, and this one is the caller's.
    let moved = match unsafe { system::remap(start, old, len) } {
        Err(system::Refused::NoMemory) => {
            release_all();
            // SAFETY: as above; nothing has moved.
            unsafe { system::remap(start, old, len) }
        }
        result => result,
    };
    let moved = moved.ok()?;
    let mut blocks = Blocks::lock();
    blocks.used = blocks.used - old + len;
    blocks.note();
    drop(blocks);
    release(Blocks::is_within);
    Some(moved)
}

/// Gives all idle memory back to the system.
pub(crate) fn release_all() {
    release(|blocks| blocks.idle.total() == 0);
}

/// Gives idle memory back to the system, oldest first, until it is `enough`.
fn release(enough: impl Fn(&Blocks) -> bool) {
    loop {
        let mut blocks = Blocks::lock();
        if enough(&blocks) {
            return;
        }
        let Some(range) = blocks.idle.take_oldest() else { return };
        drop(blocks);
        // SAFETY: idle ranges are made of blocks that were given back; nobody else has this one
        // since it left the list.
        unsafe { system::unmap(range.start, range.len) };
    }
}
