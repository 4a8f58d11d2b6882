"""Covariances: what is named is what is built, each derived quantity against NumPy, and the overlap knob turns one way."""

import math
from collections.abc import Callable
from typing import Any

import hypothesis
import numpy as np
import pytest
import scipy.linalg
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from boundcheck import BoundcheckError, Claim, Identity, Problem, Sides, Source, Stance
from boundcheck.search import Evaluator
from boundcheck.strategies import CovariancePairs, Covariances, covariance_pairs, covariances
from boundcheck.strategies.covariances import CovariancePairRecipe, CovarianceRecipe
from boundcheck.strategies.spectra import KINDS, SpectrumKind

LANES = 16
SEEDS = st.integers(0, 2**31 - 1)


def claim(check: Callable[..., Any]) -> Claim:
    return Claim("TEST", check.__name__, Source("tests", "none"), Stance.PROVED, check, covariances())


@given(recipe=covariances(max_condition=1e4))
@settings(max_examples=40, deadline=None)
def test_derived_quantities_agree_with_numpy(recipe: CovarianceRecipe) -> None:
    drawn = recipe.build(LANES)
    matrices = drawn.matrix.numpy()
    for lane, matrix in enumerate(matrices):
        spectrum = np.linalg.eigvalsh(matrix)
        assert np.allclose(np.sort(drawn.eigenvalues[lane].numpy()), spectrum, rtol=1e-9)
        assert math.isclose(float(drawn.trace[lane]), np.trace(matrix), rel_tol=1e-12)
        assert math.isclose(float(drawn.norm[lane]), np.linalg.norm(matrix, 2), rel_tol=1e-12)
        assert math.isclose(float(drawn.condition[lane]), np.linalg.cond(matrix), rel_tol=1e-9)
        squared = np.trace(matrix) ** 2 / np.trace(matrix @ matrix)
        assert math.isclose(float(drawn.effective_dimension[lane]), squared, rel_tol=1e-12)
        assert math.isclose(float(drawn.intrinsic_dimension[lane]), np.trace(matrix) / spectrum[-1], rel_tol=1e-12)


@given(recipe=covariances())
@settings(max_examples=40, deadline=None)
def test_dimensions_are_ordered(recipe: CovarianceRecipe) -> None:
    drawn = recipe.build(LANES)
    slack = 1 + 1e-12
    assert (drawn.intrinsic_dimension >= 1 / slack).all()
    assert (drawn.effective_dimension >= drawn.intrinsic_dimension / slack).all()
    assert (drawn.effective_dimension <= drawn.dim * slack).all()


@given(recipe=covariances(dim=5, max_condition=50.0))
@settings(max_examples=40, deadline=None)
def test_kinds_are_what_they_are_called(recipe: CovarianceRecipe) -> None:
    drawn = recipe.build(64)
    logs = drawn.log_eigenvalues
    relative = logs - logs[:, :1]
    assert (drawn.condition <= 50 * (1 + 1e-12)).all()
    if recipe.kind == "isotropic":
        assert torch.allclose(drawn.effective_dimension, torch.full((64,), 5.0, dtype=torch.float64))
    elif recipe.kind == "spiked":
        assert set((relative == 0).sum(-1).tolist()) == {1, 2}
    elif recipe.kind == "power_law":
        slopes = relative[:, 1:] / torch.log(torch.arange(2, 6, dtype=torch.float64))
        assert torch.allclose(slopes, slopes[:, :1].expand_as(slopes), rtol=1e-9)
    elif recipe.kind == "conditioned":
        assert torch.allclose(drawn.condition, torch.full((64,), 50.0, dtype=torch.float64))


@given(recipe=covariances(dim=3, kinds=["conditioned"]))
@settings(max_examples=10, deadline=None)
def test_turned_or_diagonal(recipe: CovarianceRecipe) -> None:
    drawn = recipe.build(LANES)
    off_diagonal = drawn.matrix - torch.diag_embed(torch.diagonal(drawn.matrix, dim1=-2, dim2=-1))
    assert (off_diagonal.abs().amax() > 1e-3) == recipe.turned


