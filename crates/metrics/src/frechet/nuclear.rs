//! The sum of a matrix's singular values: Householder reflections to a bidiagonal matrix (Golub &
//! Kahan 1965), then implicit QL steps on the tridiagonal matrix of its singular values and their
//! negatives, of which nothing is lost to squaring.

use rayon::prelude::*;

use super::matrix::Matrix;
use crate::MetricsError;

/// Rows that one thread works on together; fixed, so that sums do not depend on the threads.
const CHUNK: usize = 64;
/// QL steps after which an eigenvalue counts as not found; a few are usual.
const MOST_STEPS: usize = 60;

/// The sum of the singular values.
///
/// # Errors
/// [`MetricsError::Decomposition`] where they are not found, which finite matrices do not cause.
pub(super) fn nuclear_norm(matrix: Matrix) -> Result<f64, MetricsError> {
    let matrix = if matrix.rows < matrix.columns { matrix.transposed() } else { matrix };
    // The tridiagonal matrix with zeros on its diagonal and d₁, e₁, d₂, e₂ … beside it has the
    // singular values and their negatives as eigenvalues.
    let beside = bidiagonal(matrix);
    let values = tridiagonal_eigenvalues(vec![0.0; beside.len() + 1], beside)?;
    Ok(values.into_iter().map(f64::abs).sum::<f64>() / 2.0)
}

/// The bidiagonal form of a matrix with at least as many rows as columns: d₁, e₁, d₂, e₂ … dₙ.
fn bidiagonal(matrix: Matrix) -> Vec<f64> {
    let Matrix { columns, mut values, .. } = matrix;
    let mut elements = Vec::with_capacity(2 * columns);
    for k in 0..columns {
        let rest = &mut values[k * columns..];
        // A reflection of the rows makes what lies below the diagonal vanish.
        let mut left: Vec<f64> = rest.iter().skip(k).step_by(columns).copied().collect();
        let (diagonal, left_factor) = reflection(&mut left);
        elements.push(diagonal);
        if k + 1 == columns {
            break;
        }
        let width = columns - k - 1;
        let projected = combination(rest, columns, &left, width);
        let (first, rest) = rest.split_at_mut(columns);
        let first = &mut first[columns - width..];
        subtract(first, left_factor * left[0], &projected);
        // A reflection of the columns does the same beside the next one.
        let mut right = first.to_vec();
        let (beside, right_factor) = reflection(&mut right);
        elements.push(beside);
        let rows = rest.par_chunks_mut(CHUNK * columns).zip(left[1..].par_chunks(CHUNK));
        rows.for_each(|(rows, left)| {
            for (row, left) in rows.chunks_exact_mut(columns).zip(left) {
                let row = &mut row[columns - width..];
                subtract(row, left_factor * left, &projected);
                let share = right_factor * dot(row, &right);
                subtract(row, share, &right);
            }
        });
    }
    elements
}

/// Makes `x` the vector v of the reflection 1 − β v vᵀ that turns it into (α, 0, 0 …); returns α
/// and β.
fn reflection(x: &mut [f64]) -> (f64, f64) {
    // Scaled, so that squares neither overflow nor vanish.
    let scale = x.iter().fold(0.0f64, |most, value| most.max(value.abs()));
    if scale == 0.0 {
        return (0.0, 0.0);
    }
    x.iter_mut().for_each(|value| *value /= scale);
    let squares: f64 = x.iter().map(|value| value * value).sum();
    let alpha = -squares.sqrt().copysign(x[0]);
    let first = x[0] - alpha;
    x[0] = first;
    (alpha * scale, 1.0 / (squares - alpha * (alpha + first)))
}

/// `vᵀ A` over the last `width` columns, in the order of the rows whatever the threads.
fn combination(rows: &[f64], columns: usize, v: &[f64], width: usize) -> Vec<f64> {
    let chunks: Vec<Vec<f64>> = rows
        .par_chunks(CHUNK * columns)
        .zip(v.par_chunks(CHUNK))
        .map(|(rows, v)| {
            let mut sum = vec![0.0; width];
            for (row, v) in rows.chunks_exact(columns).zip(v) {
                subtract(&mut sum, -v, &row[columns - width..]);
            }
            sum
        })
        .collect();
    let mut sum = vec![0.0; width];
    for chunk in chunks {
        subtract(&mut sum, -1.0, &chunk);
    }
    sum
}

fn subtract(from: &mut [f64], factor: f64, values: &[f64]) {
    from.iter_mut().zip(values).for_each(|(from, value)| *from -= factor * value);
}

/// In four sums, which the processor adds side by side.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let (chunks_a, chunks_b) = (a.chunks_exact(4), b.chunks_exact(4));
    let rest: f64 = chunks_a.remainder().iter().zip(chunks_b.remainder()).map(|(a, b)| a * b).sum();
    let mut sums = [0.0; 4];
    for (a, b) in chunks_a.zip(chunks_b) {
        for (i, sum) in sums.iter_mut().enumerate() {
            *sum += a[i] * b[i];
        }
    }
    sums.iter().sum::<f64>() + rest
}

