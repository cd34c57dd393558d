//! Weights times shifted copies: a block of outputs and positions at a time stays in registers.

use pulp::{Simd, WithSimd};

use crate::cpu::simd::{lanes, load, store};

/// Values behind the last copy, so that whole vectors can be read.
pub(super) const ROOM: usize = 16;

/// Adds to every output of `out`, `[outputs, positions]`, the products of its weights, `[outputs,
/// depth]`, with the copies: weight `k` meets position `p` at `copies[offsets[k] + p]`.
///
/// Each sum runs over the weights in their order, whatever stands beside it.
pub(super) struct Products<'a> {
    pub(super) w: &'a [f32],
    pub(super) copies: &'a [f32],
    pub(super) offsets: &'a [usize],
    pub(super) positions: usize,
    pub(super) out: &'a mut [f32],
}

impl WithSimd for Products<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { w, copies, offsets, positions, out } = self;
        let depth = offsets.len();
        let last = offsets.iter().copied().max().unwrap_or(0);
        assert!(copies.len() >= last + positions.next_multiple_of(lanes::<S>()));
        assert!(w.len() / depth * positions == out.len() && w.len() % depth == 0);
        let mut rows = Rows { w, out };
        // Sixteen sums hide what an addition takes, and leave registers for what they need.
        while lanes::<S>() >= 16 && rows.w.len() >= 8 * depth {
            rows.take::<S, 8>(simd, copies, offsets, positions);
        }
        while rows.w.len() >= 4 * depth {
            rows.take::<S, 4>(simd, copies, offsets, positions);
        }
        while !rows.w.is_empty() {
            rows.take::<S, 1>(simd, copies, offsets, positions);
        }
    }
}

/// The outputs that are yet to be computed.
struct Rows<'a> {
    w: &'a [f32],
    out: &'a mut [f32],
}

impl Rows<'_> {
    /// Computes the first `O`.
    #[inline(always)]
    fn take<S: Simd, const O: usize>(
        &mut self,
        simd: S,
        copies: &[f32],
        offsets: &[usize],
        positions: usize,
    ) {
        let lanes = lanes::<S>();
        let (w, later) = self.w.split_at(O * offsets.len());
        self.w = later;
        let (out, later) = std::mem::take(&mut self.out).split_at_mut(O * positions);
        self.out = later;
        let mut first = 0;
        while first + 2 * lanes <= positions {
            // SAFETY: the copies hold whole vectors for all positions, as `with_simd` asserts.
            unsafe {
                tile::<S, O, 2>(simd, w, &copies[first..], offsets, &mut out[first..], positions)
            };
            first += 2 * lanes;
        }
        while first + lanes <= positions {
            // SAFETY: as above.
            unsafe {
                tile::<S, O, 1>(simd, w, &copies[first..], offsets, &mut out[first..], positions)
            };
            first += lanes;
        }
        if first < positions {
            let rest = positions - first;
            let mut last = [0.0; 8 * 16];
            for row in 0..O {
                last[row * lanes..][..rest]
                    .copy_from_slice(&out[row * positions + first..][..rest]);
            }
            // SAFETY: as above.
            unsafe { tile::<S, O, 1>(simd, w, &copies[first..], offsets, &mut last, lanes) };
            for row in 0..O {
                out[row * positions + first..][..rest]
                    .copy_from_slice(&last[row * lanes..][..rest]);
            }
        }
    }
}

/// Adds the products of `O` outputs, `stride` apart in `out`, at `V` vectors of positions.
///
/// # Panics
/// Where weights or outputs are missing.
///
/// # Safety
/// `copies` must hold `V` vectors from each of `offsets` on.
#[inline(always)]
unsafe fn tile<S: Simd, const O: usize, const V: usize>(
    simd: S,
    w: &[f32],
    copies: &[f32],
    offsets: &[usize],
    out: &mut [f32],
    stride: usize,
) {
    let (lanes, depth) = (lanes::<S>(), offsets.len());
    assert!(w.len() >= O * depth);
    let mut sums = [[simd.splat_f32s(0.0); V]; O];
    for (row, sums) in sums.iter_mut().enumerate() {
        for (vector, sum) in sums.iter_mut().enumerate() {
            *sum = load::<S>(&out[row * stride + vector * lanes..]);
        }
    }
    for (k, offset) in offsets.iter().enumerate() {
        let mut values = [simd.splat_f32s(0.0); V];
        for (vector, value) in values.iter_mut().enumerate() {
            // SAFETY: the vector is there, as the caller promises, and plain f32 of any alignment.
            *value = unsafe {
                copies.as_ptr().add(offset + vector * lanes).cast::<S::f32s>().read_unaligned()
            };
        }
        for (row, sums) in sums.iter_mut().enumerate() {
            // SAFETY: there are `depth` weights for each row, as asserted.
            let weight = simd.splat_f32s(unsafe { *w.get_unchecked(row * depth + k) });
            for (sum, value) in sums.iter_mut().zip(values) {
                *sum = simd.mul_add_e_f32s(weight, value, *sum);
            }
        }
    }
    for (row, sums) in sums.iter().enumerate() {
        for (vector, sum) in sums.iter().enumerate() {
            store::<S>(&mut out[row * stride + vector * lanes..], *sum);
        }
    }
}
