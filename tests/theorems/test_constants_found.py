"""The constants that are needed: closed forms against mpmath and the claims, stored figures against their instances."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import pytest
import torch
from scipy import stats

from boundcheck.problem import Problem
from boundcheck.profiles import profile
from boundcheck.search import Options, run_campaign
from boundcheck.search.certify import Certifier
from boundcheck.theorems.alignment_collapse.experiments import projection_law
from boundcheck.theorems.local_edits.experiments import closed_forms, constants
from boundcheck.theorems.local_edits.experiments.constants_pages import write_pages
from boundcheck.theorems.local_edits.experiments.edge import Edge
from boundcheck.theorems.local_edits.experiments.needed import (
    MOVEMENT_ABOVE,
    MOVEMENT_BELOW,
    OUTSIDE,
    QUANTITIES,
    SPILL,
    WEAKER,
    Quantity,
)
from boundcheck.theorems.local_edits.lemma_6 import path_length_le_path_factor
from boundcheck.verdict import Status

STORED = Path(__file__).parents[2] / "reports" / "constants.json"
SIXTEENTH = Fraction(1, 16)
CURVES = (Fraction(1, 64), Fraction(1, 16), Fraction(1, 8), Fraction(1, 4))


# ------------------------------------------------------------------------------------------------------------ closed forms


@pytest.mark.parametrize("c", CURVES)
def test_the_path_is_where_a_falling_slope_has_used_up_the_residual(c: Fraction) -> None:
    with mpmath.workdps(40):
        x = mpmath.mpf(c.numerator) / c.denominator
        root = mpmath.findroot(lambda length: 1 - length + x * length**2 / 2, 1)  # R - s·L + β·L²/2 with R = s = 1
        rising = mpmath.findroot(lambda length: 1 - length - x * length**2 / 2, 1)
        spill = (1 - mpmath.sqrt(2) * x * root**2 / 2 - x * root / 2) ** 2 / 2
    assert abs(float(closed_forms.path(c)) - float(root)) < 1e-14
    assert abs(float(closed_forms.movement_from_below(c)) - float(rising)) < 1e-14
    assert abs(float(closed_forms.outside(c)) - float(root**2 / 2)) < 1e-14
    assert abs(float(closed_forms.spill(c)) - float(spill)) < 1e-14


def test_the_adaptive_curve_is_that_of_a_dense_search_over_e() -> None:
    e = np.linspace(1e-6, 0.5, 500_001)
    for c in (1 / 64, 1 / 32, 1 / 16):
        rate = 2 * (1 - e) ** 2 - c * (1 + e) ** 4
        factor = 2 * (1 + e) / rate
        fit = (rate > 0) & (c * factor <= e)
        bracket = 1 - c * factor**2 - c * factor / rate
        best = bracket[fit].max() ** 2 / 2
        assert float(closed_forms.adaptive_spill(Fraction(c))) == pytest.approx(best, rel=1e-4)
    none = 2 * (1 - e) ** 2 - 0.125 * (1 + e) ** 4
    assert not ((none > 0) & (0.125 * 2 * (1 + e) <= e * none)).any()
    assert closed_forms.adaptive_spill(Fraction(1, 8)) == 0


def test_the_proved_constants_are_at_least_as_good_as_those_the_claims_state() -> None:
    stated = {q.name: q.claim.constants[q.constant].value for q in QUANTITIES}
    assert closed_forms.decimal(closed_forms.adaptive_spill(SIXTEENTH), up=False) >= stated[SPILL.name]
    assert closed_forms.decimal(closed_forms.spill(SIXTEENTH), up=False) >= stated[SPILL.name]
    assert closed_forms.decimal(closed_forms.movement_from_below(SIXTEENTH), up=False) >= stated[MOVEMENT_BELOW.name]
    assert closed_forms.decimal(closed_forms.path(SIXTEENTH), up=True) <= stated[MOVEMENT_ABOVE.name]
    assert closed_forms.decimal(closed_forms.outside(SIXTEENTH), up=True) <= stated[OUTSIDE.name]


def test_decimals_lie_on_the_safe_side() -> None:
    third = closed_forms.ball(Fraction(1, 3))
    assert closed_forms.decimal(third, up=False) == Fraction(333333, 10**6)
    assert closed_forms.decimal(third, up=True) == Fraction(333334, 10**6)


def sharper() -> Iterator[tuple[Quantity, Fraction]]:
    yield MOVEMENT_BELOW, closed_forms.decimal(closed_forms.movement_from_below(SIXTEENTH), up=False)
    yield MOVEMENT_ABOVE, closed_forms.decimal(closed_forms.path(SIXTEENTH), up=True)
    yield OUTSIDE, closed_forms.decimal(closed_forms.outside(SIXTEENTH), up=True)
    yield SPILL, closed_forms.decimal(closed_forms.spill(SIXTEENTH), up=False)


@pytest.mark.parametrize(("quantity", "value"), list(sharper()), ids=[q.name for q, _ in sharper()])
def test_random_descents_keep_within_the_sharper_constants(quantity: Quantity, value: Fraction, tmp_path: Path) -> None:
    claim = replace(quantity.claim.with_constants({quantity.constant: value}), mutants=())
    entry = run_campaign(claim, Options(profile("fast"), counterexamples=tmp_path))
    assert entry["held"] > 100
    assert entry["violated"] == entry["violated_uncertified"] == 0


def test_a_descent_in_one_dimension_attains_both_bounds_of_the_movement() -> None:
    """f = θ ± ½c·θ² from 0 to 1, descended here with plain floats."""
    for sign, bound in ((-1.0, closed_forms.path(SIXTEENTH)), (1.0, closed_forms.movement_from_below(SIXTEENTH))):
        theta = 0.0
        for _ in range(4000):
            theta -= (1 / 16) * (theta + sign * theta**2 / 32 - 1) * (1 + sign * theta / 16)
        assert theta == pytest.approx(float(bound), rel=1e-12)


def left_of_the_spillover(c: float, kernel_norm: float, *, step: float = 1 / 256) -> float:
    """½f_eval² at the end of a descent of f = θ_1 + β_S·θ_1·θ_2 to 1 with Λβ_S = β = c, in plain floats."""
    bend, one, two = c / kernel_norm, 0.0, 0.0
    for _ in range(20 * int(1 / step)):
        short = 1 - one - bend * one * two
        one, two = one + step * short * (1 + bend * two), two + step * short * bend * one
    return float((one - np.sqrt(kernel_norm**2 - 1) * two - c * one**2 / 2) ** 2 / 2)


@pytest.mark.parametrize("c", CURVES)
def test_instances_come_down_to_the_ceiling_of_theorem_7(c: Fraction) -> None:
    ceiling = float(closed_forms.spill_ceiling(c))
    gaps = [left_of_the_spillover(float(c), norm) - ceiling for norm in (10.0, 100.0, 1000.0)]
    assert abs(gaps[-1]) < 0.01 * ceiling
    assert float(closed_forms.spill(c)) < ceiling
    assert abs(left_of_the_spillover(float(c), 1000.0, step=1 / 1024) - ceiling) < abs(gaps[-1])


# --------------------------------------------------------------------------------------------------------- edge and points


@pytest.mark.parametrize("powers", [(0, 0, 0), (0, 1, 0), (0, 0, 1)])
def test_instances_sit_at_the_edge_of_their_premises(powers: tuple[int, int, int]) -> None:
    edge = Edge(2, 4.0, 1 / 16, powers)
    p = edge.setup(np.random.default_rng(1).normal(size=(8, edge.size)))
    J = p.family.jacobian(p.theta0, {}, p.x_train).flatten(-3, -2).numpy()
    values = np.linalg.svd(J, compute_uv=False)
    assert values[:, 0] == pytest.approx(1.0)
    assert values[:, -1] == pytest.approx(0.25)
    s, S, R, g = 0.25, 1.0, p.residual_norm.numpy(), p.overlap.numpy()
    d = p.beta_eval.numpy() * S * R / (g * s**2) / 4.0 ** powers[2]
    a = p.beta_train.numpy() * R / s**2
    b = p.kernel_norm.numpy() * p.beta_train.numpy() * S * R / (g * s**3) / 4.0 ** powers[1]
    assert d == pytest.approx(1 / 16, rel=1e-5)
    assert np.maximum(a, b) == pytest.approx(1 / 16, rel=1e-5)


def test_weaker_premises_are_weaker_by_the_powers_they_name() -> None:
    edge = Edge(2, 2.0, 1 / 16)
    p = edge.approached(np.random.default_rng(2).normal(size=(1, edge.size)))
    one = p.with_leaves({name: leaf[0] for name, leaf in p.leaves().items()})
    for weaker in (w for w in WEAKER if w.quantity is SPILL):
        numbers = {k: torch.tensor(float(v.value), dtype=torch.float64) for k, v in SPILL.claim.constants.items()}
        _, ours = SPILL.claim.state(one, numbers)
        _, theirs = weaker.claim.state(one, numbers)
        limits = {"b": one.sigma_min**3, "d": one.sigma_min**2}
        for name, power in (("b", weaker.b), ("d", weaker.d)):
            gained = {m.name: m.margin for m in theirs}[name] - {m.name: m.margin for m in ours}[f"{name} <= c"]
            expected = one.overlap * limits[name] * (2.0**power - 1) / 16
            assert float(gained) == pytest.approx(float(expected), abs=1e-12)


def test_a_point_is_found_and_its_constant_refuted_by_two_routes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "SEEDS", (0,))
    monkeypatch.setattr(constants, "GENERATIONS", 25)
    wanted = next(p for p in constants.points() if p.name == "movement from above, c = 1/16")
    found = constants.find(wanted)
    assert found is not None
    assert found["certified"]
    bound = closed_forms.path(SIXTEENTH)
    assert 1.02 < float(Fraction(found["found"])) < float(bound)


# ------------------------------------------------------------------------------------------------------------------ stored


@pytest.fixture(scope="module")
def stored() -> dict[str, Any]:
    data: dict[str, Any] = json.loads(STORED.read_text(encoding="utf-8"))
    return data


CONFIRMED = (
    "Theorem 7, d with two fewer: beta R/(g S), kappa = 32",
    "Theorem 7, c = 1/16",
    "(15), c = 1/16",
    "movement from above, c = 1/4",
    "Theorem 7, kappa = 4",
)


@pytest.mark.parametrize("name", CONFIRMED)
def test_a_stored_instance_refutes_its_constant_again(name: str, stored: dict[str, Any]) -> None:
    point = next(p for p in constants.points() if p.name == name)
    entry = stored["points"][name]
    problem = Problem.from_json(entry["problem"])
    value = Fraction(entry["found"])
    stronger = point.claim.with_constants({point.quantity.constant: value})
    assert Certifier(stronger).certify(problem, 0).status is Status.VIOLATED
    if value < Fraction(1, 1000):
        return  # next to nothing is left: smaller constants fall too
    apart = Fraction(9, 10) if point.quantity.lower else Fraction(11, 10)
    kept = point.claim.with_constants({point.quantity.constant: value * apart})
    assert Certifier(kept).certify(problem, 0).status is Status.HOLDS


def test_nothing_found_contradicts_what_is_proved(stored: dict[str, Any]) -> None:
    proved = {
        MOVEMENT_BELOW.name: closed_forms.movement_from_below,
        MOVEMENT_ABOVE.name: closed_forms.path,
        OUTSIDE.name: closed_forms.outside,
        SPILL.name: closed_forms.spill,
    }
    names = {q.name: q for q in QUANTITIES}
    compared = 0
    for entry in stored["points"].values():
        c = Fraction(entry["c"]) if entry else SIXTEENTH
        if not entry or entry["weaker"] or not closed_forms.path_is_proved(c, min(c, SIXTEENTH)):
            continue
        found, bound = float(Fraction(entry["found"])), float(proved[entry["quantity"]](c))
        assert found >= bound if names[entry["quantity"]].lower else found <= bound
        compared += 1
    assert compared > 20


def test_the_pages_are_those_of_the_stored_figures(stored: dict[str, Any], tmp_path: Path) -> None:
    write_pages(stored, tmp_path)
    assert (tmp_path / "constants.md").read_text(encoding="utf-8") == STORED.with_suffix(".md").read_text(
        encoding="utf-8"
    )
    picture = (tmp_path / "constants.svg").read_text(encoding="utf-8")
    assert 'role="img"' in picture
    assert "<title>" in picture
    assert _named_in_order(picture) == _named_in_order(STORED.with_suffix(".svg").read_text(encoding="utf-8"))


def _named_in_order(picture: str) -> str:
    """Clipping paths p1, p2, … : matplotlib names them by a hash of coordinates, whose last bits are the processor's."""
    names = {name: f"p{place}" for place, name in enumerate(dict.fromkeys(re.findall(r"\bp[0-9a-f]{10}\b", picture)))}
    return re.sub(r"\bp[0-9a-f]{10}\b", lambda found: names[found[0]], picture)


