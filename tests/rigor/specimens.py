"""Matrices that are easy, hard and hopeless, and what mpmath knows of them at 60 digits."""

import math
from collections.abc import Iterator
from typing import Any

import mpmath
import numpy as np
import torch
from torch import Tensor

from boundcheck.rigor import Enclosure

DIGITS = 60
SEED = 20250117


def enclosure(matrix: Any, radius: float = 0.0) -> Enclosure:
    mid = torch.as_tensor(np.asarray(matrix), dtype=torch.float64)
    return Enclosure(mid, torch.full_like(mid, radius))


def exactly(matrix: Tensor, weights: Tensor | None = None, radius: Tensor | None = None) -> Any:
    """The mpmath matrix mid + weights·radius."""
    rows, columns = matrix.shape
    result = mpmath.matrix(rows, columns)
    for i in range(rows):
        for j in range(columns):
            result[i, j] = mpmath.mpf(float(matrix[i, j]))
            if weights is not None and radius is not None:
                result[i, j] += mpmath.mpf(float(weights[i, j])) * mpmath.mpf(float(radius[i, j]))
    return result


def inside_points(x: Enclosure, seed: int) -> Iterator[Any]:
    """The middle of one matrix's enclosure, and two of its corners."""
    assert x.mid.dim() == 2
    yield exactly(x.mid)
    if bool((x.rad > 0).any()):
        for corner in range(2):
            rng = np.random.default_rng([SEED, seed, corner])
            yield exactly(x.mid, torch.from_numpy(rng.choice([-1.0, 1.0], tuple(x.mid.shape))), x.rad)


def spectrum(matrix: Any) -> list[Any]:
    """All min(m, n) singular values, decreasing."""
    tall = matrix if matrix.rows >= matrix.cols else matrix.T
    if not any(tall):
        return [mpmath.mpf(0)] * tall.cols
    return sorted(mpmath.svd_r(tall, compute_uv=False), reverse=True)


def holds(x: Enclosure, index: Any, exact: Any) -> bool:
    mid, rad = float(x.mid[index]), float(x.rad[index])
    return math.isinf(rad) or bool(
        abs(exact - mpmath.mpf(mid)) <= mpmath.mpf(rad) + mpmath.mpf(10) ** (3 - DIGITS) * abs(exact)
    )


def random_orthogonal(rng: np.random.Generator, n: int) -> Any:
    return np.asarray(np.linalg.qr(rng.standard_normal((n, n)))[0])


def with_spectrum(rng: np.random.Generator, rows: int, columns: int, values: Any) -> Any:
    rank = len(values)
    left, right = random_orthogonal(rng, rows)[:, :rank], random_orthogonal(rng, columns)[:, :rank]
    return np.asarray((left * values) @ right.T)


def specimens() -> dict[str, np.ndarray]:
    """Named matrices: well and ill conditioned, rank deficient, extreme in size, special in shape."""
    rng = np.random.default_rng(SEED)
    found = {
        f"{m}x{n}": rng.standard_normal((m, n))
        for m, n in [(1, 1), (1, 4), (4, 1), (2, 2), (3, 5), (5, 3), (4, 4), (6, 2)]
    }
    for power in (4, 8, 12, 14):
        found[f"condition 1e{power}"] = with_spectrum(rng, 4, 4, np.logspace(0, -power, 4))
        found[f"tall, condition 1e{power}"] = with_spectrum(rng, 5, 3, np.logspace(0, -power, 3))
    found["clustered"] = with_spectrum(rng, 5, 4, np.array([1, 1 + 1e-14, 1 - 1e-14, 1e-3]))
    found["duplicated rows"] = np.array([[1.0, 2, 3], [1, 2, 3], [0, 1, 5]])
    found["duplicated columns"] = np.array([[1.0, 1], [2, 2], [7, 7]])
    found["rank 1"] = np.outer([1.0, 2, 3, 4], [5.0, 6, 7])
    found["zero"] = np.zeros((3, 2))
    found["identity"] = np.eye(3)
    found["one entry"] = np.array([[0.0, 0], [0, 3], [0, 0]])
    found["tiny"] = 1e-160 * rng.standard_normal((3, 3))
    found["subnormal"] = 1e-310 * rng.standard_normal((2, 3))
    found["huge"] = 1e140 * rng.standard_normal((3, 3))
    found["too huge to square"] = 1e200 * rng.standard_normal((3, 3))
    found["graded"] = np.diag([1e8, 1.0, 1e-8]) @ rng.standard_normal((3, 3))
    found["Hilbert"] = 1.0 / np.asarray(1 + np.arange(6)[:, None] + np.arange(6), dtype=np.float64)
    return found


SPECIMENS = specimens()
SINGULAR = {"duplicated rows", "duplicated columns", "rank 1", "zero", "one entry"}
RADII = [0.0, 1e-13, 1e-3]


def symmetric_specimens() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(SEED)
    found: dict[str, np.ndarray] = {}
    for n in (1, 2, 5):
        a = rng.standard_normal((n, n))
        found[f"random {n}"] = a + a.T
    turn = random_orthogonal(rng, 4)
    spectra: dict[str, list[float]] = {
        "condition 1e14": [1.0, 1e-4, 1e-9, 1e-14],
        "indefinite": [1.0, -1.0, 1e-3, -1e-3],
        "multiple": [2.0, 2.0, 2.0, -1.0],
    }
    for label, values in spectra.items():
        a = (turn * np.array(values)) @ turn.T
        found[label] = np.tril(a) + np.tril(a, -1).T
    found["zero"] = np.zeros((3, 3))
    found["singular"] = np.ones((3, 3))
    found["tiny"] = 1e-160 * found["random 5"]
    return found


SYMMETRIC = symmetric_specimens()
