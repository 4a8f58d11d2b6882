"""`descend` against closed forms and against gradient descent written out in 60-digit numbers."""

import math
from dataclasses import fields
from typing import Any

import mpmath
import numpy as np
import pytest
import torch
from torch import Tensor

from boundcheck.dynamics import FineTuning, Setup, descend
from boundcheck.geometry import Family, GeneralQuadratic, Linear, Quadratic, TwoLayer
from tests.dynamics.oracle import DIGITS, Naive, distance, nearest_interpolant, replaced, setup, tame

# ------------------------------------------------------------------------------------------------ linear: closed forms


@pytest.mark.parametrize(
    ("family", "samples", "spread", "step"),
    [
        (Linear(4), 2, 0.0, (0.05, 1.0)),
        (Linear(4), 1, 3.0, (0.5, 1.5)),
        (Linear(3), 3, 0.0, (0.5, 1.9)),
        (Linear(3, 2), 2, 1.0, (0.05, 1.0)),
        (Linear(4), 2, 2.0, (1.8, 1.99)),
    ],
)
@pytest.mark.parametrize("tolerance", [1e-6, 1e-13])
def test_the_limit_of_a_linear_model_is_the_nearest_interpolant(
    family: Linear, samples: int, spread: float, step: tuple[float, float], tolerance: float
) -> None:
    given = setup(family, 30, samples, step=step, spread=spread, seed=samples)
    tuned = descend(given, max_steps=2048, tolerance=tolerance)
    known = torch.nonzero(tuned.tuned_radius.isfinite()).flatten().tolist()
    assert len(known) >= 29
    with mpmath.workdps(DIGITS):
        for lane in known:
            error = distance(nearest_interpolant(given, lane), tuned.tuned[lane].tolist())
            assert error <= mpmath.mpf(float(tuned.tuned_radius[lane]))
            assert float(tuned.tuned_radius[lane]) < 1e4 * tolerance * float(
                1 + tuned.path_length[lane] + tuned.tuned[lane].norm()
            )


def test_the_limit_agrees_with_numpys_least_squares() -> None:
    given = setup(Linear(5), 12, 3, step=(0.5, 1.0))
    tuned = descend(given, max_steps=8192, tolerance=1e-12)
    for lane in torch.nonzero(tuned.tuned_radius.isfinite()).flatten().tolist():
        x, theta0 = given.x_train[lane].numpy(), given.theta0[lane].numpy()
        label = given.y_train[lane, :, 0].numpy() / float(given.alpha[lane])
        limit = theta0 + np.linalg.lstsq(x, label - x @ theta0, rcond=None)[0]
        assert np.linalg.norm(limit - tuned.tuned[lane].numpy()) <= float(tuned.tuned_radius[lane]) + 1e-11


# ------------------------------------------------------------------------------------------- curved: 60-digit descents

CURVED: list[tuple[Family, int, dict[str, Any]]] = [
    (Quadratic(2), 1, {"step": (0.3, 0.8), "residual": 0.1}),
    (Quadratic(3), 2, {"step": (0.3, 1.0), "residual": 0.1}),
    (Quadratic(2, 2), 1, {"step": (0.3, 1.0), "residual": 0.1}),
    (GeneralQuadratic(3), 2, {"step": (0.3, 1.0), "residual": 0.1}),
    (TwoLayer(2, 2), 1, {"step": (0.3, 0.9), "residual": 0.1}),
    (TwoLayer(3, 3, 1, "softplus"), 2, {"step": (0.3, 0.9), "residual": 0.1}),
    (TwoLayer(2, 3, 2), 1, {"step": (0.3, 0.9), "residual": 0.02}),
    (Linear(3), 2, {"step": (0.3, 1.9)}),
    (Quadratic(2), 1, {"step": (0.5, 1.5), "residual": 1e-3, "spread": 2.0}),
]


@pytest.mark.parametrize("budget", [4, 256])
@pytest.mark.parametrize(
    ("family", "samples", "options"), CURVED, ids=lambda value: str(value) if isinstance(value, Family) else ""
)
def test_every_radius_holds_the_60_digit_descent(
    family: Family, samples: int, options: dict[str, Any], budget: int
) -> None:
    """Also that of lanes that are far from their limit after the budget of steps."""
    given = tame(setup(family, 400, samples, seed=3, **options), 4, kappa=2.5, a=0.1)
    tuned = descend(given, max_steps=budget, tolerance=1e-12)
    limits, decided = 0, 0
    with mpmath.workdps(DIGITS):
        for lane in range(4):
            naive = Naive.of(given, lane)
            exact = naive.descent(800)
            limits += bool(exact)
            decided += bool(exact) and holds(tuned, lane, exact)
            if bool(tuned.path_radius[lane].isfinite()):
                steps = int(tuned.path_steps[lane].max())
                assert_path(tuned, lane, (exact if len(exact) > steps else naive.iterates(steps))[: steps + 1])
    assert limits >= 3
    assert decided >= 3


