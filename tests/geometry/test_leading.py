"""Leading eigenpairs by Lanczos' method, their bounds and their count, against dense factorisations and mpmath."""

import math
from typing import Any

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from boundcheck.errors import BoundcheckError
from boundcheck.geometry import Fisher, Gaussian, Policy, Softmax, fisher_information, instability_condition, leading
from boundcheck.geometry.leading import Array, LeadingPairs, Matrix, Operator, leading_pairs
from boundcheck.geometry.leading_spectrum import LeadingSpectrum
from tests.geometry.fisher_oracle import POLICIES, mlp, random


def with_spectrum(values: list[float], seed: int = 0) -> Array:
    """A matrix of about this spectrum, exactly symmetric."""
    turn = np.linalg.qr(np.random.default_rng(seed).standard_normal((len(values), len(values)))).Q
    dense = (turn * np.array(values)) @ turn.T
    return np.asfortranarray((dense + dense.T) / 2)


def exact_spectrum(matrix: Array) -> Array:
    """Of the matrix as it stands, in 40 digits, decreasing."""
    with mpmath.workdps(40):
        found = mpmath.eigsy(mpmath.matrix(matrix.tolist()), eigvals_only=True)
        return np.sort([float(value) for value in found])[::-1]


def rounding(matrix: Array) -> float:
    """What products with it may be off by, which the bounds do not count."""
    return 10 * len(matrix) * 2.0**-53 * float(np.linalg.norm(matrix))


SPECTRA = {
    "apart": [float(j) for j in range(1, 15)],
    "clustered": [1 + 1e-9 * j for j in range(7)] + [0.1] * 5,
    "all the same": [2.0] * 9,
    "three threefold": [3.0] * 3 + [2.0] * 3 + [1.0] * 3,
    "of rank 2": [5.0, 1.0] + [0.0] * 9,
    "of rank 1": [5.0] + [0.0] * 9,
    "falling": [10.0**-j for j in range(14)],
}


@pytest.mark.parametrize("name", SPECTRA)
@pytest.mark.parametrize("count", [1, 2, 3, 6])
def test_bounds_hold_and_nothing_is_missing(name: str, count: int) -> None:
    matrix = with_spectrum(SPECTRA[name])
    truth, slack = exact_spectrum(matrix), rounding(matrix)
    found = leading_pairs(Matrix(matrix), count, check=True)
    assert found.counted_by in ("trace", "inertia", "all")
    assert (np.abs(found.values - truth[:count]) <= found.errors + slack).all()
    assert (found.errors <= 1e-11 * max(truth[0], 1.0)).all()
    assert found.rest_at_most >= truth[count] - slack
    np.testing.assert_allclose(found.vectors.T @ found.vectors, np.eye(count), atol=1e-13)
    np.testing.assert_allclose(
        np.linalg.norm(matrix @ found.vectors - found.vectors * found.values, axis=0), found.residuals, atol=slack
    )
    without = leading_pairs(Operator(len(matrix), float(np.trace(matrix)), lambda v: matrix @ v), count, check=True)
    assert without.counted_by in ("", "trace")
    assert (np.abs(without.values - truth[:count]) <= without.errors + slack).all()
    assert without.rest_at_most >= truth[count] - slack


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    st.lists(st.sampled_from([0.0, 1e-8, 0.5, 1.0, 1.0 + 1e-7, 2.0, 8.0]), min_size=3, max_size=11),
    st.integers(1, 10),
    st.integers(0, 99),
)
def test_whatever_the_spectrum(values: list[float], count: int, seed: int) -> None:
    matrix = with_spectrum(values, seed)
    truth, count = exact_spectrum(matrix), min(count, len(values) - 1)
    for check in (True, False):
        found = leading_pairs(Matrix(matrix), count, check=check)
        assert found.counted_by or not check
        assert (np.abs(found.values - truth[:count]) <= found.errors + rounding(matrix)).all()
        assert found.rest_at_most >= truth[count] - rounding(matrix)


