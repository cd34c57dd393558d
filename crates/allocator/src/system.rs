//! Pages from and to the operating system.

use std::ptr::NonNull;

/// Bytes of a page, and so of what blocks are multiples of; larger pages are multiples of it.
pub(crate) fn page() -> usize {
    // SAFETY: reads a constant of the system.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(page).unwrap_or(1 << 16)
}

/// `len` bytes of fresh memory, all zero, in huge pages where the system has them and they fit.
pub(crate) fn map(len: usize) -> Option<NonNull<u8>> {
    // SAFETY: a new private mapping at an address that the system chooses touches nobody's memory.
    let start = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            len,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            -1,
            0,
        )
    };
    if start == libc::MAP_FAILED {
        return None;
    }
    // SAFETY: advice about pages that were just mapped; that it may be refused does no harm.
    unsafe { libc::madvise(start, len, libc::MADV_HUGEPAGE) };
    NonNull::new(start.cast())
}

/// Gives pages back.
///
/// # Safety
/// The range must have come from [`map`] or [`remap`], as a whole or in parts, and nobody may use
/// it any more.
pub(crate) unsafe fn unmap(start: usize, len: usize) {
    // SAFETY: as the caller promises. It fails only where the system cannot split a mapping; the
    // pages then stay, unused.
    unsafe { libc::munmap(start as *mut libc::c_void, len) };
}

/// Why pages were not moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// The system has no memory, or no addresses, left.
    NoMemory,
    /// They belong to several mappings.
    Divided,
}

/// Moves a block's pages to where there is room for `len` bytes, without copying them, or leaves
/// it where it is.
///
/// # Safety
/// The range must have come from [`map`] or [`remap`] and be the caller's; after success only the
/// new one is.
pub(crate) unsafe fn remap(
    start: NonNull<u8>,
    old: usize,
    len: usize,
) -> Result<NonNull<u8>, Refused> {
    // SAFETY: as the caller promises.
    let moved = unsafe { libc::mremap(start.as_ptr().cast(), old, len, libc::MREMAP_MAYMOVE) };
    if moved == libc::MAP_FAILED {
        let reason = std::io::Error::last_os_error().raw_os_error();
        let full = reason == Some(libc::ENOMEM);
        return Err(if full { Refused::NoMemory } else { Refused::Divided });
    }
    NonNull::new(moved.cast()).ok_or(Refused::Divided)
}
