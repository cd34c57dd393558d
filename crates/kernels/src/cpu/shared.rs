/// An output that parallel tasks write disjoint parts of.
#[derive(Clone, Copy)]
pub(crate) struct SharedOut(pub(crate) *mut f32);

// SAFETY: whoever writes promises that tasks write disjoint elements.
unsafe impl Send for SharedOut {}
// SAFETY: as above.
unsafe impl Sync for SharedOut {}

impl SharedOut {
    /// # Safety
    /// The range must lie in the allocation, and no other task may touch it.
    pub(crate) unsafe fn write(self, start: usize, values: &[f32]) {
        // SAFETY: as the caller promises.
        unsafe { self.0.add(start).copy_from_nonoverlapping(values.as_ptr(), values.len()) };
    }
}
