//! Affine maps of the last dimension.

use rayon::prelude::*;

use super::disjoint::{DisjointOut, Unwritten};
use super::matmul::{Matrix, Place, matmul, matmul_into};

/// Rows computed by one matrix product where a sample has fewer.
const GROUP_ROWS: usize = 16;
/// Rows computed by one matrix product where a sample has more.
const TILE_ROWS: usize = 256;
/// Products a sample's rows are computed in at least, as far as columns suffice.
const SAMPLE_TASKS: usize = 8;
/// Columns computed by one matrix product at least, where there are as many.
const TILE_COLUMNS: usize = 256;

/// How the rows of a sample lie in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// `[rows, channels]`.
    Rows,
    /// `[channels, rows]`.
    Channels,
}

impl Order {
    /// Some `rows` rows, of samples of `sample_rows` rows, and some `columns` channels of
    /// `channels`; and where the first is from row `first` and channel `column` on.
    pub(crate) fn part(
        self,
        [rows, columns]: [usize; 2],
        [sample_rows, channels]: [usize; 2],
        [first, column]: [usize; 2],
    ) -> (usize, Matrix) {
        match self {
            Self::Rows => (first * channels + column, Matrix::strided(rows, columns, channels)),
            Self::Channels => {
                let (sample, row) = (first / sample_rows, first % sample_rows);
                let start = (sample * channels + column) * sample_rows + row;
                (start, Matrix::strided(columns, rows, sample_rows).transposed())
            }
        }
    }
}

/// Whether samples of `rows` rows are computed one by one, so that they may be in any order.
pub(crate) fn any_order(rows: usize) -> bool {
    rows >= GROUP_ROWS
}

/// How a sample's rows, or those of a group of small samples, are divided into matrix products.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tiles {
    /// Rows that are divided in the same way.
    pub(crate) group: usize,
    /// Rows of a product.
    pub(crate) tile: usize,
    /// Products one below the other in a group; the last may have fewer rows.
    pub(crate) tiles: usize,
    /// Columns of a product.
    pub(crate) width: usize,
    /// Products beside one another; the last may have fewer columns.
    pub(crate) column_tiles: usize,
}

impl Tiles {
    /// For samples of `rows` rows and `output` columns.
    pub(crate) fn new(rows: usize, output: usize) -> Self {
        let group = if any_order(rows) { rows } else { rows * GROUP_ROWS.div_ceil(rows) };
        let tile = group.min(TILE_ROWS);
        let tiles = group.div_ceil(tile);
        let column_tiles = SAMPLE_TASKS.div_ceil(tiles).min(output / TILE_COLUMNS).max(1);
        let width = output.div_ceil(column_tiles).next_multiple_of(32);
        Self { group, tile, tiles, width, column_tiles: output.div_ceil(width) }
    }
}

/// `x · w + b` for `samples` samples of `rows` rows each.
///
/// `x` is `[samples · rows, input]`, `w` is `[input, output]`; of `x` and the output each sample
/// is in its own order, which is that of rows unless there is [`any_order`].
///
/// Rows are computed in tiles that begin anew in every sample, or group of small samples, so that
/// the products' sizes are those of a batch of one.
pub(crate) fn forward(
    x: &[f32],
    w: &[f32],
    b: &[f32],
    rows: usize,
    [input, output]: [usize; 2],
    [from, to]: [Order; 2],
) -> Vec<f32> {
    assert!(any_order(rows) || [from, to] == [Order::Rows; 2]);
    let total = x.len() / input.max(1);
    if total * output == 0 {
        return Vec::new();
    }
    let mut y = Unwritten::new(total * output);
    let Tiles { group, tile, tiles, width, column_tiles } = Tiles::new(rows, output);
    let groups = total.div_ceil(group);
    let out = y.shared();
    (0..groups * tiles * column_tiles).into_par_iter().for_each(|task| {
        let (column, row) = (task % column_tiles * width, task / column_tiles);
        let (group_start, tile_start) = (row / tiles * group, row % tiles * tile);
        let first = group_start + tile_start;
        let count = tile.min(group - tile_start);
        let columns = width.min(output - column);
        let present = count.min(total - first);
        let weights = (&w[column..], Matrix::strided(input, columns, output));
        let bias = &b[column..column + columns];
        if present == count {
            let (start, left) = from.part([count, input], [rows, input], [first, 0]);
            let (place, shape) = to.part([count, columns], [rows, output], [first, column]);
            // SAFETY: tasks have different rows or different columns.
            unsafe { start_with(bias, out, place, shape) };
            let place = Place { out, first: place, shape };
            // SAFETY: as above.
            unsafe { matmul_into(place, (&x[start..], left), weights, 1.0, true) };
            return;
        }
        // The last group is filled up, so that its product has the size of every other.
        let mut padded = x[first * input..(first + present) * input].to_vec();
        padded.resize(count * input, 0.0);
        let mut part = bias.repeat(count);
        matmul(
            (&mut part, Matrix::new(count, columns)),
            (&padded, Matrix::new(count, input)),
            weights,
            1.0,
            true,
        );
        for (row, part) in part.chunks_exact(columns).take(present).enumerate() {
            // SAFETY: as above.
            unsafe { out.write((first + row) * output + column, part) };
        }
    });
    // SAFETY: the tasks have written all rows in all columns.
    unsafe { y.written() }
}

