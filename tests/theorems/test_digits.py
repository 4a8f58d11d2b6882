"""The digits experiment: a network that was really trained, thresholds that are where they are said to be, and measured
quantities against an independent NumPy computation.
"""

import math
import sys
from collections.abc import Callable

import numpy as np
import pytest
import torch

from boundcheck import BoundcheckError, Claim, Stance, registered_claims
from boundcheck.claim import Premise, collecting_premises
from boundcheck.dynamics import FineTuning, Setup
from boundcheck.profiles import profile
from boundcheck.search import Options, run_campaign

pytest.importorskip("sklearn", reason="the digits come with scikit-learn")

from boundcheck.theorems.local_edits import setting
from boundcheck.theorems.local_edits.experiments import digits

KEYS = [
    "LE-6i:digits",
    "LE-6ii:digits",
    "LE-6iii:digits-lower",
    "LE-6iii:digits-upper",
    "LE-8:digits",
    "LE-7:digits-U",
    "LE-7:digits-adaptive",
]
C = torch.tensor(digits.LIMIT, dtype=torch.float64)


@pytest.fixture(scope="module")
def solved() -> FineTuning:
    return digits.edited_digits()


def test_the_network_is_trained() -> None:
    data, network = digits.digits(), digits.trained_network()
    assert 0.4 < float((data.parity[data.held_out] > 0).double().mean()) < 0.6, "chance is about one half"
    assert digits.accuracy(network, data) > 0.95
    untrained = digits.Network(torch.randn_like(network.first), torch.randn_like(network.head))
    assert digits.accuracy(untrained, data) < 0.75


def test_training_repeats() -> None:
    digits.trained_network.cache_clear()
    first = digits.trained_network()
    digits.trained_network.cache_clear()
    assert torch.equal(first.first, digits.trained_network().first)


def test_images_are_standardised() -> None:
    data = digits.digits()
    assert data.images.shape == (1797, 64)
    assert data.images.mean(0).abs().max() < 1e-14
    assert math.isclose(float(data.images.square().sum(-1).mean()), 1.0, rel_tol=1e-12)


def test_the_instance_is_what_the_docstring_says(solved: FineTuning) -> None:
    data = digits.digits()
    assert solved.lanes == len(digits.SHIFTS)
    edited = [int(data.digit[(data.images == row).all(-1)][0]) for row in solved.x_train[0]]
    assert edited == [digits.EDITED] * digits.SAMPLES
    assert solved.x_eval.shape[-2] == int((data.digit == digits.EVALUATED).sum())
    start = solved.family.outputs(solved.theta0, solved.frozen, solved.x_train)
    assert torch.allclose(start[0, :, 0], digits.trained_network()(solved.x_train[0]), rtol=1e-12)
    moved = (solved.y_train - start).squeeze(-1)
    assert torch.allclose(moved, torch.tensor(digits.SHIFTS, dtype=torch.float64)[:, None].expand_as(moved), rtol=1e-9)
    assert (solved.rho0 == torch.inf).all()
    assert (solved.step_size <= digits.LIMIT).all()


def test_every_descent_reached_its_limit(solved: FineTuning) -> None:
    assert (solved.tuned_radius < 1e-4 * solved.step_norm).all()
    end = torch.linalg.vector_norm(solved.residual(solved.tuned), dim=-1)
    assert (end <= 1e-9 * solved.residual_norm).all()


def gradient_descent(p: FineTuning, lane: int) -> np.ndarray:
    """The same descent, written again: one lane, explicit sums, NumPy."""
    weights = p.theta0[lane].reshape(32, 64).numpy().copy()
    head, images = p.frozen["head"][lane, 0].numpy(), p.x_train[lane].numpy()
    labels, eta = p.y_train[lane, :, 0].numpy(), float(p.eta[lane])
    for _ in range(int(p.path_steps[lane, -1])):
        active = np.tanh(images @ weights.T)
        residual = active @ head / math.sqrt(32) - labels
        weights -= eta * ((residual[:, None] * (1 - active**2) * head).T @ images) / math.sqrt(32)
    return weights.reshape(-1)


