//! Least squares with a ridge and bounds, of few unknowns.

/// Eigenvalues below this share of the largest count as 0.
const NEGLIGIBLE: f64 = 1e-12;
/// Sweeps of Jacobi's method; it converges quadratically, in six to ten.
const SWEEPS: usize = 30;

/// Sweeps of coordinate descent.
const DESCENTS: usize = 10_000;

/// The `x` within `±limit` of least `½ xᵀ(A + λI)x − bᵀx`, for a symmetric `A` without negative
/// eigenvalues, given by its rows and decomposed.
pub(super) fn solve_within(
    matrix: &[f64],
    eigen: &Eigen,
    b: &[f64],
    lambda: f64,
    limit: f64,
) -> Vec<f64> {
    let mut x = eigen.solve(b, lambda);
    if x.iter().all(|value| value.abs() <= limit) {
        return x;
    }
    // Coordinate by coordinate, which ends at the least value as the bounds are a box.
    let size = b.len();
    x.iter_mut().for_each(|value| *value = value.clamp(-limit, limit));
    for _ in 0..DESCENTS {
        let mut moved = 0.0f64;
        for i in 0..size {
            let (row, curvature) = (&matrix[i * size..][..size], matrix[i * (size + 1)] + lambda);
            let product: f64 = row.iter().zip(&x).map(|(a, x)| a * x).sum();
            let others = product - row[i] * x[i];
            if curvature > 0.0 {
                let next = ((b[i] - others) / curvature).clamp(-limit, limit);
                moved = moved.max((next - x[i]).abs());
                x[i] = next;
            }
        }
        if moved <= f64::EPSILON * limit {
            break;
        }
    }
    x
}

/// A symmetric matrix by its eigenvalues and eigenvectors.
pub(super) struct Eigen {
    size: usize,
    /// Eigenvalues, in no order.
    values: Vec<f64>,
    /// Eigenvectors in columns, row by row.
    vectors: Vec<f64>,
}

impl Eigen {
    /// Decomposes a symmetric matrix of `size` rows, by Jacobi's cyclic rotations.
    pub(super) fn of(matrix: &[f64], size: usize) -> Self {
        let mut a = matrix.to_vec();
        let mut vectors = vec![0.0; size * size];
        (0..size).for_each(|i| vectors[i * (size + 1)] = 1.0);
        for _ in 0..SWEEPS {
            let off: f64 =
                (0..size * size).filter(|at| at / size != at % size).map(|at| a[at] * a[at]).sum();
            if off == 0.0 {
                break;
            }
            for p in 0..size {
                for q in p + 1..size {
                    rotate(&mut a, &mut vectors, size, p, q);
                }
            }
        }
        let values = (0..size).map(|i| a[i * (size + 1)]).collect();
        Self { size, values, vectors }
    }

    /// The largest eigenvalue; 0 where there is none above it.
    pub(super) fn largest(&self) -> f64 {
        self.values.iter().copied().fold(0.0, f64::max)
    }

    /// `(A + λI)⁻¹ b`, without the directions in which `A` is 0 to rounding: they are left alone.
    pub(super) fn solve(&self, b: &[f64], lambda: f64) -> Vec<f64> {
        let (size, floor) = (self.size, NEGLIGIBLE * self.largest());
        let mut solution = vec![0.0; size];
        for (k, value) in self.values.iter().enumerate().filter(|(_, value)| **value > floor) {
            let vector = || (0..size).map(|i| self.vectors[i * size + k]);
            let along: f64 = vector().zip(b).map(|(v, b)| v * b).sum();
            let length = along / (value + lambda);
            solution.iter_mut().zip(vector()).for_each(|(sum, v)| *sum += length * v);
        }
        solution
    }

    /// Largest over smallest eigenvalue; infinite where the smallest is 0 to rounding.
    pub(super) fn condition(&self) -> f64 {
        let smallest = self.values.iter().copied().fold(f64::INFINITY, f64::min);
        let largest = self.largest();
        if smallest > NEGLIGIBLE * largest { largest / smallest } else { f64::INFINITY }
    }
}

