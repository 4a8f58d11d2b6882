"""Verified spectra in balls: against mpmath on hard matrices, for all members of a ball, and with hints that are wrong."""

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from flint import arb, arb_mat, ctx
from hypothesis import given, settings
from hypothesis import strategies as st

from boundcheck.proof import spectra
from boundcheck.proof.balls import Balls
from boundcheck.proof.jacobi import right_vectors
from tests.proof import conformance, oracle
from tests.proof.oracle import HARD, SQUARE, Matrix

BITS = 128


def _exact(rows: Matrix) -> arb_mat:
    return arb_mat([[arb(float(x)) for x in row] for row in rows])


def _ends(x: arb) -> tuple[Any, Any]:
    with ctx.workprec(8 * BITS):
        return Balls(BITS).endpoints(x)


@pytest.mark.parametrize("bits", [128, 400])
@pytest.mark.parametrize("name", HARD)
def test_singular_values(name: str, bits: int) -> None:
    balls = Balls(bits)
    with balls.working():
        conformance.encloses_singular_values(balls, name, bits - 12)


@pytest.mark.parametrize("bits", [128, 400])
@pytest.mark.parametrize("name", SQUARE)
def test_eigenvalues(name: str, bits: int) -> None:
    balls = Balls(bits)
    with balls.working():
        conformance.encloses_eigenvalues(balls, name, bits - 12)


@settings(max_examples=150)
@given(st.tuples(st.integers(1, 4), st.integers(1, 4)).flatmap(lambda size: oracle.small_matrices(*size)))
def test_small_matrices(rows: Matrix) -> None:
    with ctx.workprec(BITS):
        found = spectra.singular_values(_exact(rows))
    expected = oracle.singular_values(rows, 80)
    for x, value in zip(found, expected, strict=True):
        lower, upper = _ends(x)
        error = Fraction(1, 10**60) * expected[0]
        assert 0 <= lower <= value + error
        assert value - error <= upper
        assert upper - lower <= upper / 2 ** (BITS - 12)


def test_what_is_exact_stays_exact() -> None:
    with ctx.workprec(BITS):
        assert [_ends(x) for x in spectra.singular_values(_exact([[3.0, 0.0], [4.0, 0.0]]))] == [(5, 5), (0, 0)]
        assert [_ends(x) for x in spectra.singular_values(_exact([[0.0, -2.0], [0.5, 0.0]]))] == [(2, 2), (0.5, 0.5)]
        assert [_ends(x) for x in spectra.singular_values(_exact([[3.0, 4.0, 12.0]]))] == [(13, 13)]
        assert all(_ends(x) == (0, 0) for x in spectra.singular_values(_exact(HARD["zeros"])))
        assert [_ends(x) for x in spectra.eigenvalues(_exact([[2.0, 0.0], [0.0, -1.5]]))] == [(-1.5, -1.5), (2, 2)]
        assert [_ends(x)[0] for x in spectra.eigenvalues(_exact(HARD["all ones"][:3]))][:2] == [0, 0]


@pytest.mark.parametrize("rad", [1e-30, 1e-8, 0.05, 3.0])
@pytest.mark.parametrize("name", ["integers", "wide", "square", "repeated values", "Hilbert's", "zeros", "all ones"])
def test_every_member_of_a_ball_is_enclosed(name: str, rad: float) -> None:
    rows = HARD[name]
    rng = np.random.default_rng(0)
    corners = [(np.asarray(rows) + rad * rng.choice([-1, 1], np.shape(rows)) * (1 - 1e-9)).tolist() for _ in range(3)]
    with ctx.workprec(BITS):
        ball = arb_mat([[arb(x, rad) for x in row] for row in rows])
        singular = [_ends(x) for x in spectra.singular_values(ball)]
        eigen = [_ends(x) for x in spectra.eigenvalues(ball)] if name in SQUARE else []
    assert all(lower >= 0 for lower, _ in singular)
    for member in corners if rad > 1e-10 else [rows]:
        for (lower, upper), value in zip(singular, oracle.singular_values(member, 50), strict=True):
            assert float(lower) * (1 - 1e-12) <= float(value) <= float(upper) * (1 + 1e-12) + 1e-40
        for (lower, upper), value in zip(eigen, oracle.eigenvalues(member, 50) if eigen else [], strict=True):
            assert float(lower) - 1e-12 <= float(value) <= float(upper) + 1e-12
    reach = Fraction(rad * np.sqrt(np.size(rows)))
    assert all(upper - lower <= 2.001 * reach + Fraction(1, 10**30) for lower, upper in [*singular, *eigen])