@given(recipe=covariance_pairs(max_condition=1e3))
@settings(max_examples=40, deadline=None)
def test_pairs_agree_with_numpy(recipe: CovariancePairRecipe) -> None:
    drawn = recipe.build(LANES)
    for lane in range(LANES):
        first, second = drawn.first.matrix[lane].numpy(), drawn.second_matrix[lane].numpy()
        product = np.trace(first @ second)
        assert math.isclose(float(drawn.product_trace[lane]), product, rel_tol=1e-9)
        sizes = np.linalg.norm(first) * np.linalg.norm(second)
        assert math.isclose(float(drawn.cosine[lane]), product / sizes, rel_tol=1e-9)
        half = np.real(scipy.linalg.sqrtm(first))
        mixed = half @ second @ half
        assert np.allclose(
            np.linalg.eigvalsh(drawn.mixed[lane].numpy()), np.linalg.eigvalsh(mixed), rtol=1e-6, atol=1e-9 * product
        )
        dimension = np.trace(mixed) ** 2 / np.trace(mixed @ mixed)
        assert math.isclose(float(drawn.mixed_effective_dimension[lane]), dimension, rel_tol=1e-6)
        spectrum = np.sort(np.exp(drawn.log_second[lane].numpy()))
        assert np.allclose(np.linalg.eigvalsh(second), spectrum, rtol=1e-9)


@given(
    seed=SEEDS,
    dim=st.integers(2, 6),
    kinds=st.tuples(*(st.sampled_from(KINDS) for _ in range(2))),
    overlaps=st.tuples(*(st.floats(0, 1) for _ in range(2))),
)
@settings(max_examples=40, deadline=None)
def test_the_overlap_knob_is_monotone(
    seed: int, dim: int, kinds: tuple[SpectrumKind, SpectrumKind], overlaps: tuple[float, float]
) -> None:
    less, more = sorted(overlaps)
    loose = CovariancePairRecipe(dim, *kinds, overlap=less, seed=seed).build(LANES)
    close = CovariancePairRecipe(dim, *kinds, overlap=more, seed=seed).build(LANES)
    assert torch.equal(loose.log_second, close.log_second)
    # Every angle of the turn is 2·arctan of (1 - overlap) times a number of its own, and the alignment their mean cosine.
    assert (close.alignment >= loose.alignment - 1e-12).all()


@given(seed=SEEDS, dim=st.integers(1, 6))
@settings(max_examples=20, deadline=None)
def test_full_overlap_shares_every_eigenvector(seed: int, dim: int) -> None:
    drawn = CovariancePairRecipe(dim, "any", "any", overlap=1.0, seed=seed).build(LANES)
    assert (drawn.alignment == 1).all()
    commutator = drawn.first.matrix @ drawn.second_matrix - drawn.second_matrix @ drawn.first.matrix
    assert (
        commutator.abs().amax((-1, -2)) <= 1e-12 * drawn.first.norm * drawn.second_matrix.abs().amax((-1, -2))
    ).all()


def test_opposed_pairs_overlap_less() -> None:
    recipe = CovariancePairRecipe(6, "conditioned", "conditioned", overlap=1.0, max_condition=1e4)
    opposed = CovariancePairRecipe(6, "conditioned", "conditioned", overlap=1.0, opposed=True, max_condition=1e4)
    assert torch.allclose(recipe.build(8).cosine, torch.ones(8, dtype=torch.float64))
    assert (opposed.build(8).cosine < 1e-2).all()


@pytest.mark.parametrize("strategy", [covariances(), covariance_pairs()])
def test_lanes_do_not_depend_on_their_batch(strategy: Any) -> None:
    @given(recipe=strategy, lane=st.integers(0, 63))
    @settings(max_examples=20, deadline=None)
    def check(recipe: Any, lane: int) -> None:
        batch, alone = recipe.build(64).leaves(), recipe.build(1, first=lane).leaves()
        for name, tensor in batch.items():
            assert torch.equal(tensor[lane], alone[name][0]), name

    check()