def assert_path(tuned: FineTuning, lane: int, exact: list[Any]) -> None:
    radius = mpmath.mpf(float(tuned.path_radius[lane]))
    for step, iterate in zip(tuned.path_steps[lane].tolist(), tuned.path[lane].tolist(), strict=True):
        assert distance(exact[int(step)], iterate) <= radius
    farthest = tuned.farthest[lane].tolist()
    assert min(distance(iterate, farthest) for iterate in exact) <= radius
    assert abs(distance(farthest, exact[0]) - max(distance(p, exact[0]) for p in exact)) <= radius


def holds(tuned: FineTuning, lane: int, exact: list[Any]) -> bool:
    """Whether something is said of the limit; whatever is said is compared."""
    if not bool(tuned.tuned_radius[lane].isfinite()):
        return False
    radius, path_radius, length_radius = (
        mpmath.mpf(float(getattr(tuned, name)[lane])) for name in ("tuned_radius", "farthest_radius", "length_radius")
    )
    assert distance(exact[-1], tuned.tuned[lane].tolist()) <= radius
    reached = max(distance(p, exact[0]) for p in exact)
    assert abs(distance(tuned.farthest[lane].tolist(), exact[0]) - reached) <= path_radius
    length = sum(distance(p, q) for p, q in zip(exact[1:], exact[:-1], strict=True))
    assert abs(length - mpmath.mpf(float(tuned.path_length[lane]))) <= length_radius
    return True


def test_checkpoints_are_powers_of_two_until_the_lane_stops() -> None:
    tuned = descend(setup(Linear(3), 8, 1, step=(0.5, 1.5)), max_steps=256)
    for lane in range(8):
        stop = float(tuned.path_steps[lane].max())
        assert tuned.path_steps[lane].tolist() == [min(2.0**j, stop) for j in range(9)]
        late = tuned.path_steps[lane] == stop
        assert torch.equal(tuned.path[lane][late], tuned.path[lane, -1].expand(int(late.sum()), -1))
        assert torch.allclose(tuned.path[lane, -1], tuned.tuned[lane], rtol=1e-7, atol=1e-7)


# ------------------------------------------------------------------------------------------------- lanes that go wrong


def test_lanes_that_go_wrong_have_infinite_radii_and_disturb_no_other() -> None:
    good = setup(TwoLayer(2, 3), 7, 2, step=(0.5, 1.0), residual=0.05)
    eta, y, x, theta0 = good.eta.clone(), good.y_train.clone(), good.x_train.clone(), good.theta0.clone()
    eta[1] *= 1e6  # diverges
    eta[2] *= 1e-12  # hardly moves
    y[3] = math.nan
    x[4] = math.inf
    theta0[5] = 1e200  # every unit saturated
    spoiled = descend(replaced(good, eta=eta, y_train=y, x_train=x, theta0=theta0), max_steps=1024)
    clean = descend(good, max_steps=1024)
    for name in ("tuned_radius", "farthest_radius", "length_radius"):
        assert bool(getattr(spoiled, name)[[1, 3, 4, 5]].isinf().all()), name
    for name in ("tuned_radius", "farthest_radius", "path_radius", "length_radius", "slack"):
        assert not bool(getattr(spoiled, name).isnan().any()), name
    assert bool(spoiled.path_radius[[3, 4]].eq(0).all()), "no step was taken"
    for lane in (0, 6):
        room = clean.tuned_radius[lane] + spoiled.tuned_radius[lane]
        assert torch.equal(room.isinf(), clean.tuned_radius[lane].isinf())
        assert bool((spoiled.tuned[lane] - clean.tuned[lane]).norm() <= room)
        assert bool((spoiled.path[lane] - clean.path[lane]).norm(dim=-1).max() <= 2 * clean.path_radius[lane])


def test_a_diverging_lane_keeps_its_last_sound_iterate() -> None:
    given = setup(Linear(3), 4, 2, step=(4.0, 5.0))
    tuned = descend(given, max_steps=512)
    assert bool(tuned.tuned_radius.isinf().all())
    assert bool(tuned.farthest_radius.isinf().all())
    assert bool(tuned.length_radius.isinf().all())
    assert bool(tuned.tuned.isfinite().all())
    assert bool(tuned.farthest.isfinite().all())
    assert bool(tuned.path.isfinite().all())