/// The eigenvalues of a symmetric tridiagonal matrix by implicit QL steps with Wilkinson's shift
/// (EISPACK's `imtql1`).
fn tridiagonal_eigenvalues(
    mut diagonal: Vec<f64>,
    mut beside: Vec<f64>,
) -> Result<Vec<f64>, MetricsError> {
    let count = diagonal.len();
    let norm = diagonal.iter().chain(&beside).fold(0.0f64, |most, value| most.max(value.abs()));
    beside.push(0.0);
    for l in 0..count {
        for step in 0.. {
            // What is below the rounding of its neighbours, or far below that of the whole.
            let negligible = |m: &usize| {
                let near = diagonal[*m].abs() + diagonal[m + 1].abs();
                beside[*m].abs() <= f64::EPSILON * near.max(1e-3 * norm)
            };
            let m = (l..count - 1).find(negligible).unwrap_or(count - 1);
            if m == l {
                break;
            }
            if step == MOST_STEPS {
                let reason = format!("eigenvalue {l} of {count} was not found");
                return Err(MetricsError::Decomposition(reason));
            }
            ql_step(&mut diagonal, &mut beside, l, m);
        }
    }
    Ok(diagonal)
}

/// One implicit QL step on the rows `l` to `m`.
fn ql_step(diagonal: &mut [f64], beside: &mut [f64], l: usize, m: usize) {
    let shift = (diagonal[l + 1] - diagonal[l]) / (2.0 * beside[l]);
    let root = shift.hypot(1.0).copysign(shift);
    let mut g = diagonal[m] - diagonal[l] + beside[l] / (shift + root);
    let (mut sine, mut cosine, mut p) = (1.0, 1.0, 0.0);
    for i in (l..m).rev() {
        let (f, b) = (sine * beside[i], cosine * beside[i]);
        let r = f.hypot(g);
        beside[i + 1] = r;
        if r == 0.0 {
            // The matrix falls apart here.
            diagonal[i + 1] -= p;
            beside[m] = 0.0;
            return;
        }
        (sine, cosine) = (f / r, g / r);
        g = diagonal[i + 1] - p;
        let r = (diagonal[i] - g) * sine + 2.0 * cosine * b;
        p = sine * r;
        diagonal[i + 1] = g + p;
        g = cosine * r - b;
    }
    diagonal[l] -= p;
    beside[l] = g;
    beside[m] = 0.0;
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn matrix(rows: usize, columns: usize, values: Vec<f64>) -> Matrix {
        Matrix { rows, columns, values }
    }

    #[test]
    fn known_singular_values_are_summed() {
        let norm = |m| nuclear_norm(m).unwrap();
        assert!((norm(matrix(2, 3, vec![3.0, 0.0, 0.0, 0.0, -4.0, 0.0])) - 7.0).abs() < 1e-14);
        // [[1, 1], [0, 1]]: the roots of (3 ± √5) / 2, whose sum is √5.
        assert!((norm(matrix(2, 2, vec![1.0, 1.0, 0.0, 1.0])) - 5f64.sqrt()).abs() < 1e-15 * 8.0);
        // Rank 1: the product of the lengths.
        let outer: Vec<f64> =
            (1..=4).flat_map(|a| (1..=3).map(move |b| f64::from(a * b))).collect();
        assert!((norm(matrix(4, 3, outer)) - (30f64 * 14.0).sqrt()).abs() < 1e-13);
        assert_eq!(norm(matrix(3, 2, vec![0.0; 6])), 0.0);
        assert_eq!(norm(matrix(0, 2, Vec::new())), 0.0);
        assert_eq!(norm(matrix(2, 0, Vec::new())), 0.0);
        // numpy.linalg.svd(1 / (i + j + 1)).sum() of Hilbert's matrix of 12 rows.
        let hilbert = (0..144).map(|i| 1.0 / (i / 12 + i % 12 + 1) as f64).collect();
        assert!((norm(matrix(12, 12, hilbert)) - HILBERT).abs() < 1e-13);
    }

    const HILBERT: f64 = 2.224352838648168;

    proptest! {
        #[test]
        fn scale_and_transposition_only_scale(
            values in proptest::collection::vec(-2.0f64..2.0, 6 * 9), exponent in -200i32..200,
        ) {
            let norm = nuclear_norm(matrix(6, 9, values.clone())).unwrap();
            let turned = nuclear_norm(matrix(6, 9, values.clone()).transposed()).unwrap();
            let scale = 2f64.powi(exponent);
            let scaled = values.iter().map(|value| value * scale).collect();
            let scaled = nuclear_norm(matrix(6, 9, scaled)).unwrap() / scale;
            prop_assert!((norm - turned).abs() < 1e-12 && (norm - scaled).abs() < 1e-12);
            let frobenius = matrix(6, 9, values).squared_norm().sqrt();
            prop_assert!(norm >= frobenius - 1e-12 && norm <= 6f64.sqrt() * frobenius + 1e-12);
        }
    }
}