def test_the_lower_triangle_is_all_that_is_read() -> None:
    full = with_spectrum(SPECTRA["apart"])
    lower = np.asfortranarray(np.tril(full))
    assert Matrix(lower).squares == pytest.approx(float(np.square(full).sum()), rel=1e-14)
    np.testing.assert_allclose(leading_pairs(Matrix(lower), 3, check=True).values, [14, 13, 12], rtol=1e-14)
    np.testing.assert_allclose(leading.all_pairs(Matrix(lower)).values, np.arange(14, 0, -1.0), rtol=1e-13)


def test_the_same_every_time() -> None:
    matrix = Matrix(with_spectrum(SPECTRA["three threefold"]))
    one, other = (leading_pairs(matrix, 4, check=True) for _ in range(2))
    assert np.array_equal(one.values, other.values)
    assert np.array_equal(one.vectors, other.vectors)


@pytest.mark.parametrize("values", [[9.0, 5.0, 4.0, 2.0, 1.5, 1.2, 1.1, 1.0] * 2, list(np.linspace(1.0, 2.0, 30))])
@pytest.mark.parametrize("searches", [0, 4])
def test_an_eigenvector_that_was_overlooked_is_noticed(
    monkeypatch: pytest.MonkeyPatch, values: list[float], searches: int
) -> None:
    """Lanczos' method answers as if the largest eigenvalue did not exist: the inertia tells, and it is found."""
    matrix, ours = with_spectrum(values), leading._lanczos
    missing = np.linalg.eigh(matrix)[1][:, -1:]

    def forgetful(k: Matrix, count: int, seed: int, without: LeadingPairs | None = None) -> LeadingPairs | None:
        if without is not None:
            return ours(k, count, seed, without)
        hidden = ours(Matrix(np.asfortranarray(matrix - 100 * missing @ missing.T)), count, seed)
        return None if hidden is None else leading._ritz(k, hidden.vectors)

    monkeypatch.setattr(leading, "_lanczos", forgetful)
    monkeypatch.setattr(leading, "SEARCHES", searches)
    truth = exact_spectrum(matrix)
    found = leading_pairs(Matrix(matrix), 3, check=True)
    assert found.counted_by == ("inertia" if searches else "all")
    np.testing.assert_allclose(found.values, truth[:3], rtol=1e-13)
    blind = leading_pairs(Matrix(matrix), 3, check=False)
    assert not blind.counted_by
    assert abs(blind.values[0] - truth[0]) <= blind.errors[0]  # wrong, and its bound says how far


def test_a_search_that_does_not_converge(monkeypatch: pytest.MonkeyPatch) -> None:
    matrix = with_spectrum(SPECTRA["apart"])
    monkeypatch.setattr(leading, "_lanczos", lambda *args, **kwargs: None)
    assert leading_pairs(Matrix(matrix), 2, check=True).counted_by == "all"
    assert not len(leading_pairs(Operator(14, 105.0, lambda v: matrix @ v), 2, check=True).values)


# --------------------------------------------------------------------------------------------- of a Fisher information


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.query, self.key, self.value = (nn.Linear(6, 6) for _ in range(3))
        self.scale = nn.Parameter(torch.ones(6))
        self.last = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        tokens = x.reshape(len(x), 3, 6)
        mixed = torch.softmax(self.query(tokens) @ self.key(tokens).mT, dim=-1) @ self.value(tokens)
        return self.last((self.scale * mixed).mean(1))


def networks() -> dict[str, Fisher]:
    torch.manual_seed(0)
    convolution = nn.Sequential(nn.Conv1d(2, 4, 3), nn.Tanh(), nn.Flatten(), nn.Linear(28, 3)).double()
    theta = {"first": random(18, 20, seed=3), "shift": random(20, seed=4), "last": random(20, 3, seed=5)}

    def function(p: dict[str, Tensor], z: Tensor) -> Tensor:
        return torch.tanh(z @ p["first"] + p["shift"]) @ p["last"]

    return {
        "mlp": fisher_information(
            nn.Sequential(nn.Linear(18, 30), nn.Tanh(), nn.Linear(30, 3)).double(), random(40, 18), Softmax()
        ),
        "attention": fisher_information(Attention().double(), random(40, 18), Softmax(), chunk=16),
        "convolution": fisher_information(convolution, random(20, 2, 9), Gaussian(0.3), weights=random(20).square()),
        "function": fisher_information(function, random(40, 18), Softmax(), params=theta),
        "few parameters": fisher_information(mlp(), random(40, 4), Softmax()),
        "long rows": fisher_information(mlp(width=100), random(40, 4), Softmax(), weights=torch.arange(40.0) % 3),
    }


