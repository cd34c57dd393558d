//! Buffers that every thread keeps from one task to the next: fresh memory would be cleared by the
//! operating system each time.

use std::cell::RefCell;
use std::ops::{Deref, DerefMut};

/// Elements a thread keeps at most, over all its idle buffers: 32 MiB.
const MOST_KEPT: usize = 1 << 23;

thread_local! {
    static IDLE: RefCell<Vec<Vec<f32>>> = const { RefCell::new(Vec::new()) };
}

/// A buffer of this thread, given back when dropped. What it holds at first is any f32 values.
#[derive(Debug)]
pub(crate) struct Scratch {
    buffer: Vec<f32>,
    len: usize,
}

impl Scratch {
    /// A buffer of `len` elements.
    pub(crate) fn new(len: usize) -> Self {
        let found = IDLE.with_borrow_mut(|idle| {
            // The smallest that suffices; else the largest makes room for a larger one.
            let fitting = idle.partition_point(|buffer| buffer.len() < len);
            if fitting < idle.len() {
                return Some(idle.remove(fitting));
            }
            idle.pop();
            None
        });
        Self { buffer: found.unwrap_or_else(|| vec![0.0; len]), len }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let buffer = std::mem::take(&mut self.buffer);
        // A thread that ends has no list any more; the buffer is freed then.
        let _ = IDLE.try_with(|idle| {
            let mut idle = idle.borrow_mut();
            let kept: usize = idle.iter().map(Vec::len).sum();
            if kept + buffer.len() <= MOST_KEPT {
                let place = idle.partition_point(|other| other.len() < buffer.len());
                idle.insert(place, buffer);
            }
        });
    }
}

impl Deref for Scratch {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.buffer[..self.len]
    }
}

impl DerefMut for Scratch {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.buffer[..self.len]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_are_used_again_and_two_at_once_are_two() {
        let mut first = Scratch::new(100);
        first.fill(1.0);
        let place = first.as_ptr();
        let mut second = Scratch::new(50);
        second.fill(2.0);
        assert!(first.iter().all(|value| *value == 1.0));
        drop(first);
        let again = Scratch::new(80);
        assert_eq!(again.as_ptr(), place);
        assert_eq!((again.len(), second.len()), (80, 50));
    }

    #[test]
    fn more_than_a_thread_keeps_is_freed() {
        drop(Scratch::new(MOST_KEPT + 1));
        let kept: usize = IDLE.with_borrow(|idle| idle.iter().map(Vec::len).sum());
        assert!(kept <= MOST_KEPT);
    }
}
