"""Float64 preconditioners for matrices of enclosures: hints, of which nothing is believed.

Multiplied by one the matrix is nearly the identity, or nearly orthonormal, and elimination or Gram-Schmidt widens nothing.
`None` where float64 has no answer.
"""

from collections.abc import Iterable
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def as_floats(entries: Iterable[Fraction], rows: int, columns: int) -> Floats | None:
    """The matrix of these entries, rounded; they may overflow as they are made."""
    try:
        return np.array([float(x) for x in entries]).reshape(rows, columns)
    except OverflowError:
        return None


def inverse(a: Floats) -> Floats | None:
    """A⁻¹, about."""
    try:
        found = np.linalg.inv(a)
    except np.linalg.LinAlgError:
        return None
    return np.asarray(found, dtype=np.float64) if np.isfinite(found).all() else None


def orthonormaliser(a: Floats) -> Floats | None:
    """An upper triangular T with a positive diagonal such that A·T is about orthonormal; A `[rows, columns]`, rows >= columns."""
    triangle = np.linalg.qr(a)[1]
    turn = inverse(triangle * np.sign(np.diag(triangle))[:, None])
    return np.asarray(np.triu(turn), dtype=np.float64) if turn is not None and (np.diag(turn) > 0).all() else None
