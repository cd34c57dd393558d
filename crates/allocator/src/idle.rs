//! Memory that nobody uses at the moment, as ranges of addresses.

/// Ranges that are told apart at most.
const MOST: usize = 256;

/// A range of addresses, and when it became idle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) start: usize,
    pub(crate) len: usize,
    since: u64,
}

impl Range {
    fn end(&self) -> usize {
        self.start + self.len
    }
}

/// Idle ranges by address; no two touch. It never allocates.
#[derive(Debug)]
pub(crate) struct Idle {
    ranges: [Range; MOST],
    count: usize,
    total: usize,
    clock: u64,
}

impl Idle {
    /// Without any range.
    pub(crate) const fn new() -> Self {
        let none = Range { start: 0, len: 0, since: 0 };
        Self { ranges: [none; MOST], count: 0, total: 0, clock: 0 }
    }

    /// Bytes of all ranges.
    pub(crate) fn total(&self) -> usize {
        self.total
    }

    /// `true` where another range might find no place.
    pub(crate) fn is_full(&self) -> bool {
        self.count == MOST
    }

    /// The ranges, by address.
    pub(crate) fn ranges(&self) -> &[Range] {
        &self.ranges[..self.count]
    }

    /// Adds `len` bytes from `start` on, joined with the ranges that they touch.
    ///
    /// # Panics
    /// Where it is full; see [`Self::is_full`].
    pub(crate) fn insert(&mut self, start: usize, len: usize) {
        self.clock += 1;
        self.total += len;
        let mut range = Range { start, len, since: self.clock };
        let place = self.ranges().partition_point(|other| other.start < start);
        if place < self.count && range.end() == self.ranges[place].start {
            range.len += self.ranges[place].len;
            self.remove(place);
        }
        if place > 0 && self.ranges[place - 1].end() == start {
            range.start = self.ranges[place - 1].start;
            range.len += self.ranges[place - 1].len;
            self.ranges[place - 1] = range;
            return;
        }
        self.ranges.copy_within(place..self.count, place + 1);
        self.ranges[place] = range;
        self.count += 1;
    }

    /// Takes `len` bytes from the smallest range that has them; of equal ones from the one that
    /// became idle last, whose memory may still be in a cache.
    pub(crate) fn take(&mut self, len: usize) -> Option<usize> {
        let best = self.ranges().iter().enumerate().filter(|(_, range)| range.len >= len);
        let (place, _) = best.min_by_key(|(_, range)| (range.len, u64::MAX - range.since))?;
        self.total -= len;
        let start = self.ranges[place].start;
        if self.ranges[place].len == len {
            self.remove(place);
        } else {
            self.ranges[place].start += len;
            self.ranges[place].len -= len;
        }
        Some(start)
    }

    /// Takes the range that has been idle for longest.
    pub(crate) fn take_oldest(&mut self) -> Option<Range> {
        let oldest = self.ranges().iter().enumerate().min_by_key(|(_, range)| range.since);
        let (place, range) = oldest.map(|(place, range)| (place, *range))?;
        self.total -= range.len;
        self.remove(place);
        Some(range)
    }

    fn remove(&mut self, place: usize) {
        self.ranges.copy_within(place + 1..self.count, place);
        self.count -= 1;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn spans(idle: &Idle) -> Vec<(usize, usize)> {
        idle.ranges().iter().map(|range| (range.start, range.len)).collect()
    }

    #[test]
    fn neighbours_are_joined() {
        let mut idle = Idle::new();
        for (start, len) in [(10, 5), (20, 5), (0, 3), (15, 5)] {
            idle.insert(start, len);
        }
        assert_eq!(spans(&idle), [(0, 3), (10, 15)]);
        idle.insert(3, 7);
        assert_eq!((spans(&idle), idle.total()), (vec![(0, 25)], 25));
    }

    #[test]
    fn the_smallest_that_suffices_is_taken_and_its_rest_stays() {
        let mut idle = Idle::new();
        for (start, len) in [(0, 30), (100, 10), (200, 20)] {
            idle.insert(start, len);
        }
        assert_eq!(idle.take(15), Some(200));
        assert_eq!(idle.take(10), Some(100));
        assert_eq!(idle.take(31), None);
        assert_eq!(spans(&idle), [(0, 30), (215, 5)]);
        assert_eq!(idle.take_oldest().map(|range| range.start), Some(0));
        assert_eq!(idle.total(), 5);
    }

    proptest! {
        #[test]
        fn no_byte_is_lost_or_given_twice(steps in prop::collection::vec((0_u8..4, 1_usize..40), 1..300)) {
            // Bytes 0 to 4095: idle, in use, or given back for good.
            let mut idle = Idle::new();
            idle.insert(0, 4096);
            let mut used: Vec<(usize, usize)> = Vec::new();
            let mut gone = 0;
            for (kind, len) in steps {
                match kind {
                    0 | 1 => {
                        if let Some(start) = idle.take(len) {
                            prop_assert!(used.iter().all(|(other, size)| start + len <= *other || other + size <= start));
                            used.push((start, len));
                        }
                    }
                    2 if !used.is_empty() => {
                        let (start, len) = used.swap_remove(len % used.len());
                        idle.insert(start, len);
                    }
                    3 if len == 1 => gone += idle.take_oldest().map_or(0, |range| range.len),
                    _ => {}
                }
                let ranges = idle.ranges();
                prop_assert_eq!(idle.total(), ranges.iter().map(|range| range.len).sum::<usize>());
                prop_assert!(ranges.windows(2).all(|pair| pair[0].end() < pair[1].start));
                let in_use: usize = used.iter().map(|(_, len)| len).sum();
                prop_assert_eq!(idle.total() + in_use + gone, 4096);
            }
        }
    }
}