# --------------------------------------------------------------------------------------------------------------- Lemma A.3


@pytest.mark.parametrize(
    ("n", "d", "epsilon"), [(7, 3, Fraction(1, 3)), (40, 8, Fraction(7, 8)), (1000, 30, Fraction(1, 2))]
)
def test_the_law_of_a_projection_is_a_beta_law(n: int, d: int, epsilon: Fraction) -> None:
    law = stats.beta(d / 2, (n - d) / 2)
    mean, e = d / n, float(epsilon)
    above, below = law.sf((1 + e) * mean), law.cdf((1 - e) * mean)
    assert float(projection_law.tail("above", n, d, epsilon)) == pytest.approx(above, rel=1e-9)
    assert float(projection_law.tail("below", n, d, epsilon)) == pytest.approx(below, rel=1e-9)
    room = projection_law.room("both", n, d, epsilon)
    assert room is not None
    assert room.low <= room.high
    assert room.high == pytest.approx(-np.log((above + below) / 2) / (e * e * d), rel=1e-9)


def test_no_instance_of_lemma_a3_is_better_than_chernoff(stored: dict[str, Any]) -> None:
    for row in stored["lemma_a3"]:
        assert row["low"] > float(projection_law.proved(row["side"]))
    best = min(row["high"] for row in stored["lemma_a3"] if row["side"] == "both")
    assert best < 1.01 * (1 - np.log(2)) / 2


