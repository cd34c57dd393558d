//! What programs set as their global allocator.

use std::alloc::{GlobalAlloc, Layout};
#[cfg(target_os = "linux")]
use std::ptr::NonNull;
#[cfg(target_os = "linux")]
use std::sync::atomic::{AtomicBool, Ordering};

use mimalloc::MiMalloc;

#[cfg(target_os = "linux")]
use crate::blocks;

/// mimalloc for what is small; on Linux blocks of 1 MiB and more come from pages of their own.
///
/// Such blocks are reused as long as all of them together, idle ones included, stay within what
/// was in use at once at some time and 16 MiB, so a program's peak of memory is what it needs.
#[derive(Debug, Clone, Copy, Default)]
pub struct Allocator;

/// Bytes from which on blocks are held apart.
#[cfg(target_os = "linux")]
const LARGE: usize = 1 << 20;

#[cfg(target_os = "linux")]
fn is_large(layout: &Layout) -> bool {
    // Blocks start at pages, which have at least 4 KiB.
    layout.size() >= LARGE && layout.align() <= 4096
}

/// Address space that mimalloc reserves at once: 64 MiB. Its own gigabyte is meant for large blocks
/// too, and where addresses are limited it would leave none for those that are held apart.
#[cfg(target_os = "linux")]
const RESERVE_KIB: std::ffi::c_long = 64 << 10;

/// `mi_option_arena_reserve` of mimalloc's header, the same in its versions 2 and 3.
#[cfg(target_os = "linux")]
const ARENA_RESERVE: libmimalloc_sys::mi_option_t = 23;

/// What mimalloc gives, once more after all idle memory went back to the system where it has none.
#[cfg(target_os = "linux")]
fn small(block: impl Fn() -> *mut u8) -> *mut u8 {
    static IS_SET: AtomicBool = AtomicBool::new(false);
    if !IS_SET.load(Ordering::Relaxed) {
        // SAFETY: writes one number of mimalloc's, which does not change while it has one from the
        // environment. Threads that come here at once write the same.
        unsafe { libmimalloc_sys::mi_option_set_default(ARENA_RESERVE, RESERVE_KIB) };
        IS_SET.store(true, Ordering::Relaxed);
    }
    let start = block();
    if !start.is_null() {
        return start;
    }
    blocks::release_all();
    block()
}

// SAFETY: small blocks are mimalloc's in all four functions, as `is_large` depends on the layout
// alone; large ones are whole pages that nobody else has, as `blocks` promises.
#[cfg(target_os = "linux")]
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if !is_large(&layout) {
            // SAFETY: the caller's promises are mimalloc's conditions.
            return small(|| unsafe { MiMalloc.alloc(layout) });
        }
        blocks::take(layout.size()).map_or(std::ptr::null_mut(), |(start, _)| start.as_ptr())
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if !is_large(&layout) {
            // SAFETY: as above.
            return small(|| unsafe { MiMalloc.alloc_zeroed(layout) });
        }
        let Some((start, zero)) = blocks::take(layout.size()) else { return std::ptr::null_mut() };
        if !zero {
            // SAFETY: the block has at least that many bytes, and is this caller's.
            unsafe { start.write_bytes(0, layout.size()) };
        }
        start.as_ptr()
    }

    unsafe fn dealloc(&self, start: *mut u8, layout: Layout) {
        if !is_large(&layout) {
            // SAFETY: as above.
            return unsafe { MiMalloc.dealloc(start, layout) };
        }
        if let Some(start) = NonNull::new(start) {
            // SAFETY: a block of this layout came from `blocks` with this size.
            unsafe { blocks::give(start, layout.size()) };
        }
    }

    unsafe fn realloc(&self, start: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: the caller promises a size above 0 that does not overflow when rounded up to the
        // alignment.
        let new = unsafe { Layout::from_size_align_unchecked(new_size, layout.align()) };
        let moved = match (is_large(&layout), is_large(&new)) {
            // SAFETY: as above.
            (false, false) => {
                return small(|| unsafe { MiMalloc.realloc(start, layout, new_size) });
            }
            // SAFETY: as in `dealloc`.
            (true, true) => NonNull::new(start)
                .and_then(|start| unsafe { blocks::resize(start, layout.size(), new_size) }),
            _ => None,
        };
        if let Some(moved) = moved {
            return moved.as_ptr();
        }
        // SAFETY: the layout is valid, as above.
        let other = unsafe { self.alloc(new) };
        if !other.is_null() {
            // SAFETY: both blocks have that many bytes and are different; the old one is the
            // caller's to give back.
            unsafe {
                std::ptr::copy_nonoverlapping(start, other, layout.size().min(new_size));
                self.dealloc(start, layout);
            }
        }
        other
    }
}

// SAFETY: all of it is mimalloc's.
#[cfg(not(target_os = "linux"))]
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises are mimalloc's conditions, here and below.
        unsafe { MiMalloc.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        unsafe { MiMalloc.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, start: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { MiMalloc.dealloc(start, layout) }
    }

    unsafe fn realloc(&self, start: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: as above.
        unsafe { MiMalloc.realloc(start, layout, new_size) }
    }
}