NETWORKS = networks()


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("through", [False, True])
def test_linearised_products_are_those_with_the_rows(
    monkeypatch: pytest.MonkeyPatch, name: str, *, through: bool
) -> None:
    fisher = NETWORKS[name]
    if through:
        monkeypatch.setattr("boundcheck.geometry.linearised.KEPT", 0)
    rows, found = fisher.scores(), fisher.linearised()
    assert type(found).__name__ == ("ThroughTheNetwork" if through else "ScoreRows")
    v, y = random(fisher.parameters, 3), random(fisher.rows, 3, seed=1)
    torch.testing.assert_close(found.along(v), rows @ v)
    torch.testing.assert_close(found.back(y), rows.mT @ y)
    torch.testing.assert_close(found.row_space(y), rows @ (rows.mT @ y))
    assert found.trace() == pytest.approx(float(rows.square().sum()), rel=1e-12)
    assert found.product_cost > 0
    torch.testing.assert_close(fisher.gram(), rows @ rows.mT)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("check", [True, False])
@pytest.mark.parametrize("d", [1, 2, 5])
def test_leading_pairs_are_those_of_a_singular_value_decomposition(name: str, d: int, *, check: bool) -> None:
    fisher = NETWORKS[name]
    _, sigmas, right = torch.linalg.svd(fisher.scores(), full_matrices=False)
    found = fisher.leading(d, check=check)
    torch.testing.assert_close(found.eigenvalues, sigmas[: d + 1].square(), rtol=1e-12, atol=1e-13)
    assert bool(((found.eigenvalues - sigmas[: d + 1].square()).abs() <= found.errors).all())
    assert found.rest_at_most >= float(sigmas[d + 1].square()) - 1e-12
    assert found.trace == pytest.approx(float(sigmas.square().sum()), rel=1e-12)
    assert "Taken: " in found.why
    if check:
        assert found.complete
        space, v = found.eigenspace(), random(fisher.parameters, seed=5)
        assert space.separated
        torch.testing.assert_close(space.project(v), right[:d].mT @ (right[:d] @ v), rtol=1e-8, atol=1e-9)
        basis = space.basis()
        torch.testing.assert_close(basis @ basis.mT, right[:d].mT @ right[:d], rtol=1e-8, atol=1e-9)
        truth = float(sigmas[d:].square().sum())
        assert abs(space.tail - truth) <= space.tail_error + 1e-14
        assert space.weighted_length(v) == pytest.approx(float((sigmas[:d] * (right[:d] @ v)).norm()), rel=1e-8)


def test_ways_and_their_reasons(monkeypatch: pytest.MonkeyPatch) -> None:
    assert NETWORKS["long rows"].leading(1).route == "matrix"
    assert NETWORKS["long rows"].leading(100).route == "all"
    assert NETWORKS["few parameters"].leading(1).why.startswith("F itself, of n = 43")
    monkeypatch.setattr("boundcheck.geometry.leading_spectrum.LARGEST_MATRIX", 10)
    found = NETWORKS["long rows"].leading(1)
    assert found.route == "operator"
    assert not found.complete
    assert "its products alone" in found.why
    with pytest.raises(BoundcheckError, match="all eigenvalues of a matrix of 120 rows; expected at most 10"):
        NETWORKS["long rows"].leading(120)


def test_what_was_not_counted_is_not_claimed() -> None:
    found = NETWORKS["long rows"].leading(3, check=False)
    assert found.counted_by == ""
    value, error = NETWORKS["long rows"].largest(check=False)
    certain, small = NETWORKS["long rows"].largest()
    assert abs(value - certain) <= error
    assert small < 1e-9
    assert not found.complete
    with pytest.raises(BoundcheckError, match=r"larger eigenvalues may be missing .* use check=True"):
        found.eigenspace()