def test_a_step_budget_that_runs_out_leaves_the_limit_of_a_linear_model_known() -> None:
    given = setup(Linear(3), 5, 2, step=(0.5, 1.0))
    for steps, last in ((1, 1), (3, 2), (31, 16), (33, 32), (64, 64)):
        tuned = descend(given, max_steps=steps, tolerance=0.0)
        assert tuned.path_steps.max() == last
        assert bool((tuned.tuned_radius < 1e-11).all())
        assert bool((tuned.path_radius < 1e-12).all())
        with mpmath.workdps(DIGITS):
            for lane in range(5):
                off = distance(nearest_interpolant(given, lane), tuned.tuned[lane].tolist())
                assert off <= mpmath.mpf(float(tuned.tuned_radius[lane]))


def test_an_ill_conditioned_linear_model_is_decided_long_before_it_converges() -> None:
    """Condition number 10⁴: 10⁹ steps to go, a path still to come, and the limit known to 10⁻⁹."""
    given = setup(Linear(4), 6, 2, step=(0.5, 1.0))
    x = given.x_train.clone()
    x[:, 1] = x[:, 0] + 1e-4 * x[:, 1]
    close = replaced(given, x_train=x, eta=0.5 / (given.alpha * torch.linalg.matrix_norm(x, ord=2)).square())
    tuned = descend(close, max_steps=64)
    assert bool((tuned.tuned_radius < 1e-9 * tuned.step_norm).all())
    assert bool((tuned.farthest_radius > 0.1 * tuned.step_norm).all())
    with mpmath.workdps(DIGITS):
        for lane in range(6):
            off = distance(nearest_interpolant(close, lane), tuned.tuned[lane].tolist())
            assert off <= mpmath.mpf(float(tuned.tuned_radius[lane]))


def test_without_a_residual_nothing_moves() -> None:
    given = setup(Linear(3), 3, 2)
    theta0 = torch.tensor([[1.0, 2.0, -3.0]], dtype=torch.float64).expand(3, -1).clone()
    x = torch.tensor([[[1.0, 0.0, 2.0], [0.0, 4.0, 1.0]]], dtype=torch.float64).expand(3, -1, -1).clone()
    y = 2.0 * (x @ theta0.unsqueeze(-1))
    still = replaced(given, theta0=theta0, x_train=x, y_train=y, alpha=torch.full((3,), 2.0, dtype=torch.float64))
    still = replaced(still, eta=torch.full((3,), 2.0**-8, dtype=torch.float64))
    tuned = descend(still)
    assert torch.equal(tuned.tuned, theta0)
    assert torch.equal(tuned.farthest, theta0)
    assert tuned.path_length.tolist() == [0.0, 0.0, 0.0]
    assert tuned.path_radius.tolist() == [0.0, 0.0, 0.0]
    assert bool((tuned.tuned_radius < 1e-13).all())


def doubled(labels: list[float]) -> tuple[Setup, np.ndarray]:
    """One lane whose second sample repeats the first, and its least-squares limit."""
    given = setup(Linear(3), 1, 2, step=(0.5, 0.9), seed=5)
    x = given.x_train.clone()
    x[:, 1] = x[:, 0]
    y = torch.tensor(labels, dtype=torch.float64).reshape(1, 2, 1)
    eta = 0.5 / (given.alpha * torch.linalg.matrix_norm(x, ord=2)).square()
    row, start = x[0].numpy(), given.theta0[0].numpy()
    target = y[0, :, 0].numpy() / float(given.alpha[0])
    limit = start + np.linalg.lstsq(row, target - row @ start, rcond=None)[0]
    return replaced(given, x_train=x, y_train=y, eta=eta), limit


@pytest.mark.parametrize("labels", [[1.0, 1.0], [1.0, -2.0]], ids=["equal labels", "conflicting labels"])
def test_a_rank_deficient_fine_tuning_set_is_never_certified(labels: list[float]) -> None:
    given, limit = doubled(labels)
    tuned = descend(given, max_steps=512)
    assert tuned.tuned_radius.tolist() == [math.inf]
    assert bool(tuned.length_radius.isinf().all())
    assert np.linalg.norm(tuned.tuned[0].numpy() - limit) < 1e-7


def test_more_rows_than_parameters_are_never_certified() -> None:
    given = setup(Linear(2), 4, 3, step=(0.5, 1.0))
    assert bool(descend(given, max_steps=256).tuned_radius.isinf().all())


# --------------------------------------------------------------------------------------------- batches and symmetries


def every_field(tuned: FineTuning) -> dict[str, Tensor]:
    names = {f.name for f in fields(FineTuning)} - {f.name for f in fields(Setup)}
    return {name: getattr(tuned, name) for name in names}


