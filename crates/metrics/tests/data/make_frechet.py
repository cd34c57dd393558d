"""Writes frechet.json: pip install numpy.

The distance is pytorch-fid's, with the trace of the root as the sum of the roots of the eigenvalues of
sqrt(S1) S2 sqrt(S1), computed in 60 digits where numpy's 16 do not do: pip install mpmath.
"""
import json
import mpmath
import numpy as np

mpmath.mp.dps = 60
rng = np.random.default_rng(5)
cases = []
for dims, first, second in ((3, 7, 9), (5, 12, 6), (4, 3, 8), (6, 4, 3)):
    a, b = rng.normal(size=(first, dims)).round(3), (1.5 * rng.normal(size=(second, dims)) + 0.3).round(3)

    def moments(x):
        x = mpmath.matrix(x.tolist())
        mean = [sum(x[i, j] for i in range(x.rows)) / x.rows for j in range(x.cols)]
        centred = mpmath.matrix([[x[i, j] - mean[j] for j in range(x.cols)] for i in range(x.rows)])
        return mean, centred.T * centred / (x.rows - 1)

    (mean_a, cov_a), (mean_b, cov_b) = moments(a), moments(b)
    values, vectors = mpmath.eigsy(cov_a)
    root = vectors * mpmath.diag([mpmath.sqrt(max(v, 0)) for v in values]) * vectors.T
    values = mpmath.eigsy(root * cov_b * root, eigvals_only=True)
    trace = sum(mpmath.sqrt(max(v, 0)) for v in values)
    spread = sum(cov_a[i, i] + cov_b[i, i] for i in range(dims))
    distance = sum((p - q) ** 2 for p, q in zip(mean_a, mean_b)) + spread - 2 * trace
    cases.append({"dims": dims, "a": a.reshape(-1).tolist(), "b": b.reshape(-1).tolist(), "distance": float(distance)})
with open("frechet.json", "w") as file:
    json.dump(cases, file)