@pytest.mark.parametrize("policy", POLICIES, ids=str)
def test_rank_below_at_and_above_d(policy: Policy) -> None:
    """3 prompts, two of them the same and one without weight: rank k, or k - 1 for a softmax."""
    x = random(3, 4)[[0, 0, 1]]
    fisher = fisher_information(mlp(width=8), x, policy, weights=torch.tensor([1.0, 2.0, 0.0]))
    rank = 2 if isinstance(policy, Softmax) else 3
    for d in (1, rank, rank + 1, 8):
        found = fisher.leading(d)
        assert found.complete
        assert found.rank == min(rank, d + 1)
        if d <= rank:
            assert found.eigenspace().separated
            assert found.eigenspace().tail <= found.trace
        else:
            with pytest.raises(BoundcheckError, match=f"d={d} for a Fisher information of rank {rank}"):
                found.eigenspace()


def test_one_prompt_outputs_that_do_not_move_and_ends() -> None:
    one = fisher_information(mlp(), random(1, 4), Gaussian())
    for d in (1, 2, 3):
        torch.testing.assert_close(one.leading(d).eigenvalues, one.spectrum().eigenvalues[: d + 1])
    for d in (0, -1, 4):
        with pytest.raises(BoundcheckError, match=f"d={d} leading eigenvalues; expected 1 to 3"):
            one.leading(d)
    with pytest.raises(BoundcheckError, match="d=3 in a spectrum of the 2 leading eigenvalues"):
        one.leading(2).eigenspace(3)
    still = fisher_information(lambda theta, x: 0 * (x @ theta), random(30, 40), Gaussian(), params=random(40))
    assert still.leading(2).rank == 0
    assert float(still.leading(2).eigenvalues.max()) == 0.0
    assert still.largest() == (0.0, 0.0)


def test_a_missing_gap_is_said() -> None:
    x = torch.diag(torch.tensor([2.0, 1.0, 1.0, 0.5] + [0.25] * 60).double()) * 8
    fisher = fisher_information(lambda theta, z: z @ theta, x, Gaussian(), params=random(64))
    found = fisher.leading(2)
    torch.testing.assert_close(found.eigenvalues, torch.tensor([4.0, 1.0, 1.0]).double())
    assert not found.eigenspace().separated
    assert math.isnan(found.eigenspace().length(random(64)))
    assert fisher.leading(3).eigenspace().separated


def test_narrow_floats_and_numbers_that_are_none() -> None:
    x = random(40, 4)
    wide = fisher_information(mlp(width=100), x, Softmax()).leading(3)
    narrow = fisher_information(mlp(width=100).float(), x.float(), Softmax()).leading(3)
    assert narrow.eigenvalues.dtype == torch.float64
    assert bool(((wide.eigenvalues - narrow.eigenvalues).abs() <= narrow.errors).all())
    broken = fisher_information(
        lambda theta, z: z @ (theta - 1).abs().sqrt(), x, Gaussian(), params=torch.ones(4).double()
    )
    for check in (True, False):
        with pytest.raises(BoundcheckError, match="not finite"):
            broken.leading(1, check=check)


def test_the_condition_from_the_leading_part() -> None:
    module, x, y = mlp(width=100), random(40, 4), torch.arange(40) % 3

    def loss(params: Any) -> Tensor:
        return nn.functional.cross_entropy(torch.func.functional_call(module, dict(params), (x + 1,)), y)

    light = instability_condition(module, x, Softmax(), loss, d=2, form=False)
    dense = instability_condition(module, x, Softmax(), loss, d=2, form=True)
    assert light.rank is None
    assert dense.rank is not None
    for name in ("smallest", "coupling", "overlap", "tail", "gap", "largest"):
        assert getattr(light, name) == pytest.approx(getattr(dense, name), rel=1e-8)
    assert isinstance(NETWORKS["mlp"].leading(2), LeadingSpectrum)