/// One rotation, after which `a[p][q]` is 0 (Golub and Van Loan, *Matrix Computations*, 8.5).
fn rotate(a: &mut [f64], vectors: &mut [f64], size: usize, p: usize, q: usize) {
    let at = |i: usize, j: usize| i * size + j;
    if a[at(p, q)] == 0.0 {
        return;
    }
    let tau = (a[at(q, q)] - a[at(p, p)]) / (2.0 * a[at(p, q)]);
    let t = tau.signum() / (tau.abs() + (1.0 + tau * tau).sqrt());
    let c = 1.0 / (1.0 + t * t).sqrt();
    let s = t * c;
    for k in 0..size {
        let (x, y) = (a[at(k, p)], a[at(k, q)]);
        (a[at(k, p)], a[at(k, q)]) = (c * x - s * y, s * x + c * y);
    }
    for k in 0..size {
        let (x, y) = (a[at(p, k)], a[at(q, k)]);
        (a[at(p, k)], a[at(q, k)]) = (c * x - s * y, s * x + c * y);
        let (x, y) = (vectors[at(k, p)], vectors[at(k, q)]);
        (vectors[at(k, p)], vectors[at(k, q)]) = (c * x - s * y, s * x + c * y);
    }
    (a[at(p, q)], a[at(q, p)]) = (0.0, 0.0);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// `A x`.
    fn product(matrix: &[f64], x: &[f64]) -> Vec<f64> {
        matrix.chunks(x.len()).map(|row| row.iter().zip(x).map(|(a, x)| a * x).sum()).collect()
    }

    /// `JᵀJ` of a matrix with three columns.
    fn gram(rows: &[[f64; 3]]) -> Vec<f64> {
        (0..9).map(|at| rows.iter().map(|row| row[at / 3] * row[at % 3]).sum()).collect()
    }

    proptest! {
        #[test]
        fn solve_solves(
            rows in proptest::collection::vec([-2.0f64..2.0, -2.0..2.0, -2.0..2.0], 3..9),
            b in [-1.0f64..1.0, -1.0..1.0, -1.0..1.0],
            lambda in 0.01f64..1.0,
        ) {
            let mut matrix = gram(&rows);
            let x = Eigen::of(&matrix, 3).solve(&b, lambda);
            (0..3).for_each(|i| matrix[4 * i] += lambda);
            for (found, expected) in product(&matrix, &x).iter().zip(&b) {
                // Directions of no extent are left alone: none are in these rows, to rounding.
                prop_assert!((found - expected).abs() < 1e-8, "{found} {expected}");
            }
        }
    }

    proptest! {
        #[test]
        fn solve_within_finds_the_least_value_in_the_box(
            rows in proptest::collection::vec([-2.0f64..2.0, -2.0..2.0, -2.0..2.0], 3..9),
            b in [-1.0f64..1.0, -1.0..1.0, -1.0..1.0],
            other in [-0.2f64..0.2, -0.2..0.2, -0.2..0.2],
        ) {
            let (matrix, lambda) = (gram(&rows), 0.05);
            let x = solve_within(&matrix, &Eigen::of(&matrix, 3), &b, lambda, 0.2);
            prop_assert!(x.iter().all(|value| value.abs() <= 0.2));
            let value = |x: &[f64]| -> f64 {
                let quadratic = product(&matrix, x);
                (0..3).map(|i| x[i] * (0.5 * (quadratic[i] + lambda * x[i]) - b[i])).sum()
            };
            prop_assert!(value(&x) <= value(&other) + 1e-9);
        }
    }

    #[test]
    fn solve_leaves_directions_of_no_extent_alone() {
        // The third column is the first once more: only their sum is known.
        let matrix = gram(&[[1.0, 0.0, 1.0], [0.0, 2.0, 0.0], [1.0, 1.0, 1.0]]);
        let eigen = Eigen::of(&matrix, 3);
        assert_eq!(eigen.condition(), f64::INFINITY);
        let x = eigen.solve(&product(&matrix, &[0.3, -0.1, 0.1]), 0.0);
        for (found, expected) in x.iter().zip([0.2, -0.1, 0.2]) {
            assert!((found - expected).abs() < 1e-9, "{x:?}");
        }
        let nothing = Eigen::of(&[0.0; 9], 3);
        assert_eq!((nothing.solve(&[1.0; 3], 0.0), nothing.largest()), (vec![0.0; 3], 0.0));
    }

    #[test]
    fn condition_of_a_diagonal_matrix_is_the_ratio_of_its_ends() {
        let eigen = Eigen::of(&[4.0, 0.0, 0.0, 0.5], 2);
        assert_eq!((eigen.condition(), eigen.largest()), (8.0, 4.0));
    }
}