@pytest.mark.parametrize("lane", [0, 12])
def test_measured_quantities_agree_with_numpy(solved: FineTuning, lane: int) -> None:
    tuned = gradient_descent(solved, lane)
    assert np.allclose(tuned, solved.tuned[lane].numpy(), atol=1e-9)
    first, head = solved.theta0[lane].numpy(), solved.frozen["head"][lane, 0].numpy()
    train, evaluation = solved.x_train[lane].numpy(), solved.x_eval[lane].numpy()

    def outputs(theta: np.ndarray, images: np.ndarray) -> np.ndarray:
        return np.tanh(images @ theta.reshape(32, 64).T) @ head / math.sqrt(32)

    def jacobian(images: np.ndarray) -> np.ndarray:
        slope = 1 - np.tanh(images @ first.reshape(32, 64).T) ** 2
        return np.stack([np.outer(s * head, x).reshape(-1) / math.sqrt(32) for s, x in zip(slope, images, strict=True)])

    spill = 0.5 * np.mean((outputs(tuned, evaluation) - outputs(first, evaluation)) ** 2)
    assert math.isclose(float(solved.spill[lane]), spill, rel_tol=1e-6)
    _, values, rows = np.linalg.svd(jacobian(train), full_matrices=False)
    assert math.isclose(float(solved.sigma_min[lane]), values[-1], rel_tol=1e-9)
    assert math.isclose(float(solved.sigma_max[lane]), values[0], rel_tol=1e-9)
    spread = (
        jacobian(evaluation) @ jacobian(evaluation).T / len(evaluation)
    )  # has the kernel's eigenvalues, 174 of 2048
    restricted = rows @ (jacobian(evaluation).T @ (jacobian(evaluation) @ rows.T)) / len(evaluation)
    assert math.isclose(float(solved.overlap[lane]), math.sqrt(np.linalg.eigvalsh(restricted)[0]), rel_tol=1e-6)
    assert math.isclose(float(solved.kernel_norm[lane]), math.sqrt(np.linalg.eigvalsh(spread)[-1]), rel_tol=1e-6)
    curvature = 4 / (3 * math.sqrt(3)) * np.abs(head).max() / math.sqrt(32)
    for measured, images, count in ((solved.beta_train, train, 1), (solved.beta_eval, evaluation, len(evaluation))):
        moment = sum(float(x @ x) * np.outer(x, x) for x in images)
        assert math.isclose(
            float(measured[lane]), curvature * math.sqrt(np.linalg.norm(moment, 2) / count), rel_tol=1e-9
        )


def margins(state: Callable[[Setup], object], shift: float) -> dict[str, float]:
    """The margins of some premises at one label shift, evaluated directly."""
    setup = digits.edited_setup((shift,))
    instance = setup.with_leaves({name: tensor[0] for name, tensor in setup.leaves().items()})
    collected: list[Premise]
    with collecting_premises() as collected:
        state(instance)
    return {p.name: float(p.margin) for p in collected}


STATED: dict[str, tuple[str, Callable[[Setup], object]]] = {
    "a": ("a <= c", lambda p: setting.theorem_7_scale_free(p, C)),
    "b": ("b <= c", lambda p: setting.theorem_7_scale_free(p, C)),
    "d": ("d <= c", lambda p: setting.theorem_7_scale_free(p, C)),
    "(7) as printed": ("(7) smoothness", lambda p: setting.theorem_7_as_printed(p, C)),
    "(11) as printed, first part,": ("(11) first", lambda p: setting.theorem_7_as_printed(p, C)),
    "(11) as printed, second part,": ("(11) second", lambda p: setting.theorem_7_as_printed(p, C)),
}


@pytest.mark.parametrize("name", STATED)
def test_each_premise_flips_at_its_threshold(solved: FineTuning, name: str) -> None:
    threshold = digits.conditions(solved)[name].largest_shift
    stated, premises = STATED[name]
    assert margins(premises, threshold * (1 - 1e-4))[stated] > 0
    assert margins(premises, threshold * (1 + 1e-4))[stated] < 0


