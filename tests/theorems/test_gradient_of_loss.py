"""The gradient of the squared loss, against difference quotients in exact rationals and a loop."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from boundcheck.claim import Identity
from boundcheck.dynamics import Setup
from boundcheck.geometry import Linear, Quadratic, TwoLayer
from boundcheck.strategies.fine_tunings import SetupRecipe
from boundcheck.theorems.local_edits.gradient_of_loss import (
    derivative_of_loss,
    exact_scale,
    gradient_as_printed,
    gradient_of_loss,
    printed_derivative,
)
from tests.strategies.instances import one_instance


def quadratic_loss(p: Setup, step: Fraction) -> Fraction:
    """E‖f - Y‖² of a linear model at (1 + step)·θ_0, in rationals."""
    theta = [[Fraction(v) * (1 + step) for v in row] for row in p.theta0.reshape(-1, p.x_train.shape[-1]).tolist()]
    total = Fraction(0)
    for x, y in zip(p.x_train.tolist(), p.y_train.tolist(), strict=True):
        for row, label in zip(theta, y, strict=True):
            error = sum((w * Fraction(v) for w, v in zip(row, x, strict=True)), Fraction(0)) - Fraction(label)
            total += error**2
    return total / len(p.x_train)


@settings(max_examples=20, deadline=None)
@given(inputs=st.integers(1, 4), outputs=st.integers(1, 2), samples=st.integers(1, 3), lane=st.integers(0, 200))
def test_the_loss_of_a_linear_model_has_twice_the_printed_derivative(
    inputs: int, outputs: int, samples: int, lane: int
) -> None:
    """A parabola's central difference quotient is its derivative, exactly."""
    p = one_instance(SetupRecipe(Linear(inputs, outputs), samples, 4, seed=5).build(1, first=lane), 0)
    exact = float((quadratic_loss(p, Fraction(1)) - quadratic_loss(p, Fraction(-1))) / 2)
    scale = float(quadratic_loss(p, Fraction(1)) + quadratic_loss(p, Fraction(-1)))
    assert abs(float(derivative_of_loss(p)) - exact) <= 1e-13 * scale
    assert abs(2 * float(printed_derivative(p)) - exact) <= 1e-13 * scale


@pytest.mark.parametrize("family", [Quadratic(3, 2), TwoLayer(3, 4, 2, "tanh"), TwoLayer(2, 4, 1, "softplus")], ids=str)
@pytest.mark.parametrize("lane", range(4))
def test_both_sides_against_a_difference_quotient(family: Quadratic | TwoLayer, lane: int) -> None:
    p = one_instance(SetupRecipe(family, 2, 4, seed=6).build(1, first=lane), 0)

    def loss(t: float) -> float:
        outputs = family.outputs(p.theta0 * (1 + t), p.frozen, p.x_train).numpy()
        return float(np.mean([np.sum((f - y) ** 2) for f, y in zip(outputs, p.y_train.numpy(), strict=True)]))

    quotient = (loss(1e-5) - loss(-1e-5)) / 2e-5
    assert float(derivative_of_loss(p)) == pytest.approx(quotient, rel=1e-5, abs=1e-7 * loss(0))
    assert 2 * float(printed_derivative(p)) == pytest.approx(quotient, rel=1e-5, abs=1e-7 * loss(0))


def test_the_printed_form_differs_by_two() -> None:
    p = one_instance(SetupRecipe(Quadratic(3, 1), 2, 4, seed=6).build(1), 0)
    printed, corrected = gradient_as_printed.check(p), gradient_of_loss.check(p)
    assert isinstance(printed, Identity)
    assert isinstance(corrected, Identity)
    assert float(printed.left) == float(corrected.left)
    assert float(corrected.right) == 2 * float(printed.right)


def test_labels_that_fit_leave_no_derivative() -> None:
    """Then any factor is true: the premise says so."""
    p = one_instance(SetupRecipe(Linear(2, 1), 2, 4, seed=6).build(1), 0)
    outputs = p.family.outputs(p.theta0, p.frozen, p.x_train)
    fitted = p.with_leaves(p.leaves() | {"y_train": outputs})
    _, premises = gradient_of_loss.state(fitted, {})
    assert [float(premise.margin) for premise in premises] == [-1.0]


@pytest.mark.parametrize(("width", "exact"), [(1, True), (2, False), (4, True), (8, False)])
def test_which_widths_have_an_exact_scale(width: int, exact: bool) -> None:
    assert exact_scale(TwoLayer(2, width)) is exact
    assert exact_scale(Linear(2, 1))