def test_the_same_batch_gives_the_same_bits() -> None:
    given = setup(TwoLayer(2, 3), 9, 2, residual=0.1)
    one, two = descend(given, max_steps=512), descend(given, max_steps=512)
    for name, value in every_field(one).items():
        assert torch.equal(value, every_field(two)[name]), name


@pytest.mark.parametrize("family", [Linear(4), Quadratic(3), TwoLayer(2, 3)], ids=str)
def test_a_lane_does_not_depend_on_its_batch(family: Family) -> None:
    given = setup(family, 5, 2, step=(0.4, 1.0), residual=0.05)
    together = descend(given, max_steps=1024)
    for lane in range(5):
        alone = descend(given.lane(lane), max_steps=1024)
        assert float(alone.tuned_radius[0]) == pytest.approx(float(together.tuned_radius[lane]), rel=0.5)
        room = 2 * float(together.path_radius[lane])
        if float(alone.path_steps.max()) == float(together.path_steps[lane].max()):
            assert float((alone.tuned[0] - together.tuned[lane]).norm()) <= room
        both = float(alone.tuned_radius[0] + together.tuned_radius[lane])
        assert float((alone.tuned[0] - together.tuned[lane]).norm()) <= both


@pytest.mark.parametrize("t", [2.0**-7, 2.0**10])
@pytest.mark.parametrize("family", [Linear(4), Quadratic(3), TwoLayer(2, 3), TwoLayer(2, 2, 1, "softplus")], ids=str)
def test_scaling_outputs_and_labels_by_a_power_of_two_changes_no_bit_of_the_path(family: Family, t: float) -> None:
    """(α, y, η) and (t·α, t·y, η/t²) describe the same trajectory."""
    given = setup(family, 6, 2, step=(0.4, 1.0), residual=0.05)
    scaled = replaced(given, alpha=t * given.alpha, y_train=t * given.y_train, eta=given.eta / t**2)
    one, two = descend(given, max_steps=512), descend(scaled, max_steps=512)
    for name in ("tuned", "farthest", "path", "path_steps", "path_length"):
        assert torch.equal(getattr(one, name), getattr(two, name)), name
    known = one.tuned_radius.isfinite()
    assert torch.equal(known, two.tuned_radius.isfinite())
    assert torch.allclose(one.tuned_radius[known], two.tuned_radius[known], rtol=1e-6, atol=0)


@pytest.mark.parametrize("family", [Linear(4), TwoLayer(2, 3)], ids=str)
def test_the_order_of_the_samples_does_not_matter(family: Family) -> None:
    given = setup(family, 6, 3, step=(0.4, 1.0), residual=0.05)
    turned = replaced(given, x_train=given.x_train.flip(1), y_train=given.y_train.flip(1))
    one, two = descend(given, max_steps=1024), descend(turned, max_steps=1024)
    room = one.tuned_radius + two.tuned_radius
    assert bool(((one.tuned - two.tuned).norm(dim=-1) <= room).all())


def test_a_tighter_tolerance_stays_within_the_radius_of_a_looser_one() -> None:
    given = setup(TwoLayer(2, 3), 8, 1, step=(0.05, 0.2), residual=0.05)
    loose, tight = descend(given, tolerance=0.3), descend(given, tolerance=1e-6)
    known = loose.tuned_radius.isfinite() & tight.tuned_radius.isfinite()
    assert int(known.sum()) >= 4
    assert bool(
        (loose.tuned - tight.tuned).norm(dim=-1)[known].le((loose.tuned_radius + tight.tuned_radius)[known]).all()
    )
    assert bool((tight.tuned_radius < loose.tuned_radius)[known].all())


def test_the_descent_follows_the_setup_it_was_given() -> None:
    given = setup(Quadratic(3), 3, 2, residual=0.1)
    tuned = descend(given, max_steps=64)
    for name, tensor in given.leaves().items():
        assert torch.equal(tuned.leaves()[name], tensor), name
    assert tuned.family == given.family
    assert isinstance(tuned, FineTuning)


def test_leaves_that_are_one_tensor_are_told_apart() -> None:
    given = setup(Linear(3), 4, 2, step=(0.5, 1.0))
    ones = torch.ones(4, dtype=torch.float64)
    x = given.x_train / torch.linalg.matrix_norm(given.x_train, ord=2)[:, None, None]
    shared = replaced(given, x_train=x, alpha=ones, eta=ones, rho0=ones)
    apart = replaced(given, x_train=x, alpha=ones.clone(), eta=ones.clone(), rho0=ones.clone())
    for name, value in every_field(descend(shared, max_steps=256)).items():
        assert torch.equal(value, every_field(descend(apart, max_steps=256))[name]), name