def test_an_event_without_probability_leaves_nothing_to_ask() -> None:
    assert projection_law.room("above", 3, 2, Fraction(3, 4)) is None


# ------------------------------------------------------------------------------------------------------------------ resumed


def test_an_interrupted_run_is_taken_up_where_it_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def find(point: constants.Point) -> None:
        asked.append(point.name)
        if len(asked) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(constants, "find", find)
    monkeypatch.setattr(constants, "lemma_a3", list)
    constants.main(tmp_path)
    constants.main(tmp_path)
    names = [point.name for point in constants.points()]
    assert asked == [*names[:3], *names[2:]]
    assert len(set(names)) == len(names)


def test_the_path_is_never_longer_than_proved() -> None:
    """The length of whole descents of the claims' own kind, against P(a)·R/s with each lane's own a."""
    recipe = None
    lengths = 0

    def visit(drawn: Any) -> None:
        nonlocal recipe, lengths
        p = drawn.build(64)
        a = (p.beta_train * p.residual_norm / p.sigma_min.square()).clamp(max=0.5)
        grown = p.step_size * (2 - torch.sqrt(1 - 2 * a)).square()
        bound = 2 / (1 + torch.sqrt(1 - 2 * a)) * p.residual_norm / p.sigma_min
        inside = (a < 0.5) & (grown <= 1) & p.length_radius.isfinite() & p.rho0.gt(bound) & p.sigma_min.gt(0)
        assert bool((p.path_length - p.length_radius <= bound)[inside].all())
        lengths += int(inside.sum())

    from boundcheck.search.drawing import over

    over(path_length_le_path_factor.over, visit, 12, 0)
    assert lengths > 100
