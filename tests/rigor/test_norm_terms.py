"""Each term of the bounds in norm is needed: hints and products made so that it alone is what separates the exact value."""

from fractions import Fraction

import pytest
import torch
from torch import Tensor

from boundcheck.rigor import Enclosure
from boundcheck.rigor import linear_algebra as module
from boundcheck.rigor.enclosure import gamma
from boundcheck.rigor.matrix_functions import _squared


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def exact(matrix: Tensor) -> list[list[Fraction]]:
    return [[Fraction(value) for value in row] for row in matrix.tolist()]


def product(a: list[list[Fraction]], b: list[list[Fraction]]) -> list[list[Fraction]]:
    columns = list(zip(*b, strict=True))
    return [[sum((x * y for x, y in zip(row, column, strict=True)), Fraction(0)) for column in columns] for row in a]


def distance(a: list[list[Fraction]], b: list[list[Fraction]]) -> float:
    """In the Frobenius norm."""
    pairs = zip((x for row in a for x in row), (y for row in b for y in row), strict=True)
    return float(sum((x - y) ** 2 for x, y in pairs)) ** 0.5


@pytest.mark.parametrize("inner", [1, 2, 7, 40])
def test_the_error_of_a_product_is_at_least_that_of_its_entries(inner: int) -> None:
    for a, b in (
        (random(5, inner), random(inner, 3, seed=1)),
        (torch.ones(5, inner).double(), torch.ones(inner, 3).double()),
    ):
        entries = gamma(inner) * float(torch.linalg.matrix_norm(a.abs() @ b.abs()))
        assert entries * (1 - 1e-12) <= float(module.product_error(a, b)) <= 10 * entries


@pytest.mark.parametrize("size", [1e-12, 1e-3, 0.05])
def test_how_far_a_factor_is_from_the_identity(size: float) -> None:
    for triangle in (
        torch.eye(3).double(),
        torch.triu(random(3, 3), 1),
        torch.triu(random(3, 3)),
        -torch.eye(3).double(),
    ):
        t = size * triangle / torch.linalg.matrix_norm(triangle)
        defect = torch.linalg.matrix_norm(t + t.mT + t.mT @ t)
        assert float(module.near_identity(defect)) >= size * (1 - 1e-9)


def test_the_rounding_of_the_product_that_a_residual_is_taken_from(monkeypatch: pytest.MonkeyPatch) -> None:
    """LAPACK's factors multiply, as floats do it, to the very matrix: what is left is the rounding of that product."""
    u, s, vh = random(3, 3), random(3, seed=1).abs() + 1, random(3, 3, seed=2)
    monkeypatch.setattr(module, "orthonormality_defect", lambda q: q.new_zeros(*q.shape[:-2], 1, 1))
    for right in (vh, u.mT):
        matrix = u * s.unsqueeze(-2) @ right
        true = product(product(exact(u), exact(torch.diag(s))), exact(right))
        monkeypatch.setattr(module, "_svd", lambda _, w=right: (u, s, w))
        off = distance(exact(matrix), true)
        assert off > 0
        assert float(module.singular_values(Enclosure.exactly(matrix)).rad.min()) >= off
    symmetric = torch.tril(matrix) + torch.tril(matrix, -1).mT
    monkeypatch.setattr(module, "_eigh", lambda _: (s, u))
    assert float(module.eigh(Enclosure.exactly(symmetric))[0].rad.min()) >= distance(exact(symmetric), true)


@pytest.mark.parametrize("side", ["left", "right"])
def test_vectors_that_are_too_long(side: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The factors multiply to the matrix exactly, but one of them is no isometry."""
    s, unit = torch.tensor([3.0, 1.0], dtype=torch.float64), torch.eye(2, dtype=torch.float64)
    longer = unit * (1 + 2.0**-10)
    factors = (longer, s, unit) if side == "left" else (unit, s, longer)
    monkeypatch.setattr(module, "_svd", lambda _: factors)
    found = module.singular_values(Enclosure.exactly(torch.diag(s * (1 + 2.0**-10))))
    assert bool((found.rad >= s * 2.0**-10).all())
    assert float(found.rad.max()) < 0.1


def test_the_rounding_of_a_square() -> None:
    power = random(4, 3, 3)
    squared, (error,) = _squared(power, torch.tensor([0, 1, 1, 1]), [torch.zeros(4, 1, 1, dtype=torch.float64)])
    assert float(error[0]) == 0.0
    for before, after, bound in zip(power[1:], squared[1:], error[1:], strict=True):
        assert 0 < distance(exact(after), product(exact(before), exact(before))) <= float(bound)
