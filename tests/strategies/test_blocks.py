"""Blocks stand for matrices too long to write down: what they say agrees with matrices that are written down."""

import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

import hypothesis
import numpy as np
import pytest
import scipy.linalg
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import stats
from torch import Tensor

from boundcheck.claim import Draws
from boundcheck.errors import BoundcheckError
from boundcheck.problem import Problem
from boundcheck.strategies import Blocks, SampledGrams, SampledRows, blocks, sampled_grams, sampled_rows, sampled_turned
from boundcheck.strategies.blocks import BlocksRecipe
from boundcheck.strategies.lanes import LaneStream
from boundcheck.strategies.sampled_blocks import GatedBlocks, SampledGramsRecipe, SampledRowsRecipe
from boundcheck.theorems.local_edits.regression_samples import extreme_squares, least_spills, overlap_squares
from tests.strategies.instances import one_instance

ALARM = 1e-7
"""With which probability each comparison of a law with its samples fails although both are the same. The seeds are fixed."""

SAMPLES = 4_000
LANES = 64


def leaf(*values: float) -> Tensor:
    return torch.tensor([values], dtype=torch.float64)


# ------------------------------------------------------------------------------------------- quantities of the spectra

PAIRS = st.lists(st.tuples(st.floats(1e-6, 1e3), st.floats(0, 1e3), st.integers(1, 5)), min_size=1, max_size=4)


@given(pairs=PAIRS, seed=st.integers(0, 1000))
@settings(max_examples=60, deadline=None)
def test_quantities_are_those_of_full_matrices(pairs: list[tuple[float, float, int]], seed: int) -> None:
    first, second, sizes = (np.array(column, float) for column in zip(*pairs, strict=True))
    p = Blocks(leaf(*first), leaf(*second), leaf(*sizes), torch.ones(1, dtype=torch.float64), "1" * len(pairs))
    one = one_instance(p, 0)
    n = int(sizes.sum())
    Q = stats.ortho_group.rvs(n, random_state=seed) if n > 1 else np.ones((1, 1))
    long = [np.repeat(values, sizes.astype(int)) for values in (first, second)]
    S1, S2 = (Q @ np.diag(values) @ Q.T for values in long)
    root = Q @ np.diag(np.sqrt(long[0])) @ Q.T
    A = root @ S2 @ root
    expected = {
        "trace": np.trace(S1),
        "norm": np.linalg.norm(S1, 2),
        "effective_dimension": np.trace(S1) ** 2 / np.trace(S1 @ S1),
        "intrinsic_dimension": np.trace(S1) / np.linalg.norm(S1, 2),
        "product_trace": np.trace(S1 @ S2),
    }
    if second.max() > 1e-6:
        expected["mixed_effective_dimension"] = np.trace(A) ** 2 / np.trace(A @ A)
        expected["mixed_intrinsic_dimension"] = np.trace(A) / np.linalg.norm(A, 2)
    for name, value in expected.items():
        assert float(getattr(one, name)) == pytest.approx(value, rel=1e-9, abs=1e-9), name