@pytest.mark.parametrize("recipe", [CovarianceRecipe(3, "any"), CovariancePairRecipe(3, "any", "spiked", overlap=0.5)])
def test_json_round_trip(recipe: CovarianceRecipe | CovariancePairRecipe) -> None:
    drawn: Problem = recipe.build(4)
    again = Problem.from_json(drawn.to_json())
    assert type(again) is type(drawn)
    for name, tensor in drawn.leaves().items():
        assert torch.equal(tensor, again.leaves()[name])


def effective_dimension_le_dim(p: Covariances) -> Sides:
    """Tr(Σ)²/Tr(Σ²) <= d, with the traces taken of the matrix."""
    trace = torch.diagonal(p.matrix).sum()
    return Sides(smaller=trace.square() / p.matrix.square().sum(), larger=p.trace.new_full((), float(p.dim)))


def trace_is_sum_of_eigenvalues(p: Covariances) -> Identity:
    """Tr Σ computed through the rotation is the sum of the eigenvalues."""
    return Identity(left=torch.diagonal(p.matrix).sum(), right=p.trace)


def product_trace_through_matrices(p: CovariancePairs) -> Identity:
    """Tr(Σ1·Σ2) from the matrices is what the angles between eigenvectors say."""
    return Identity(left=(p.first.matrix * p.second_matrix).sum(), right=p.product_trace)


@pytest.mark.parametrize(
    ("check", "recipe"),
    [
        (effective_dimension_le_dim, CovarianceRecipe(4, "any")),
        (trace_is_sum_of_eigenvalues, CovarianceRecipe(4, "conditioned")),
        (product_trace_through_matrices, CovariancePairRecipe(4, "any", "power_law", overlap=0.5)),
    ],
)
def test_claims_see_the_matrices_through_their_free_parameters(
    check: Callable[..., Any], recipe: CovarianceRecipe | CovariancePairRecipe
) -> None:
    judgement = Evaluator(claim(check))(recipe.build(32))
    assert int((judgement.equal() | judgement.held()).sum()) == 32


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_reached_within_100_examples(kind: str) -> None:
    quiet = settings(
        max_examples=100, database=None, deadline=None, phases=[hypothesis.Phase.generate], derandomize=True
    )
    hypothesis.find(covariances(), lambda r: r.kind == kind, settings=quiet)
    hypothesis.find(covariance_pairs(), lambda r: r.second == kind, settings=quiet)


def test_structures_shrink_to_the_simplest() -> None:
    quiet = settings(max_examples=500, database=None, deadline=None)
    smallest = hypothesis.find(covariances(), lambda r: r.build(8).effective_dimension.amax() > 2.5, settings=quiet)
    assert smallest == CovarianceRecipe(3, "isotropic", turned=False, seed=0)
    pair = hypothesis.find(covariance_pairs(), lambda r: r.build(8).alignment.amin() < 0.9, settings=quiet)
    assert (pair.dim, pair.first, pair.second, pair.opposed, pair.seed) == (2, "isotropic", "isotropic", False, 0)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: covariances(dim=0), r"dim=0; expected a whole number >= 1"),
        (lambda: covariances(dim=2.5), r"dim=2\.5; expected a whole number >= 1"),  # type: ignore[arg-type]
        (lambda: covariances(max_dim=0), r"max_dim=0; expected"),
        (lambda: covariances(kinds=()), r"kinds=\(\); expected at least one of isotropic"),
        (lambda: covariances(kinds=["flat"]), r"kinds=\['flat'\]; expected"),  # type: ignore[list-item]
        (lambda: covariances(kinds="any"), r"kinds='any'; expected"),  # type: ignore[arg-type]
        (lambda: covariances(max_condition=0.5), r"max_condition=0\.5; expected a finite number >= 1"),
        (lambda: covariances(max_condition=math.inf), r"max_condition=inf; expected"),
        (lambda: covariances(max_condition=math.nan), r"max_condition=nan; expected"),
        (lambda: covariance_pairs(overlaps=()), r"overlaps=\(\); expected at least one number"),
        (lambda: covariance_pairs(overlaps=(0.5, 1.5)), r"overlaps=\(0\.5, 1\.5\); expected"),
        (lambda: covariance_pairs(dim=-1), r"dim=-1; expected"),
    ],
)
def test_what_is_refused(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(BoundcheckError, match=message):
        make()
