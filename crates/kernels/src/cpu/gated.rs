//! Linear layers whose result goes through GEGLU, which then exists in tiles only.

use std::mem::MaybeUninit;

use rayon::prelude::*;

use super::activation::{geglu, geglu_row};
use super::disjoint::Unwritten;
use super::linear::{self, Order, Tiles, any_order};
use super::matmul::{Matrix, matmul};
use super::scratch::Scratch;

/// `a · gelu(b)` for the halves `[a, b]` of the rows of `x · w + b`, as [`linear::forward`] and
/// [`geglu`] compute it, by products of the same sizes.
///
/// `x` is `[samples · rows, input]`, each sample in the order `from`; `w` is `[input, output]`,
/// the result `[samples · rows, output / 2]`.
///
/// # Panics
/// Where `output` is odd or the sizes do not fit each other.
pub(crate) fn forward(
    x: &[f32],
    w: &[f32],
    b: &[f32],
    rows: usize,
    [input, output]: [usize; 2],
    from: Order,
) -> Vec<f32> {
    let inner = output / 2;
    assert!(output == 2 * inner && w.len() == input * output && b.len() == output);
    let total = x.len() / input.max(1);
    if total * inner == 0 {
        return Vec::new();
    }
    assert!(x.len() == total * input && total.is_multiple_of(rows));
    let Tiles { group, tile, tiles, width, column_tiles } = Tiles::new(rows, output);
    // One product for both halves, or as many for one as for the other.
    let width = if column_tiles == 1 { inner } else { width };
    if !any_order(rows) || inner % width != 0 {
        return geglu(&linear::forward(x, w, b, rows, [input, output], [from, Order::Rows]), inner);
    }
    let pairs = inner / width;
    let mut y = Unwritten::new(total * inner);
    let out = y.shared();
    (0..total / group * tiles * pairs).into_par_iter().for_each(|task| {
        let (column, row) = (task % pairs * width, task / pairs);
        let tile_start = row % tiles * tile;
        let (first, count) = (row / tiles * group + tile_start, tile.min(group - tile_start));
        let (start, left) = from.part([count, input], [rows, input], [first, 0]);
        let left = (&x[start..], left);
        let mut part = Scratch::new(count * 2 * width);
        for row in part.chunks_exact_mut(2 * width) {
            let (a, gate) = row.split_at_mut(width);
            a.copy_from_slice(&b[column..column + width]);
            gate.copy_from_slice(&b[inner + column..inner + column + width]);
        }
        if column_tiles == 1 {
            let weights = (w, Matrix::new(input, output));
            matmul((&mut part, Matrix::new(count, output)), left, weights, 1.0, true);
        } else {
            for (at, column) in [(0, column), (width, inner + column)] {
                let shape = Matrix::strided(count, width, 2 * width);
                let weights = (&w[column..], Matrix::strided(input, width, output));
                matmul((&mut part[at..], shape), left, weights, 1.0, true);
            }
        }
        for (row, part) in part.chunks_exact(2 * width).enumerate() {
            let start = out.start((first + row) * inner + column, width).cast::<MaybeUninit<f32>>();
            // SAFETY: the elements lie in the output, as `start` asserts; tasks have different
            // rows or different columns.
            geglu_row(part, unsafe { std::slice::from_raw_parts_mut(start, width) });
        }
    });
    // SAFETY: the tasks have written all rows in all columns.
    unsafe { y.written() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(len: usize, step: usize) -> Vec<f32> {
        (0..len).map(|place| ((place * step) % 257) as f32 / 128.0 - 1.0).collect()
    }

    #[test]
    fn no_rows_give_none() {
        assert!(forward(&[], &numbers(64, 3), &numbers(16, 5), 0, [4, 16], Order::Rows).is_empty());
    }

    /// Groups of small samples, one product a tile, several beside one another, and halves that
    /// the products' width does not divide.
    #[test]
    fn bits_are_those_of_the_two_parts() {
        let shapes = [
            (7, 24, 32),
            (16, 24, 64),
            (300, 40, 512),
            (64, 40, 768),
            (2100, 16, 160),
            (256, 8, 2048),
        ];
        for (rows, input, output) in shapes {
            let x = numbers(2 * rows * input, 31);
            let (w, b) = (numbers(input * output, 73), numbers(output, 11));
            for from in [Order::Rows, Order::Channels] {
                if from == Order::Channels && !any_order(rows) {
                    continue;
                }
                let sizes = [input, output];
                let wide = linear::forward(&x, &w, &b, rows, sizes, [from, Order::Rows]);
                let expected = geglu(&wide, output / 2);
                let found = forward(&x, &w, &b, rows, sizes, from);
                assert!(found == expected, "{rows}×{input} to {output}, {from:?}");
            }
        }
    }
}