/// Writes `bias` to every row of a part of the output.
///
/// # Safety
/// As of [`DisjointOut::write`].
unsafe fn start_with(bias: &[f32], out: DisjointOut<'_>, place: usize, shape: Matrix) {
    if shape.column_stride == 1 {
        for row in 0..shape.rows {
            // SAFETY: as the caller promises.
            unsafe { out.write(place + row * shape.row_stride, bias) };
        }
        return;
    }
    let mut column = [0.0; TILE_ROWS];
    for (index, bias) in bias.iter().enumerate() {
        let column = &mut column[..shape.rows];
        column.fill(*bias);
        // SAFETY: as above; rows follow one another.
        unsafe { out.write(place + index * shape.column_stride, column) };
    }
}

/// Rows whose share of the weights' gradient one matrix product computes, where there are as many.
const GRADIENT_ROWS: usize = 1024;
/// Elements of such shares that may exist at once: 16 MiB.
const MOST_SHARES: usize = 1 << 22;

/// Gradients of `x`, `w` and `b`.
///
/// Tasks depend on the shape alone, so that the sums do too.
pub(crate) fn backward(
    x: &[f32],
    w: &[f32],
    dy: &[f32],
    [input, output]: [usize; 2],
) -> (Vec<f32>, Vec<f32>, Vec<f32>) {
    let rows = dy.len() / output.max(1);
    if rows * input == 0 {
        return (Vec::new(), vec![0.0; input * output], vec![0.0; output]);
    }
    let mut dx = Unwritten::new(rows * input);
    let out = dx.shared();
    dy.par_chunks(TILE_ROWS * output).enumerate().for_each(|(tile, dy)| {
        let rows = dy.len() / output;
        let first = tile * TILE_ROWS * input;
        let place = Place { out, first, shape: Matrix::new(rows, input) };
        let weights = (w, Matrix::new(input, output).transposed());
        // SAFETY: tasks have different rows.
        unsafe { matmul_into(place, (dy, Matrix::new(rows, output)), weights, 1.0, false) };
    });
    // SAFETY: the tasks have written all rows.
    let dx = unsafe { dx.written() };
    (dx, weight_gradient(x, dy, [input, output]), bias_gradient(dy, output))
}

/// `xᵀ · dy`: shares of some rows each, added in order, where they may exist at once; else some
/// columns each.
fn weight_gradient(x: &[f32], dy: &[f32], [input, output]: [usize; 2]) -> Vec<f32> {
    let rows = dy.len() / output;
    let size = input * output;
    let shares = rows.div_ceil(GRADIENT_ROWS).min(MOST_SHARES / size);
    let mut dw = vec![0.0; size];
    if shares > 1 {
        let rows = rows.div_ceil(shares);
        let mut parts = vec![0.0; (shares - 1) * size];
        let targets = std::iter::once(&mut dw[..]).chain(parts.chunks_exact_mut(size));
        let tasks: Vec<_> =
            targets.zip(x.chunks(rows * input).zip(dy.chunks(rows * output))).collect();
        tasks.into_par_iter().for_each(|(target, (x, dy))| {
            let rows = dy.len() / output;
            let x = (x, Matrix::new(rows, input).transposed());
            matmul(
                (target, Matrix::new(input, output)),
                x,
                (dy, Matrix::new(rows, output)),
                1.0,
                false,
            );
        });
        dw.par_chunks_mut(TILE_ROWS).enumerate().for_each(|(index, dw)| {
            for part in parts.chunks_exact(size) {
                let part = &part[index * TILE_ROWS..][..dw.len()];
                dw.iter_mut().zip(part).for_each(|(total, part)| *total += part);
            }
        });
        return dw;
    }
    let out = DisjointOut::new(&mut dw);
    let width = output.div_ceil(SAMPLE_TASKS).next_multiple_of(32);
    (0..output.div_ceil(width)).into_par_iter().for_each(|task| {
        let first = task * width;
        let columns = width.min(output - first);
        let place = Place { out, first, shape: Matrix::strided(input, columns, output) };
        let x = (x, Matrix::new(rows, input).transposed());
        // SAFETY: tasks have different columns.
        unsafe {
            let dy = (&dy[first..], Matrix::strided(rows, columns, output));
            matmul_into(place, x, dy, 1.0, false);
        }
    });
    dw
}

fn bias_gradient(dy: &[f32], output: usize) -> Vec<f32> {
    let mut db = vec![0.0; output];
    let width = 64;
    db.par_chunks_mut(width).enumerate().for_each(|(index, db)| {
        for dy in dy.chunks_exact(output) {
            let dy = &dy[index * width..][..db.len()];
            db.iter_mut().zip(dy).for_each(|(sum, value)| *sum += value);
        }
    });
    db
}
