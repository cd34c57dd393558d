//! An output that parallel tasks write disjoint parts of.

use std::marker::PhantomData;
use std::mem::MaybeUninit;

/// A borrowed output whose parts are written by several tasks at once.
///
/// It knows where the output ends and cannot outlive it; that no two tasks write the same element
/// is what they promise.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DisjointOut<'a> {
    start: *mut f32,
    len: usize,
    output: PhantomData<&'a mut [f32]>,
}

// SAFETY: all that can be done with it is unsafe, and its callers promise that no two tasks touch
// the same element; the elements themselves may go from thread to thread.
unsafe impl Send for DisjointOut<'_> {}
// SAFETY: as above.
unsafe impl Sync for DisjointOut<'_> {}

impl<'a> DisjointOut<'a> {
    /// Takes `output` for as long as tasks write to it.
    pub(crate) fn new(output: &'a mut [f32]) -> Self {
        Self { start: output.as_mut_ptr(), len: output.len(), output: PhantomData }
    }

    /// Copies `values` to the elements from `first` on.
    ///
    /// # Panics
    /// Where the output has no such elements.
    ///
    /// # Safety
    /// No two calls for one output may have elements in common.
    #[inline(always)]
    pub(crate) unsafe fn write(&self, first: usize, values: &[f32]) {
        const LINE: usize = 16;
        let start = self.start(first, values.len());
        if values.len() == LINE {
            // SAFETY: as below; the fixed length spares a call.
            unsafe { start.copy_from_nonoverlapping(values.as_ptr(), LINE) };
            return;
        }
        // SAFETY: the range lies in the output, which `self` borrows mutably, so that `values`
        // cannot overlap it; nobody else writes there, as the caller promises.
        unsafe { start.copy_from_nonoverlapping(values.as_ptr(), values.len()) };
    }

    /// A pointer to element `first`, from which on there are `count` elements.
    ///
    /// # Panics
    /// Where the output has no such elements.
    #[inline(always)]
    pub(crate) fn start(&self, first: usize, count: usize) -> *mut f32 {
        let end = first.checked_add(count);
        assert!(
            end.is_some_and(|end| end <= self.len),
            "elements {first}.. of {count} in an output of {}",
            self.len
        );
        // SAFETY: the range lies in the output, as asserted.
        unsafe { self.start.add(first) }
    }
}

/// An output that is not cleared before it is written.
#[derive(Debug)]
pub(crate) struct Unwritten {
    values: Vec<f32>,
    len: usize,
}

impl Unwritten {
    /// Room for `len` elements.
    pub(crate) fn new(len: usize) -> Self {
        Self { values: Vec::with_capacity(len), len }
    }

    /// The elements, for tasks that write before they read.
    pub(crate) fn shared(&mut self) -> DisjointOut<'_> {
        DisjointOut { start: self.values.as_mut_ptr(), len: self.len, output: PhantomData }
    }

    /// The elements, for code that cannot read them.
    pub(crate) fn cells(&mut self) -> &mut [MaybeUninit<f32>] {
        &mut self.values.spare_capacity_mut()[..self.len]
    }

    /// The output.
    ///
    /// # Safety
    /// Every element must have been written.
    pub(crate) unsafe fn written(mut self) -> Vec<f32> {
        // SAFETY: there is room for as many, and they are values, as the caller promises.
        unsafe { self.values.set_len(self.len) };
        self.values
    }
}

#[cfg(test)]
mod tests {
    use super::{DisjointOut, Unwritten};

    #[test]
    fn unwritten_holds_what_was_written_in_both_ways() {
        let mut output = Unwritten::new(3);
        output.cells()[1..].fill(std::mem::MaybeUninit::new(2.0));
        // SAFETY: no other call writes there.
        unsafe { output.shared().write(0, &[1.0]) };
        // SAFETY: all three have been written.
        assert_eq!(unsafe { output.written() }, [1.0, 2.0, 2.0]);
    }

    #[test]
    fn write_ranges_inside_are_written_and_others_panic() {
        let mut values = [0.0; 4];
        let output = DisjointOut::new(&mut values);
        // SAFETY: the two ranges have nothing in common.
        unsafe {
            output.write(0, &[1.0]);
            output.write(2, &[3.0, 4.0]);
        }
        for (first, count) in [(3, 2), (4, 1), (usize::MAX, 2)] {
            let outside = std::panic::AssertUnwindSafe(|| {
                // SAFETY: nothing is written; the range is refused.
                unsafe { output.write(first, &[9.0, 9.0][..count]) };
            });
            assert!(std::panic::catch_unwind(outside).is_err(), "{first}");
        }
        assert_eq!(values, [1.0, 0.0, 3.0, 4.0]);
    }
}
