"""The leading part of a Fisher information's spectrum, by the way that costs least (see `leading` for the bounds).

F = AᵀA and A·Aᵀ have the same eigenvalues but for zeros, so that the smaller of the two is taken, as a matrix or as an operator.
What each way costs is told in multiplications. Their rates differ: those of a product of a large matrix with one vector wait for
memory, and LAPACK's eigenvectors take about five times n³.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from boundcheck.errors import BoundcheckError
from boundcheck.geometry.eigenspaces import Eigenspace, FisherSpectrum, noise
from boundcheck.geometry.leading import Array, LeadingPairs, Matrix, Operator, all_pairs, leading_pairs
from boundcheck.geometry.linearised import Linearised, linearise
from boundcheck.geometry.score_rows import ScoreRows, score_rows

if TYPE_CHECKING:
    from boundcheck.geometry.fisher import Fisher

LARGEST_MATRIX = 2**14
"""Rows of a matrix that may be formed (2 GiB)."""

VECTOR_RATE = 4
"""How many multiplications of a matrix product take as long as one of a matrix with a vector."""

EIGENVECTORS = 5
"""Multiplications, times n³, that all eigenvectors take."""


@dataclass(frozen=True)
class LeadingSpectrum(FisherSpectrum):
    """The d largest eigenvalues of F and the next one, if there is one, decreasing.

    `errors` are bounds that rest on the residuals and on `rest_at_most`, and the size of the roundings in what was decomposed, an
    estimate. `rank` counts the eigenvalues that are above their errors: at least that is the rank of F.

    Attributes:
        d: as asked for.
        trace: Tr F, the sum of all eigenvalues.
        residuals: ‖K·u - λ·u‖ of each pair, in float64, of the matrix K that was decomposed.
        rest_at_most: above every eigenvalue that was not found.
        counted_by: how it is known that no larger eigenvalue is missing: `all` were computed, the `trace` leaves no room, or the
            `inertia` of K - λ_{d+1}·I tells; empty where it is not known.
        route: what was decomposed: `matrix` or `operator`, or `all` for all eigenvalues of the matrix.
        why: the costs that decided it.

    """

    d: int
    trace: float
    residuals: Tensor
    rest_at_most: float
    counted_by: str
    route: str
    why: str
    _linearised: Linearised | None

    @property
    def complete(self) -> bool:
        """Whether no larger eigenvalue is missing among the d first."""
        return self._counted(self.d)

    def _counted(self, d: int) -> bool:
        return bool(self.counted_by) or self.rest_at_most <= float(self.eigenvalues[d - 1])

    def eigenspace(self, d: int | None = None) -> Eigenspace:
        """The span of the d leading eigenvectors, of as many as were asked for if not given.

        Raises:
            BoundcheckError: for a d beyond those or beyond the rank, or where it is not known that nothing is missing.

        """
        d = self.d if d is None else d
        if d > self.d:
            raise BoundcheckError(
                f"d={d} in a spectrum of the {self.d} leading eigenvalues",
                expected=f"1 to {self.d}",
                remedy="ask for more",
            )
        if d >= 1 and not self._counted(d):
            raise BoundcheckError(
                f"d={d}, where larger eigenvalues may be missing than the last of those that were found",
                expected="a count of the eigenvalues",
                remedy="use check=True",
            )
        return super().eigenspace(d)

    def _tail(self, d: int) -> tuple[float, float]:
        off = 2 * noise(self.fisher) * self.trace
        tail = self.trace - float(self.eigenvalues[:d].sum())
        return max(0.0, tail), off + float(self.errors[:d].sum())

    def _along(self, vector: Tensor) -> Tensor:
        return self._linearised.along(vector.double()[:, None])[:, 0] if self._linearised else super()._along(vector)

    def _back(self, scores: Tensor) -> Tensor:
        return self._linearised.back(scores) if self._linearised else super()._back(scores)


def leading_spectrum(fisher: "Fisher", d: int, *, check: bool) -> LeadingSpectrum:
    """The d leading eigenvalues of F and the next."""
    size = min(fisher.rows, fisher.parameters)
    if not 1 <= d <= size:
        raise BoundcheckError(f"d={d} leading eigenvalues", expected=f"1 to {size}, the least of N·k and n")
    if fisher.parameters < fisher.rows and size <= LARGEST_MATRIX:
        return _of_parameters(fisher, d, check=check)
    if size <= LARGEST_MATRIX and (check or d + 1 >= size):
        rows: Linearised = score_rows(fisher._model, fisher.x, fisher._chunk, fisher._scored)
    else:
        rows = linearise(fisher)
    return _of_rows(fisher, rows, d, check=check)


def _of_parameters(fisher: "Fisher", d: int, *, check: bool) -> LeadingSpectrum:
    """From F itself."""
    size = fisher.parameters
    costs = _costs(size, min(d + 1, size), 0, None, check=check)
    route = min(costs, key=lambda name: costs[name])
    matrix = Matrix(_fortran(fisher.matrix()))
    found = _decomposed(matrix, d, route, check=check)
    right = torch.from_numpy(np.ascontiguousarray(found.vectors.T)).to(fisher.outputs.device)
    why = f"F itself, of n = {size} rows beside N·k = {fisher.rows}. {_told(costs, route)}"
    return _spectrum(fisher, found, d, (route, why), trace=matrix.trace, right=right)


def _of_rows(fisher: "Fisher", rows: Linearised, d: int, *, check: bool) -> LeadingSpectrum:
    """From A·Aᵀ."""
    size, device = fisher.rows, fisher.outputs.device
    form = rows.gram_cost if isinstance(rows, ScoreRows) and size <= LARGEST_MATRIX else None
    costs = _costs(size, min(d + 1, size), form, rows.product_cost, check=check)
    if not costs:
        raise BoundcheckError(f"all eigenvalues of a matrix of {size} rows", expected=f"at most {LARGEST_MATRIX} rows")
    route = min(costs, key=lambda name: costs[name])
    why = f"A·Aᵀ of N·k = {size} rows. {_told(costs, route)}"
    if route == "operator":

        def apply(columns: Array) -> Array:
            return rows.row_space(torch.from_numpy(columns).to(device)).cpu().numpy()

        trace = rows.trace()
        found = leading_pairs(Operator(size, trace, apply), min(d + 1, size - 1), check=check)
        if not len(found.values):
            raise BoundcheckError("Lanczos' method did not converge", expected="eigenvalues", remedy="use check=True")
    else:
        assert isinstance(rows, ScoreRows)
        matrix = Matrix(_fortran(rows.gram_triangle()))
        trace = matrix.trace
        found = _decomposed(matrix, d, route, check=check)
    left = torch.from_numpy(np.ascontiguousarray(found.vectors)).to(device)
    return _spectrum(fisher, found, d, (route, why), trace=trace, left=left, rows=rows)


def _decomposed(matrix: Matrix, d: int, route: str, *, check: bool) -> LeadingPairs:
    count = min(d + 1, matrix.size)
    return all_pairs(matrix, count) if route == "all" else leading_pairs(matrix, count, check=check)


def _fortran(upper: Tensor) -> Array:
    """A symmetric matrix whose upper triangle is given, as LAPACK takes it: the lower one, by columns."""
    return upper.cpu().numpy().T


def _costs(size: int, count: int, form: int | None, product: int | None, *, check: bool) -> dict[str, float]:
    """Multiplications, at the rate of a matrix product, by the ways that are open.

    Lanczos' method takes about 16 products a pair on spectra without gaps; less on others.
    """
    products = 16 * count + 20
    costs: dict[str, float] = {}
    if form is not None:
        costs["all"] = form + EIGENVECTORS * size**3
        if count < size:
            costs["matrix"] = form + VECTOR_RATE * products * size**2 + (size**3 / 6 if check else 0.0)
    if product is not None and count < size and not (check and form is not None):
        costs["operator"] = VECTOR_RATE * products * product
    return costs


def _told(costs: dict[str, float], route: str) -> str:
    names = {
        "all": "all its eigenvalues",
        "matrix": "Lanczos' method with the matrix",
        "operator": "with its products alone",
    }
    told = ", ".join(f"{names[name]} {cost:.1e}" for name, cost in sorted(costs.items(), key=lambda item: item[1]))
    return f"Multiplications: {told}. Taken: {names[route]}."


def _spectrum(
    fisher: "Fisher",
    found: LeadingPairs,
    d: int,
    route: tuple[str, str],
    *,
    trace: float,
    left: Tensor | None = None,
    right: Tensor | None = None,
    rows: Linearised | None = None,
) -> LeadingSpectrum:
    values = torch.from_numpy(found.values.copy()).clamp(min=0).to(fisher.outputs.device)
    errors = torch.from_numpy(found.errors).to(values) + 2 * noise(fisher) * trace
    return LeadingSpectrum(
        fisher=fisher,
        eigenvalues=values,
        errors=errors,
        rank=int((values > errors).sum()),
        _left=values.new_zeros(fisher.rows, 0) if left is None else left,
        _right=right,
        d=d,
        trace=trace,
        residuals=torch.from_numpy(found.residuals).to(values),
        rest_at_most=found.rest_at_most,
        counted_by=found.counted_by,
        route=route[0],
        why=route[1],
        _linearised=rows,
    )
