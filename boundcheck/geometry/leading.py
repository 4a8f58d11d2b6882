"""Leading eigenvalues of a large positive semidefinite matrix, with bounds, and a count that shows that none is missing.

Lanczos' method (ARPACK, by scipy) finds pairs (θ_i, v_i); a Rayleigh-Ritz step in float64 then yields the residual R = K·V - V·Θ.
With Q = [V, W] orthogonal and M = Wᵀ·K·W, the eigenvalues of K are within ‖R‖ of those of diag(Θ, M) (Weyl), and one of Θ that is
η above all of M within 2‖R‖²/(η + √(η² + 4‖R‖²)) (Li and Li; Kato-Temple's ‖R‖²/η is a little larger). So all rests on an upper
bound μ of M, of what was not found:

- `trace`: M is positive semidefinite, so that λ_max(M) <= Tr K - Σθ_i, and its square <= ‖K‖_F² - Σθ_i²;
- `inertia`: where μ·I - K + V·Θ·Vᵀ has a Cholesky factor, it is positive definite but for a rounding that is bounded, and so is
  μ·I - M. If there is none, an eigenvector is missing (of a multiple eigenvalue, say): it is looked for in what is left of K;
- `all`: every eigenvalue was computed.

What the bounds do not count are the roundings in K itself and in products with it.

Sources: Parlett, The Symmetric Eigenvalue Problem, Chapters 10, 11 and 13; Li and Li, A note on eigenvalues of perturbed
Hermitian matrices (2005); Higham, Accuracy and Stability of Numerical Algorithms, Theorem 10.3.
"""

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.linalg import blas, lapack
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh

Array = npt.NDArray[np.float64]

UNIT = 2.0**-53

SEARCHES = 4
"""Times that eigenvectors which the count shows missing are looked for, before all of the matrix is diagonalised."""

SEED = 20_250_101
"""Of the vectors that Lanczos' method starts from: any numbers, always the same."""


@dataclass(frozen=True)
class LeadingPairs:
    """The leading eigenpairs of K that were found, and what is known of the rest.

    Attributes:
        values: θ, decreasing.
        vectors: orthonormal columns.
        residuals: ‖K·v_i - θ_i·v_i‖ of each.
        residual: a bound on ‖K·V - V·Θ‖, with what V lacks in orthogonality.
        rest_at_most: μ, above every eigenvalue that was not found; +∞ where nothing is known.
        counted_by: `all`, `trace` or `inertia`, as in the module's docstring; empty where μ is above the last θ, so that
            larger eigenvalues than some of these may be missing. A μ below what rounding the trace itself may leave (4·n·u·Tr K)
            counts as 0 beside it: eigenvalues that small are not told from 0, and `errors` say so.

    """

    values: Array
    vectors: Array
    residuals: Array
    residual: float
    rest_at_most: float = math.inf
    counted_by: str = ""

    @property
    def errors(self) -> Array:
        """How far the i-th largest eigenvalue of K may be from θ_i: bounds, +∞ where nothing is known of the rest."""
        if not len(self.values):
            return np.zeros(0)
        gap = np.maximum(self.values - self.rest_at_most, 0.0)
        e = self.residual
        near = 2 * e * (e / (gap + np.hypot(gap, 2 * e))) if e else np.zeros_like(gap)
        return near + np.maximum(self.rest_at_most - self.values, 0.0)

    def times(self, factor: float) -> "LeadingPairs":
        """Of factor·K."""
        return LeadingPairs(
            factor * self.values,
            self.vectors,
            factor * self.residuals,
            factor * self.residual,
            factor * self.rest_at_most,
            self.counted_by,
        )


@dataclass(frozen=True)
class Matrix:
    """K by the lower triangle of an array in Fortran's order."""

    lower: Array

    @property
    def size(self) -> int:
        return len(self.lower)

    @property
    def trace(self) -> float:
        return float(np.trace(self.lower))

    @cached_property
    def squares(self) -> float:
        """‖K‖_F²."""
        total = sum(float(self.lower[j:, j] @ self.lower[j:, j]) for j in range(self.size))
        return 2 * total - float(np.square(np.diag(self.lower)).sum())

    def scaled(self, factor: float) -> "Matrix":
        return self if factor == 1.0 else Matrix(factor * self.lower)

    def times(self, vectors: Array) -> Array:
        if vectors.ndim == 1:
            return blas.dsymv(1.0, self.lower, vectors, lower=1)
        return blas.dsymm(1.0, self.lower, vectors, lower=1)