def test_spread_is_the_variance_of_a_squared_feature() -> None:
    """Var(h²) by quadrature."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(24)
    weights = weights / weights.sum()
    p = Blocks(leaf(1, 1, 1, 1), leaf(1, 1, 1, 1), leaf(1, 1, 1, 1), torch.ones(1, dtype=torch.float64), "1234")
    for block, found in enumerate(p.spread.tolist()):
        h = np.polynomial.hermite_e.hermeval(nodes, [0] * (block + 1) + [1]) / math.sqrt(math.factorial(block + 1))
        assert found == pytest.approx(float(weights @ h**4 - (weights @ h**2) ** 2), rel=1e-9)


def test_the_largest_sizes_lose_nothing_that_counts() -> None:
    """One direction of half of the trace over 10¹⁵ of the other half, in whole numbers."""
    n = 10**15
    p = one_instance(Blocks(leaf(1.0, 1 / n), leaf(0.0, 1.0), leaf(1, n), torch.ones(1, dtype=torch.float64), "11"), 0)
    assert float(p.effective_dimension) == pytest.approx(4.0, rel=1e-12)
    assert float(p.intrinsic_dimension) == pytest.approx(2.0, rel=1e-12)
    assert float(p.mixed_effective_dimension) == pytest.approx(n, rel=1e-12)


# ------------------------------------------------------------------------------------------ samples and their law


@dataclass(frozen=True)
class FixedGrams(SampledGramsRecipe):
    """SampledGrams of given spectra."""

    spectra: tuple[tuple[float, ...], tuple[float, ...], tuple[float, ...]] = ((), (), ())

    def _spectra(self, stream: LaneStream) -> GatedBlocks:
        return fixed(self.spectra, self.gates, self.samples)


@dataclass(frozen=True)
class FixedRows(SampledRowsRecipe):
    """SampledRows of given spectra."""

    spectra: tuple[tuple[float, ...], tuple[float, ...], tuple[float, ...]] = ((), (), ())

    def _spectra(self, stream: LaneStream) -> GatedBlocks:
        return fixed(self.spectra, self.gates, self.samples)


def fixed(spectra: tuple[tuple[float, ...], ...], gates: str, m: int) -> GatedBlocks:
    first, second, sizes = (leaf(*values) for values in spectra)
    return GatedBlocks(first, second, sizes, torch.full((1,), float(m), dtype=torch.float64), "1" * len(gates), gates)


@dataclass(frozen=True)
class Case:
    first: tuple[float, ...]
    second: tuple[float, ...]
    sizes: tuple[int, ...]
    gates: str
    m: int

    def options(self, seed: int) -> dict[str, Any]:
        spectra = (self.first, self.second, tuple(map(float, self.sizes)))
        return {
            "gates": self.gates,
            "samples": self.m,
            "effective": 0.0,
            "intrinsic": 0.0,
            "trials": SAMPLES,
            "seed": seed,
            "spectra": spectra,
        }

    def matrices(self, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Explicit features `[samples, m, n]` and the diagonal of Σ_2 `[n]`."""
        rng = np.random.default_rng(seed)
        blocks = []
        for value, n, gate in zip(self.first, self.sizes, self.gates, strict=True):
            z = rng.standard_normal((SAMPLES, self.m, 1))
            w = rng.standard_normal((SAMPLES, self.m, n))
            h = np.polynomial.hermite_e.hermeval(z, [0] * int(gate) + [1]) / math.sqrt(math.factorial(int(gate)))
            blocks.append(math.sqrt(value) * h * w)
        return np.concatenate(blocks, axis=-1), np.repeat(self.second, self.sizes)


CASES = [
    Case((1.0,), (1.0,), (9,), "0", 3),
    Case((1.0, 0.1), (0.3, 2.0), (3, 40), "00", 4),
    Case((1.0, 0.5, 0.01), (0.0, 1.0, 3.0), (1, 2, 12), "000", 4),  # blocks of fewer dimensions than samples
    Case((2.0, 1.0), (0.5, 4.0), (2, 3), "00", 5),  # as many dimensions as samples
    Case((1.0,), (1.0,), (2,), "0", 1),
    Case((1.0,), (2.0,), (12,), "1", 3),
    Case((1.0, 0.2), (1.0, 0.4), (6, 20), "20", 3),
    Case((1.0, 0.2, 3.0), (1.0, 0.4, 0.1), (2, 8, 1), "310", 3),
]


def same_law(found: np.ndarray, expected: np.ndarray, what: str) -> None:
    """Kolmogorov and Smirnov's test of two samples; what is always the same number is known up to rounding."""
    assert found.shape == expected.shape == (SAMPLES,)
    assert stats.ks_2samp(np.round(found, 9), np.round(expected, 9), method="asymp").pvalue > ALARM, what


