//! What programs set as their global allocator.

use std::alloc::{GlobalAlloc, Layout};

use mimalloc::MiMalloc;

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

/// What mimalloc gives, once more after all idle memory went back to the system where it has none.
#[cfg(target_os = "linux")]
fn small(block: impl Fn() -> *mut u8) -> *mut u8 {
    let start = block();
    if !start.is_null() {
        return start;
    }
    crate::blocks::release_all();
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
        let block = crate::blocks::rounded(layout.size()).and_then(crate::blocks::take);
        block.map_or(std::ptr::null_mut(), |(start, _)| start.as_ptr())
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if !is_large(&layout) {
            // SAFETY: as above.
            return small(|| unsafe { MiMalloc.alloc_zeroed(layout) });
        }
        let block = crate::blocks::rounded(layout.size()).and_then(crate::blocks::take);
        let Some((start, zero)) = block else { return std::ptr::null_mut() };
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
        let len = crate::blocks::rounded(layout.size());
        if let (Some(start), Some(len)) = (std::ptr::NonNull::new(start), len) {
            // SAFETY: a block of this layout came from `blocks` with this length.
            unsafe { crate::blocks::give(start, len) };
        }
    }

    unsafe fn realloc(&self, start: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: the caller promises a size above 0 that does not overflow when rounded up to the
        // alignment.
        let new = unsafe { Layout::from_size_align_unchecked(new_size, layout.align()) };
        match (is_large(&layout), is_large(&new)) {
            // SAFETY: as above.
            (false, false) => {
                return small(|| unsafe { MiMalloc.realloc(start, layout, new_size) });
            }
            (true, true) => {
                let lengths = (
                    std::ptr::NonNull::new(start),
                    crate::blocks::rounded(layout.size()),
                    crate::blocks::rounded(new_size),
                );
                if let (Some(start), Some(old), Some(len)) = lengths {
                    // SAFETY: as in `dealloc`.
                    if let Some(moved) = unsafe { crate::blocks::resize(start, old, len) } {
                        return moved.as_ptr();
                    }
                }
            }
            _ => {}
        }
        // SAFETY: the layout is valid, as above.
        let moved = unsafe { self.alloc(new) };
        if !moved.is_null() {
            // SAFETY: both blocks have that many bytes and are different; the old one is the
            // caller's to give back.
            unsafe {
                std::ptr::copy_nonoverlapping(start, moved, layout.size().min(new_size));
                self.dealloc(start, layout);
            }
        }
        moved
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