@dataclass(frozen=True)
class Operator:
    """K by its products with columns `[size, b]` alone, and its trace."""

    size: int
    trace: float
    apply: Callable[[Array], Array]

    @property
    def squares(self) -> float:
        """At least ‖K‖_F²."""
        return math.inf

    def scaled(self, factor: float) -> "Operator":
        return Operator(self.size, factor * self.trace, lambda columns: factor * self.apply(columns))

    def times(self, vectors: Array) -> Array:
        return self.apply(vectors.reshape(self.size, -1)).reshape(vectors.shape)


def leading_pairs(matrix: Matrix | Operator, count: int, *, check: bool) -> LeadingPairs:
    """The `count` largest eigenvalues of a positive semidefinite K.

    Args:
        matrix: K; finite.
        count: at least 1, at most size - 1.
        check: whether to count by inertia where the trace does not settle it; a `Matrix` alone can be.

    """
    if not matrix.trace > 0:  # then K is 0, and has no Krylov space
        vectors = np.eye(matrix.size, count)
        return LeadingPairs(np.zeros(count), vectors, np.zeros(count), 0.0, 0.0, "trace")
    factor = _scale(matrix.trace)
    return _leading_pairs(matrix.scaled(factor), count, check=check).times(1 / factor)


def _scale(trace: float) -> float:
    """A power of 2 that brings the trace near 1, where it is not: squares of K must not underflow, nor overflow, and ARPACK takes
    eigenvalues below 1e-11 for converged too soon."""
    return 1.0 if 1e-3 <= trace <= 1e3 else math.ldexp(1.0, min(1000, -math.frexp(trace)[1]))


def _leading_pairs(matrix: Matrix | Operator, count: int, *, check: bool) -> LeadingPairs:
    found = _lanczos(matrix, count, SEED)
    if found is None:
        return _all_pairs(matrix, count) if isinstance(matrix, Matrix) else _nothing(matrix)
    found = _by_trace(matrix, found)
    if found.counted_by or not check or not isinstance(matrix, Matrix):
        return found
    return _by_inertia(matrix, found)


def all_pairs(matrix: Matrix, count: int | None = None) -> LeadingPairs:
    """The same by diagonalising all of K, of which the `count` first are kept."""
    factor = _scale(matrix.trace) if matrix.trace > 0 else 1.0
    return _all_pairs(matrix.scaled(factor), count).times(1 / factor)


def _all_pairs(matrix: Matrix, count: int | None) -> LeadingPairs:
    values, vectors = np.linalg.eigh(matrix.lower, UPLO="L")
    values, vectors = values[::-1], vectors[:, ::-1]
    kept = len(values) if count is None else count
    found = _measured(matrix, values[:kept].copy(), np.asfortranarray(vectors[:, :kept]))
    # Of the rest, LAPACK's own error: backward stable with a small constant times n.
    rest = float(values[kept]) + matrix.size * UNIT * float(np.abs(values).max()) if kept < len(values) else 0.0
    return replace(found, rest_at_most=rest, counted_by="all")


def _nothing(matrix: Operator) -> LeadingPairs:
    return LeadingPairs(np.zeros(0), np.zeros((matrix.size, 0)), np.zeros(0), 0.0, matrix.trace)


def _lanczos(
    matrix: Matrix | Operator, count: int, seed: int, without: LeadingPairs | None = None
) -> LeadingPairs | None:
    """Pairs by ARPACK from a start that the seed decides, of K or of K - V·Θ·Vᵀ; None where it does not converge."""
    size = matrix.size
    generator = np.random.default_rng(seed)

    def times(vector: Array) -> Array:
        product = matrix.times(vector.reshape(-1))
        if without is not None:
            product = product - without.vectors @ (without.values * (without.vectors.T @ vector.reshape(-1)))
        return product

    # Restarts draw vectors too: scipy from 1.17 on takes them from `rng`, earlier ones from a fixed sequence.
    options: dict[str, Any] = {"rng": generator} if "rng" in inspect.signature(eigsh).parameters else {}
    try:
        values, vectors = eigsh(
            LinearOperator((size, size), matvec=times, dtype=np.float64),
            k=count,
            which="LA",
            v0=generator.standard_normal(size),
            ncv=min(size, max(2 * count + 20, 20)),
            **options,
        )
    except ArpackNoConvergence:
        return None
    return _ritz(matrix, vectors) if without is None else LeadingPairs(values, vectors, np.zeros(count), 0.0)