def statistics(gram: np.ndarray, mixed: np.ndarray) -> dict[str, np.ndarray]:
    """What is compared, of Gram matrices X·Xᵀ and X·Σ_2·Xᵀ, by other routes than those under test."""
    m = gram.shape[-1]
    pairs = list(zip(mixed, gram, strict=True))
    inverse = np.linalg.inv(gram)
    return {
        "first diagonal entry": gram[:, 0, 0],
        "last diagonal entry": gram[:, -1, -1],
        "an entry off the diagonal": gram[:, -1, 0],
        "the other Gram matrix's last entry": mixed[:, -1, -1],
        "the sum of both": gram.sum((1, 2)) + mixed[:, 0, 0],
        "least eigenvalue": np.linalg.eigvalsh(gram)[:, 0],
        "largest eigenvalue": np.linalg.eigvalsh(gram)[:, -1],
        "overlap": np.array([scipy.linalg.eigh(a, b, eigvals_only=True, subset_by_index=[0, 0])[0] for a, b in pairs]),
        "least spill": 0.5 * np.linalg.eigvalsh(inverse @ mixed @ inverse)[:, 0],
        "neighbours": gram[:, m // 2, (m - 1) // 2],
    }


@pytest.mark.parametrize("case", CASES, ids=str)
def test_gram_matrices_have_the_law_of_explicit_samples(case: Case) -> None:
    p = one_instance(FixedGrams(**case.options(5)).build(1), 0)
    rows, roots = p.rows.numpy(), np.diag(p.kernel_root.numpy())
    X, second = case.matrices(6)
    found = statistics(rows @ rows.swapaxes(1, 2), (rows * roots**2) @ rows.swapaxes(1, 2))
    expected = statistics(X @ X.swapaxes(1, 2), (X * second) @ X.swapaxes(1, 2))
    for what, values in found.items():
        same_law(values, expected[what], what)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_what_a_claim_reads_off_the_rows(case: Case) -> None:
    """Sample by sample: σ_min², σ_max², γ_ov² and the least Spill/R², against eigenvalues of the Gram matrices."""
    p = one_instance(FixedGrams(**case.options(7)).build(1), 0)
    p = p.with_leaves(p.leaves() | {"z": p.z[:50], "factors": p.factors[:50]})
    rows, roots = p.rows.numpy(), np.diag(p.kernel_root.numpy())
    expected = statistics(rows @ rows.swapaxes(1, 2), (rows * roots**2) @ rows.swapaxes(1, 2))
    least, largest = extreme_squares(p)
    good = expected["least eigenvalue"] > 1e-6 * expected["largest eigenvalue"]
    assert good.sum() > 40
    for values, name in [
        (least, "least eigenvalue"),
        (largest, "largest eigenvalue"),
        (overlap_squares(p), "overlap"),
        (least_spills(p), "least spill"),
    ]:
        assert values.numpy()[good] == pytest.approx(expected[name][good], rel=1e-6, abs=1e-9), name


def test_fewer_dimensions_than_samples_make_singular_gram_matrices() -> None:
    case = Case((1.0, 0.5), (1.0, 0.2), (1, 2), "01", 6)
    p = one_instance(FixedGrams(**case.options(8)).build(1), 0)
    rows = p.rows.numpy()
    X, _ = case.matrices(9)
    found, expected = (np.linalg.eigvalsh(x @ x.swapaxes(1, 2)) for x in (rows, X))
    assert np.abs(found[:, :3]).max() < 1e-10, "rank 3 of 6"
    for index in (3, 4, 5):
        same_law(found[:, index], expected[:, index], f"eigenvalue {index}")


@pytest.mark.parametrize("n", [1, 2, 3, 7, 10**6, 10**12])
def test_gram_matrices_of_any_size_have_the_moments_of_a_wishart_matrix(n: int) -> None:
    """E W = n·I, Var W_ii = 2n, Var W_ij = n: z-tests of the first, the second with the fourth moment as seen."""
    m = 3
    p = one_instance(FixedGrams(**Case((1.0,), (1.0,), (n,), "0", m).options(n % 97)).build(1), 0)
    W = (p.rows @ p.rows.mT).numpy() / n
    limit = stats.norm.isf(ALARM / 2)
    for i in range(m):
        for j in range(m):
            centred = W[:, i, j] - (i == j)
            variance = (2 if i == j else 1) / n
            assert abs(centred.mean()) < limit * math.sqrt(variance / SAMPLES), (i, j)
            squares = centred**2
            assert abs(squares.mean() - variance) < limit * squares.std() / math.sqrt(SAMPLES), (i, j)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_lengths_of_rows_have_the_law_of_explicit_samples(case: Case) -> None:
    p = one_instance(FixedRows(**case.options(10)).build(1), 0)
    X, second = case.matrices(11)
    lengths, mixed = p.energy(torch.ones_like(p.second)).numpy(), p.energy(p.second).numpy()
    expected, expected_mixed = (X**2).sum(-1), (X**2 * second).sum(-1)
    for i in {0, case.m - 1}:
        same_law(lengths[:, i], expected[:, i], "length")
        same_law(mixed[:, i], expected_mixed[:, i], "length in Σ_2")
        same_law(mixed[:, i] / lengths[:, i], expected_mixed[:, i] / expected[:, i], "quotient")
    same_law(lengths.min(-1), expected.min(-1), "shortest")
    same_law(lengths.max(-1), expected.max(-1), "longest")


@pytest.mark.parametrize("case", CASES, ids=str)
def test_relative_variance_is_that_of_explicit_samples(case: Case) -> None:
    p = one_instance(FixedRows(**case.options(12)).build(1), 0)
    X, second = case.matrices(13)
    for values, energies in [
        (p.first, (X**2).sum(-1)),
        (p.first * p.second, (X**2 * second).sum(-1)),
    ]:
        found = float(p.relative_variance(values))
        assert found == pytest.approx(exact_relative_variance(case, values.numpy()), rel=1e-10)
        if "3" not in case.gates:  # E h⁸ of degree 3 is so large that samples say nothing
            relative = (energies[:, 0] / energies[:, 0].mean() - 1) ** 2
            assert abs(relative.mean() - found) < 6 * relative.std() / math.sqrt(SAMPLES)


def exact_relative_variance(case: Case, values: np.ndarray) -> float:
    """By quadrature over the gate and the moments of χ²."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(24)
    weights = weights / weights.sum()
    variance = mean = 0.0
    for value, n, gate in zip(values, case.sizes, case.gates, strict=True):
        h = np.polynomial.hermite_e.hermeval(nodes, [0] * int(gate) + [1]) / math.sqrt(math.factorial(int(gate)))
        second = float(weights @ h**4) * (stats.chi2(n).var() + stats.chi2(n).mean() ** 2)
        variance += value**2 * (second - n**2)
        mean += value * n
    return variance / mean**2


@given(seed=st.integers(0, 10**6), freedom=st.lists(st.integers(0, 10**6), min_size=1, max_size=4))
@settings(max_examples=30, deadline=None)
def test_chi_square_numbers_without_freedom_are_zero(seed: int, freedom: list[int]) -> None:
    drawn = LaneStream(seed, 3).chi_square(torch.tensor([freedom] * 3, dtype=torch.float64))
    assert drawn.shape == (3, len(freedom))
    assert ((drawn > 0) == (torch.tensor(freedom) > 0)).all()


@pytest.mark.parametrize("freedom", [1, 2, 5, 10**6, 10**15])
def test_chi_square_numbers_have_their_law(freedom: int) -> None:
    drawn = LaneStream(3, 1).chi_square(torch.full((1, SAMPLES), float(freedom), dtype=torch.float64))[0].numpy()
    assert stats.kstest(drawn, stats.chi2(freedom).cdf).pvalue > ALARM


# --------------------------------------------------------------------------------------------------- what is reached


def head(p: Blocks) -> Tensor:
    """The block of the largest eigenvalue: bool `[lanes, q]`."""
    return p.first >= p.first.amax(-1, keepdim=True)


def effective(p: Blocks) -> Tensor:
    return lanewise(p, lambda one: one.effective_dimension)


def lanewise(p: Blocks, quantity: Callable[[Any], Tensor]) -> Tensor:
    return torch.stack([quantity(one_instance(p, lane)) for lane in range(p.lanes)])


KINDS: dict[str, Callable[[Blocks], Tensor]] = {
    "a spike over a long tail": lambda p: (head(p) & (p.sizes == 1)).any(-1) & (effective(p) > 1e3),
    "d_eff a hundred times r": lambda p: lanewise(p, lambda o: o.effective_dimension / o.intrinsic_dimension) > 100,
    "single dimensions alone": lambda p: (p.sizes == 1).all(-1),
    "the target is blind to the spike": lambda p: (head(p) & (p.second == 0)).any(-1) & (p.second > 0).any(-1),
    "the target sees nothing": lambda p: (p.second == 0).all(-1),
    "sizes of 10^12": lambda p: (p.sizes > 1e12).any(-1),
    "low rank plus noise": lambda p: (p.first.amin(-1) < 1e-6 * p.first.amax(-1)) & (p.sizes[:, 0] < 10),
    "equal eigenvalues, nearly": lambda p: p.first.amin(-1) > 0.9 * p.first.amax(-1),
    "d_eff of A far below that of Σ_1": lambda p: (
        lanewise(p, lambda o: o.mixed_effective_dimension / o.effective_dimension) < 0.01
    ),
    "d_eff of A far above that of Σ_1": lambda p: (
        lanewise(p, lambda o: o.mixed_effective_dimension / o.effective_dimension) > 100
    ),
    "many samples": lambda p: p.samples > 1e6,
    "one sample": lambda p: p.samples == 1,
    "as many samples as effective dimensions, nearly": lambda p: (p.samples > 0.9 * effective(p)) & (p.samples > 5),
}


def found_in(strategy: Draws, wanted: Callable[[Any], Tensor], draws: int) -> Any:
    quiet = settings(
        max_examples=draws,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[hypothesis.Phase.generate],
    )
    return hypothesis.find(strategy, lambda r: bool(wanted(r.build(LANES)).any()), settings=quiet, random=Random(0))


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_spectrum_is_reached_in_ten_draws(kind: str) -> None:
    found_in(blocks(), KINDS[kind], 10)


def test_most_lanes_have_few_samples_for_their_effective_dimensions() -> None:
    for share in (1.0, 2.0**-8):
        p = BlocksRecipe("111", share=share, mixed=False, seed=4).build(500)
        room = share * effective(p)
        wide = room >= 2  # elsewhere one sample is already too many
        assert wide.sum() > 100
        assert (p.samples[wide] <= room[wide]).double().mean() > 0.6
        assert (p.samples >= 1).all()


def test_the_sizes_leave_room_for_what_a_sampled_claim_assumes() -> None:
    for recipe in (
        SampledGramsRecipe("00", 4, 1100.0, 200.0, seed=1),
        SampledRowsRecipe("011", 16, 0.0, 32.0, 32.0, seed=2),
    ):
        p = recipe.build(200)
        m = recipe.samples
        seen = (p.second * p.first).amax(-1) > 0
        good = lanewise(p, lambda o: o.intrinsic_dimension) >= recipe.intrinsic * m
        good &= lanewise(p, lambda o: o.effective_dimension) >= recipe.effective * m
        mixed = lanewise(p, lambda o: o.mixed_effective_dimension) >= recipe.effective * m
        assert (good & (mixed | ~seen)).double().mean() > 0.6
        assert (p.sizes <= 2.0**53).all()


@given(seed=st.integers(0, 10**6), degrees=st.text("1234", min_size=1, max_size=4))
@settings(max_examples=30, deadline=None)
def test_every_lane_is_an_instance(seed: int, degrees: str) -> None:
    p = BlocksRecipe(degrees, seed=seed).build(32)
    assert p.admissible().all()
    assert p.finite().all()
    assert p.degrees == degrees


def test_lanes_that_are_no_instances_are_told() -> None:
    good = {"first": leaf(1, 2), "second": leaf(0, 1), "sizes": leaf(1, 3), "samples": leaf(2)[0]}
    assert Blocks(**good, degrees="11").admissible().all()
    for name, bad in [
        ("first", leaf(0, 1)),
        ("first", leaf(-1, 1)),
        ("second", leaf(-1, 1)),
        ("sizes", leaf(1.5, 1)),
        ("sizes", leaf(0, 1)),
        ("samples", leaf(0)[0]),
        ("samples", leaf(2.5)[0]),
    ]:
        assert not Blocks(**(good | {name: bad}), degrees="11").admissible().any(), (name, bad)


# ---------------------------------------------------------------------------------------------------- recipes, lanes

RECIPES: list[Any] = [
    BlocksRecipe("1", seed=1),
    BlocksRecipe("1342", share=2.0**-8, mixed=False, seed=2),
    SampledGramsRecipe("0", 2, 1100.0, 200.0, trials=4, seed=3),
    SampledGramsRecipe("012", 3, 64.0, 0.0, trials=4, seed=4),
    SampledRowsRecipe("30", 8, 0.0, 32.0, 32.0, trials=4, seed=5),
]


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda r: f"{type(r).__name__}-{r.label}")
def test_a_lane_is_the_same_whatever_is_drawn_beside_it(recipe: Any) -> None:
    together, later = recipe.build(70), recipe.build(8, first=33)
    for name, batch in together.leaves().items():
        assert torch.equal(batch[33:41], later.leaves()[name]), name
        for lane in (0, 40, 69):
            alone = recipe.build(1, first=lane).leaves()[name]
            assert torch.equal(batch[lane], alone[0]), (name, lane)


def simplest(strategy: Draws, wanted: Callable[[Any], bool]) -> Any:
    quiet = settings(max_examples=300, database=None, deadline=None, suppress_health_check=list(HealthCheck))
    return hypothesis.find(strategy, wanted, settings=quiet, random=Random(1))


def test_recipes_shrink_to_two_blocks_and_to_one_sample() -> None:
    assert simplest(blocks(degrees="13"), lambda r: True).degrees in ("13", "31")
    assert simplest(blocks(), lambda r: True) == BlocksRecipe("11", seed=0)
    assert simplest(blocks(), lambda r: len(r.degrees) > 2).degrees == "111"
    assert simplest(blocks(max_blocks=1), lambda r: True).degrees == "1"
    grams = simplest(sampled_grams(effective=64, gates="0123"), lambda r: True)
    assert (grams.gates, grams.samples, grams.seed) == ("0", 1, 0)
    assert simplest(sampled_rows(intrinsic=32), lambda r: "2" in r.gates).gates == "2"


def test_labels_tell_the_structure() -> None:
    assert BlocksRecipe("11").label == "2 blocks"
    assert BlocksRecipe("13").label == "2 blocks of degrees 13"
    assert SampledGramsRecipe("00", 4, 0.0, 0.0).label == "m=4, 2 blocks"
    assert SampledRowsRecipe("01", 8, 0.0, 0.0).label == "m=8, 2 blocks gated 01"


# ----------------------------------------------------------------------------------------------- bad arguments, files


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: blocks(max_blocks=0), "max_blocks=0; expected a whole number >= 1"),
        (lambda: blocks(max_blocks=2.5), "max_blocks=2.5"),  # type: ignore[arg-type]
        (lambda: blocks(degrees=""), "degrees=''; expected digits from 1234"),
        (lambda: blocks(degrees="05"), "degrees='05'"),
        (lambda: blocks(share=0), "share=0; expected a number in (0, 1]"),
        (lambda: blocks(share=1.5), "share=1.5"),
        (lambda: blocks(share=math.nan), "share=nan"),
        (lambda: sampled_grams(max_blocks=-1), "max_blocks=-1"),
        (lambda: sampled_grams(gates="4"), "gates='4'; expected digits from 0123"),
        (lambda: sampled_rows(gates=""), "gates=''"),
        (lambda: blocks(degrees=3), "degrees=3; expected digits from 1234"),  # type: ignore[arg-type]
        (lambda: blocks(degrees=None), "degrees=None; expected digits from 1234"),  # type: ignore[arg-type]
        (lambda: blocks(degrees=["1", "3"]), "degrees=['1', '3']"),  # type: ignore[arg-type]
        (lambda: blocks(share="1"), "share='1'; expected a number in (0, 1]"),  # type: ignore[arg-type]
        (lambda: blocks(share=True), "share=True; expected a number in (0, 1]"),
        (lambda: blocks(max_blocks=True), "max_blocks=True; expected a whole number >= 1"),
        (lambda: sampled_grams(gates=2), "gates=2; expected digits from 0123"),  # type: ignore[arg-type]
        (lambda: sampled_rows(gates=None), "gates=None; expected digits from 0123"),  # type: ignore[arg-type]
        (lambda: sampled_grams(samples=()), "samples=(); expected a tuple of whole numbers >= 1, at least one"),
        (lambda: sampled_grams(samples=(0,)), "samples=(0,); expected a tuple of whole numbers >= 1"),
        (lambda: sampled_grams(samples=(4, -1)), "samples=(4, -1)"),
        (lambda: sampled_rows(samples=(2.5,)), "samples=(2.5,)"),  # type: ignore[arg-type]
        (lambda: sampled_rows(samples=(True,)), "samples=(True,)"),
        (lambda: sampled_rows(samples=4), "samples=4; expected a tuple"),  # type: ignore[arg-type]
        (lambda: sampled_rows(samples="12"), "samples='12'; expected a tuple"),  # type: ignore[arg-type]
        (lambda: sampled_grams(effective=-1), "effective=-1; expected a finite number >= 0"),
        (lambda: sampled_grams(intrinsic=math.nan), "intrinsic=nan; expected a finite number >= 0"),
        (lambda: sampled_rows(mixed=math.inf), "mixed=inf; expected a finite number >= 0"),
        (lambda: sampled_rows(effective="64"), "effective='64'; expected a finite"),  # type: ignore[arg-type]
        (lambda: sampled_turned(effective=-1, intrinsic=1), "effective=-1; expected a finite number >= 0"),
        (lambda: sampled_turned(effective=1, intrinsic=-math.inf), "intrinsic=-inf; expected a finite number >= 0"),
        (lambda: sampled_turned(effective=1, intrinsic=1, samples=()), "samples=(); expected a tuple"),
        (lambda: sampled_turned(effective=1, intrinsic=1, samples=(0,)), "samples=(0,); expected a tuple"),
        (lambda: sampled_turned(effective=1, intrinsic=1, max_planes=0), "max_planes=0; expected a whole number >= 1"),
    ],
)
def test_bad_arguments_are_told_in_one_sentence(call: Callable[[], Any], told: str) -> None:
    with pytest.raises(BoundcheckError, match=re.escape(told)) as caught:
        call()
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith(".")


def stored(problem: Problem, **structure: Any) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(json.dumps(problem.to_json()))
    data["structure"] |= structure
    return data


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda r: f"{type(r).__name__}-{r.label}")
def test_a_stored_instance_comes_back_as_it_was(recipe: Any) -> None:
    problem = recipe.build(3)
    again = Problem.from_json(stored(problem))
    assert again.identity() == problem.identity()
    assert all(torch.equal(again.leaves()[name], tensor) for name, tensor in problem.leaves().items())


@pytest.mark.parametrize("degrees", ["1", "111", "15", "01", "1 ", "", "1٣", 11, None])
def test_a_stored_instance_of_other_degrees_is_refused(degrees: Any) -> None:
    with pytest.raises(BoundcheckError, match="degrees"):
        Problem.from_json(stored(BlocksRecipe("11").build(1), degrees=degrees))


@pytest.mark.parametrize("kind", [SampledGramsRecipe, SampledRowsRecipe])
@pytest.mark.parametrize("change", [{"gates": "0"}, {"gates": "04"}, {"gates": ""}, {"gates": 0}, {"degrees": "13"}])
def test_a_stored_instance_of_other_gates_is_refused(kind: Any, change: dict[str, Any]) -> None:
    with pytest.raises(BoundcheckError, match="gates"):
        Problem.from_json(stored(kind("01", 2, 0.0, 0.0, trials=2).build(1), **change))


def test_samples_are_marked_as_samples() -> None:
    assert SampledGrams.sampled == ("z", "factors")
    assert SampledRows.sampled == ("z", "lengths")
    assert Blocks.sampled == ()
    for recipe in RECIPES:
        problem = recipe.build(1)
        assert set(problem.sampled) <= set(problem.leaves())
