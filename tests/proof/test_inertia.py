"""Spectra by counting: against mpmath on hard matrices, with wrong hints, and against the other formula."""

from fractions import Fraction

import numpy as np
import pytest
from flint import arb, arb_mat, ctx
from hypothesis import given, settings
from hypothesis import strategies as st

from boundcheck.proof import inertia, spectra
from boundcheck.proof.balls import Balls
from tests.proof import oracle
from tests.proof.oracle import HARD, SQUARE, Matrix

BITS = 160
Ends = tuple[Fraction, Fraction]


def _exact(rows: Matrix, *, symmetric: bool = False) -> arb_mat:
    size = range(len(rows))
    rows = [[rows[max(i, j)][min(i, j)] for j in size] for i in size] if symmetric else rows
    return arb_mat([[arb(float(x)) for x in row] for row in rows])


def _ends(bracket: tuple[arb, arb]) -> Ends:
    lower, upper = (Balls(BITS).endpoints(x)[0] for x in bracket)
    assert isinstance(lower, Fraction)
    assert isinstance(upper, Fraction)
    return lower, upper


def _singular(rows: Matrix) -> list[Ends]:
    with ctx.workprec(BITS):
        return [_ends(x) for x in inertia.singular_values(_exact(rows))]


def _eigen(rows: Matrix) -> list[Ends]:
    with ctx.workprec(BITS):
        return [_ends(x) for x in inertia.eigenvalues(_exact(rows, symmetric=True))]


def _are_enclosed(found: list[Ends], expected: list[Fraction], bits: int) -> None:
    largest = max(map(abs, expected))
    for (lower, upper), value in zip(found, expected, strict=True):
        error = largest / 10**500
        assert lower - error <= value <= upper + error
        assert upper - lower <= (abs(value) if abs(value) > error else largest) / 2**bits


@pytest.mark.parametrize("name", HARD)
def test_singular_values(name: str) -> None:
    found = _singular(HARD[name])
    assert all(lower >= 0 for lower, _ in found)
    _are_enclosed(found, oracle.singular_values(HARD[name]), BITS - 28)


@pytest.mark.parametrize("name", SQUARE)
def test_eigenvalues(name: str) -> None:
    _are_enclosed(_eigen(SQUARE[name]), oracle.eigenvalues(SQUARE[name]), BITS - 28)


@settings(max_examples=100)
@given(st.tuples(st.integers(1, 4), st.integers(1, 4)).flatmap(lambda size: oracle.small_matrices(*size)))
def test_both_formulas_agree(rows: Matrix) -> None:
    with ctx.workprec(BITS):
        other = [Balls(BITS).endpoints(x) for x in spectra.singular_values(_exact(rows))]
    assert all(oracle.meet(x, y) for x, y in zip(_singular(rows), other, strict=True))


@pytest.mark.parametrize("factor", [1 + 1e-45, 1 + 1e-12, 1.1, -1.0, 0.0, 1e6])
@pytest.mark.parametrize("name", ["integers", "square", "repeated values", "all ones", "Hilbert's"])
def test_a_wrong_hint_costs_width_and_not_truth(name: str, factor: float, monkeypatch: pytest.MonkeyPatch) -> None:
    for function in ("singular_values", "eigenvalues"):
        honest = getattr(spectra, function)
        monkeypatch.setattr(spectra, function, lambda a, honest=honest: [x * arb(factor) for x in honest(a)])
    _are_enclosed(_singular(HARD[name]), oracle.singular_values(HARD[name]), -20)
    if name in SQUARE:
        _are_enclosed(_eigen(SQUARE[name]), oracle.eigenvalues(SQUARE[name]), -80)


def test_entries_with_radii() -> None:
    for rad in (1e-25, 1e-6, 0.2):
        with ctx.workprec(BITS):
            ball = arb_mat([[arb(x, rad) for x in row] for row in HARD["square"]])
            found = [_ends(x) for x in inertia.singular_values(ball)]
        rows = np.array(HARD["square"])
        left, _, right = np.linalg.svd(rows)
        for side in (left[:, :1] @ right[:1], -left[:, :1] @ right[:1], np.ones((6, 6))):
            # Along its first singular vectors the matrix moves the first value as far as it can.
            member = rows + 0.99 * rad * side / np.abs(side).max()
            for (lower, upper), value in zip(found, oracle.singular_values(member.tolist()), strict=True):
                assert 0 <= lower <= value + Fraction(1, 10**14)
                assert value - Fraction(1, 10**14) <= upper
                assert upper - lower <= Fraction(12.1 * rad)


def test_symmetric_entries_with_radii() -> None:
    lower_half = np.tril(np.array(HARD["square"]))
    rows = lower_half + np.tril(lower_half, -1).T
    _, vectors = np.linalg.eigh(rows)
    with ctx.workprec(BITS):
        found = [_ends(x) for x in inertia.eigenvalues(arb_mat([[arb(x, 0.1) for x in row] for row in rows.tolist()]))]
    for index in (0, 5):
        for sign in (-1, 1):
            move = sign * np.outer(vectors[:, index], vectors[:, index])
            member = rows + 0.1 * move / np.abs(move).max()
            for (lower, upper), value in zip(found, oracle.eigenvalues(member.tolist()), strict=True):
                assert lower <= value + Fraction(1, 10**14)
                assert value - Fraction(1, 10**14) <= upper
                assert upper - lower <= Fraction(1.21)


def test_a_count_is_only_given_where_it_is_certain() -> None:
    with ctx.workprec(BITS):
        count = inertia._counter(_exact([[2.0, 1.0], [1.0, 2.0]]))
        assert [count(arb(t)) for t in (0.5, 1.5, 3.5)] == [0, 1, 2]
        assert count(arb(1.0)) is None
        assert count(arb(3.0)) is None
        assert count(arb(2.0)) is None
        assert count(arb(1.5, 1e-9)) is None


def test_a_wrong_enclosure_is_caught() -> None:
    found, expected = _eigen(HARD["square"]), oracle.eigenvalues(HARD["square"])
    _are_enclosed(found, expected, BITS - 28)
    moved = [(lower + Fraction(1, 10**30), upper + Fraction(1, 10**30)) for lower, upper in found]
    with pytest.raises(AssertionError):
        _are_enclosed(moved, expected, BITS - 28)