def _ritz(matrix: Matrix | Operator, vectors: Array) -> LeadingPairs:
    """The best pairs in a space (Rayleigh and Ritz), and their residuals."""
    basis = np.linalg.qr(vectors).Q
    image = matrix.times(np.asfortranarray(basis))
    small = basis.T @ image
    values, turn = np.linalg.eigh((small + small.T) / 2)
    values, turn = values[::-1].copy(), turn[:, ::-1]
    return _measured(matrix, values, np.asfortranarray(basis @ turn), image @ turn)


def _measured(matrix: Matrix | Operator, values: Array, vectors: Array, image: Array | None = None) -> LeadingPairs:
    """Pairs with their residuals, and a bound for all of them that counts what V lacks in orthogonality."""
    image = matrix.times(vectors) if image is None else image
    residuals = np.linalg.norm(image - vectors * values, axis=0)
    lacking = float(np.linalg.norm(vectors.T @ vectors - np.eye(len(values))))
    size = float(np.abs(values).max(initial=0.0))
    return LeadingPairs(
        values, vectors, residuals, (float(np.linalg.norm(residuals)) + 2 * lacking * size) * (1 + lacking)
    )


def _by_trace(matrix: Matrix | Operator, found: LeadingPairs) -> LeadingPairs:
    """μ from what the found eigenvalues leave of Tr K and ‖K‖_F²."""
    values, trace, squares = found.values, matrix.trace, matrix.squares
    slack = matrix.size * UNIT
    rest = max(trace - values.sum(), 0.0) + slack * trace + len(values) * found.residual
    if squares < math.inf:
        left = max(squares - np.square(values).sum(), 0.0) + 2 * slack * squares
        rest = min(rest, math.sqrt(left + 2 * len(values) * found.residual * math.sqrt(squares)))
    settled = rest <= max(values[-1], 4 * slack * trace)
    return replace(found, rest_at_most=float(rest), counted_by="trace" if settled else "")


def _by_inertia(matrix: Matrix, found: LeadingPairs) -> LeadingPairs:
    """μ just above the last θ, proved by a Cholesky factor; what it shows missing is looked for and joined."""
    count = len(found.values)
    for search in range(1, SEARCHES + 1):
        rest = _bound_on_rest(matrix, found)
        if rest < math.inf:
            return replace(found, rest_at_most=min(rest, found.rest_at_most), counted_by="inertia")
        more = _lanczos(matrix, count, SEED + search, without=found)
        if more is None:
            break
        joined = _ritz(matrix, np.concatenate([found.vectors, more.vectors], axis=1))
        found = _by_trace(matrix, _measured(matrix, joined.values[:count], joined.vectors[:, :count]))
    return _all_pairs(matrix, count)


def _bound_on_rest(matrix: Matrix, found: LeadingPairs) -> float:
    """μ with K <= μ·I + V·Θ·Vᵀ, a little above the last θ; +∞ if there is none there."""
    size, count = matrix.size, len(found.values)
    values = np.maximum(found.values, 0.0)
    formed = (count + 4) * UNIT * (math.sqrt(matrix.squares) + 2 * float(values.sum()) + float(values[-1]))
    at = float(values[-1]) + 2 * (
        formed + (size + 2) * UNIT * max(size * float(values[-1]) - matrix.trace + values.sum(), 0.0)
    )
    shifted = blas.dsyrk(1.0, np.asfortranarray(found.vectors * np.sqrt(values)), beta=-1.0, c=matrix.lower, lower=1)
    shifted[np.diag_indices(size)] += at
    trace = float(np.abs(np.diag(shifted)).sum())
    _, info = lapack.dpotrf(shifted, lower=1, clean=0, overwrite_a=1)
    gamma = (size + 2) * UNIT / (1 - (size + 2) * UNIT)
    return at + formed + gamma / (1 - gamma) * trace if info == 0 else math.inf
