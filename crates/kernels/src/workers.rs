//! Running a whole computation on the threads that its kernels use.

use rayon::ThreadPoolBuilder;

/// Stack of a worker: as large as a main thread's usually is.
pub(crate) const STACK: usize = 8 << 20;

/// Runs `work` on one of the threads that the kernels share, and waits for it.
///
/// A kernel that is called from any other thread hands its work over and is woken when it is done,
/// which for small models takes as long as the work: called from a worker it begins at once. A
/// program does so once, around all it computes.
///
/// # Panics
/// Where `work` does.
pub fn on_workers<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    // An error says that the threads are there already.
    let _ = ThreadPoolBuilder::new().stack_size(STACK).build_global();
    rayon::scope(|_| work())
}

/// How many threads share the kernels' work, seen from this one.
pub fn worker_count() -> usize {
    rayon::current_num_threads()
}

#[cfg(test)]
mod tests {
    use super::on_workers;

    #[test]
    fn work_runs_on_a_worker_and_gives_its_result_back() {
        assert!(rayon::current_thread_index().is_none());
        let inside = on_workers(|| on_workers(rayon::current_thread_index));
        assert!(inside.is_some());
    }
}
