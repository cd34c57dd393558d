//! Several computations at once, each on a thread of its own.

use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::workers::{STACK, worker_count};

/// Threads of which each runs a whole computation by itself.
///
/// A kernel for small tensors leaves most of its time in sharing its work out and waiting for it.
/// Where there are several computations of that kind, one of them on each thread keeps all
/// processors busy instead; the kernels' results are the same.
#[derive(Debug)]
pub struct Lanes {
    pools: Vec<Option<ThreadPool>>,
}

impl Lanes {
    /// `count` threads. One that the system does not give leaves its computations where they are
    /// asked for.
    pub fn new(count: usize) -> Self {
        let pool = |_| ThreadPoolBuilder::new().num_threads(1).stack_size(STACK).build().ok();
        Self { pools: (0..count).map(pool).collect() }
    }

    /// As many as the kernels' own threads.
    pub fn as_many_as_workers() -> Self {
        Self::new(worker_count())
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.pools.len()
    }

    /// What `work` gives for each lane, counted from 0, in their order.
    ///
    /// # Panics
    /// Where `work` does.
    pub fn map<R: Send>(&self, work: impl Fn(usize) -> R + Sync) -> Vec<R> {
        let work = &work;
        std::thread::scope(|scope| {
            let lanes: Vec<_> = (self.pools.iter().enumerate())
                .map(|(lane, pool)| {
                    scope.spawn(move || match pool {
                        Some(pool) => pool.install(|| work(lane)),
                        None => work(lane),
                    })
                })
                .collect();
            let join = |lane: std::thread::ScopedJoinHandle<'_, R>| match lane.join() {
                Ok(result) => result,
                Err(panic) => std::panic::resume_unwind(panic),
            };
            lanes.into_iter().map(join).collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Lanes;

    #[test]
    fn every_lane_has_one_thread_and_results_keep_their_order() {
        let threads = |lane: usize| (lane, rayon::current_num_threads());
        assert_eq!(Lanes::new(3).map(threads), [(0, 1), (1, 1), (2, 1)]);
    }
}