def test_a_small_value_keeps_its_relative_error_where_entries_have_one() -> None:
    """Not so by Weyl alone: the columns differ by 10⁶⁰."""
    rows = np.array(HARD["square"])[:, :3] * np.array([1e30, 1.0, 1e-30])
    with ctx.workprec(BITS):
        ball = arb_mat([[arb(x) * arb(1, 1e-25) for x in row] for row in rows.tolist()])
        found = [_ends(x) for x in spectra.singular_values(ball)]
    for (lower, upper), value in zip(found, oracle.singular_values(rows.tolist()), strict=True):
        assert lower <= value <= upper
        assert upper - lower <= value / 10**20


def _distorted(vectors: arb_mat, amount: float) -> arb_mat:
    rng = np.random.default_rng(0)
    entries = [
        x.mid() + amount * float(e)
        for x, e in zip(vectors.entries(), rng.normal(size=vectors.ncols() ** 2), strict=True)
    ]
    return arb_mat(vectors.nrows(), vectors.ncols(), entries)


@pytest.mark.parametrize("amount", [1e-30, 1e-9, 1e-2, 10.0])
@pytest.mark.parametrize(
    "name", ["integers", "square", "repeated values", "rank 2 of 4, of integers", "graded columns"]
)
def test_a_wrong_hint_costs_width_and_not_truth(name: str, amount: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "boundcheck.proof.spectra.right_vectors", lambda a, start: _distorted(right_vectors(a, start), amount)
    )
    rows = HARD[name]
    with ctx.workprec(BITS):
        found = [_ends(x) for x in spectra.singular_values(_exact(rows))]
        eigen = [_ends(x) for x in spectra.eigenvalues(_exact(rows))] if name in SQUARE else []
    expected = oracle.singular_values(rows)
    error = expected[0] / 10**400
    assert all(0 <= lower <= value + error for (lower, _), value in zip(found, expected, strict=True))
    assert all(value - error <= upper for (_, upper), value in zip(found, expected, strict=True))
    if eigen:
        expected = oracle.eigenvalues(rows)
        assert all(x[0] - error <= value <= x[1] + error for x, value in zip(eigen, expected, strict=True))


def test_columns_that_are_not_orthogonal_add_to_the_larger_value() -> None:
    """With the identity as a hint: cut behind the first column, the second one counts by its part along the first."""
    rows = [[1.0, 2.0**-10], [0.0, 2.0**-40]]
    with ctx.workprec(BITS):
        bounds = spectra._bounds_by_cuts(_exact(rows), arb_mat(2, 2, 1))
        assert 1 <= bounds[0][0] ** 2 <= 1 + 2.0**-20
        assert bounds[0][1] ** 2 >= 1 + 2.0**-20
        assert bounds[0][1] < 1.01
        assert bounds[1][1] < 0.01


def test_a_hint_that_fails_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> None:
        raise np.linalg.LinAlgError

    monkeypatch.setattr(np.linalg, "svd", fails)
    balls = Balls(BITS)
    with balls.working():
        conformance.encloses_singular_values(balls, "square", BITS - 12)
        conformance.encloses_eigenvalues(balls, "square", BITS - 12)


def test_numbers_beyond_the_doubles() -> None:
    with ctx.workprec(BITS):
        scale = arb(2) ** 5000
        rows = _exact(HARD["square"])
        plain, huge = spectra.singular_values(rows), spectra.singular_values(rows * scale)
        assert all(x.overlaps(y / scale) for x, y in zip(plain, huge, strict=True))
        assert min(x.rel_accuracy_bits() for x in huge) > BITS - 12


def test_a_vector_that_may_be_zero_has_a_norm_from_zero_on() -> None:
    with ctx.workprec(BITS):
        lower, upper = _ends(spectra.norm([arb(0.25, 1.0), arb(-0.5, 1.0)]))
    assert lower == 0
    assert Fraction(19525, 10000) < upper < Fraction(19526, 10000)