def test_the_adaptive_premise_flips_at_its_threshold(solved: FineTuning) -> None:
    threshold = digits.conditions(solved)[digits.ADAPTIVE].largest_shift
    for shift, holds in ((threshold * 0.999, True), (threshold * 1.001, False)):
        setup = digits.edited_setup((shift,))
        e = torch.linspace(1e-4, 0.5, 20001, dtype=torch.float64)
        a = setup.beta_train * setup.residual_norm / setup.sigma_min**2
        rate = 2 * (1 - e) ** 2 - setup.step_size * (1 + e) ** 4
        assert bool(((rate > 0) & (a * 2 * (1 + e) <= e * rate)).any()) == holds


def test_the_ladder_spans_from_a_realistic_edit_to_where_everything_holds(solved: FineTuning) -> None:
    found = digits.conditions(solved)
    assert digits.SHIFTS[0] == 2.0
    assert all(condition.largest_shift < 1.0 for condition in found.values()), "no premise holds at a realistic edit"
    assert all(condition.largest_shift > 2 * digits.SHIFTS[-1] for condition in found.values())


@pytest.fixture(scope="module")
def entries(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, object]]:
    folder = tmp_path_factory.mktemp("counterexamples")
    claims = registered_claims()
    return {key: run_campaign(claims[key], Options(profile("fast"), counterexamples=folder)) for key in KEYS}


@pytest.mark.parametrize("key", KEYS)
def test_each_claim_is_measured_and_never_violated(entries: dict[str, dict[str, object]], key: str) -> None:
    entry = entries[key]
    assert entry["verdict"] == "MEASURED", entry["reason"]
    assert entry["input"] == "real"
    assert entry["tested"] == len(digits.SHIFTS)
    assert isinstance(entry["held"], int)
    assert entry["held"] >= 3
    assert entry["violated_uncertified"] == entry["invalid"] == 0


@pytest.mark.parametrize("key", [key for key in KEYS if key != "LE-8:digits"])
def test_premises_fail_at_the_top_of_the_ladder_only(
    entries: dict[str, dict[str, object]], solved: FineTuning, key: str
) -> None:
    names = {"LE-7:digits-U": ("a", "b", "d"), "LE-7:digits-adaptive": (digits.ADAPTIVE,)}.get(key, ("a",))
    largest = min(digits.conditions(solved)[name].largest_shift for name in names)
    says_nothing = [smaller <= 0 for smaller, _ in digits.sides(registered_claims()[key], solved)]
    expected = sum(shift > largest or empty for shift, empty in zip(digits.SHIFTS, says_nothing, strict=True))
    assert entries[key]["vacuous"] == expected


@pytest.mark.parametrize("key", KEYS)
def test_claims_reuse_the_functions_of_the_theorems(key: str) -> None:
    claim = registered_claims()[key]
    original = {
        "LE-6i:digits": "LE-6i:U",
        "LE-6ii:digits": "LE-6ii:U",
        "LE-6iii:digits-lower": "LE-6iii:U-lower",
        "LE-6iii:digits-upper": "LE-6iii:U-upper",
        "LE-8:digits": "LE-8:proved",
        "LE-7:digits-U": "LE-7:U",
        "LE-7:digits-adaptive": "LE-7:adaptive",
    }[key]
    assert claim.check is registered_claims()[original].check
    assert claim.stance is Stance.PROVED
    assert claim.group == "LE-digits"


def notes(claim: Claim, problem: FineTuning) -> str:
    assert claim.notes is not None
    return claim.notes(problem)


def test_notes_tell_the_sides_and_the_thresholds(solved: FineTuning) -> None:
    text = notes(digits.spill, solved)
    found = digits.conditions(solved)
    smaller, larger = digits.sides(digits.spill, solved)[0]
    assert f"{smaller:.3g} and {larger:.3g} at a label shift of 2" in text
    for name in digits.THEOREM_7:
        assert f"{name} is " in text
        assert f"holds up to {found[name].largest_shift:.2g}" in text
    assert "hold at any label shift" in notes(digits.remainder, solved)
    assert "the bound is above 0 from a label shift of" in notes(digits.spill_adaptive, solved)


def test_a_missing_scikit_learn_is_told_when_the_instance_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    digits.digits.cache_clear()
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(BoundcheckError, match=r"pip install 'boundcheck\[real\]'"):
        digits.digits()
    monkeypatch.undo()
    assert len(digits.digits().digit) == 1797
