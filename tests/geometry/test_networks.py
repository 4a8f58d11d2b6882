"""Networks with constants in a ball: against automatic differentiation, sampled pairs of points, an adversary, and kinks."""

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from boundcheck.errors import BoundcheckError
from boundcheck.geometry import Attention, BothLayers, Family, Jet, ReluLayer
from boundcheck.rigor import Enclosure, trace

FAMILIES: list[Family] = [
    BothLayers(3, 4, 1, "tanh"),
    BothLayers(2, 3, 2, "softplus"),
    BothLayers(3, 2, 1, "sigmoid"),
    BothLayers(2, 3, 2, "relu"),
    BothLayers(1, 1, 1, "tanh"),
    ReluLayer(3, 4, 2),
    Attention(3, 2, 2, 3, 2, "tanh"),
    Attention(2, 2, 1, 2, 1, "softplus"),
    Attention(1, 2, 2, 2, 1, "sigmoid"),
]
NAMES = [repr(family) for family in FAMILIES]
ROUNDING = 1e-8
"""Allowed excess of a ratio of computed norms: differences of Jacobians over steps of at least 1e-4."""

SEEDS = st.integers(0, 2**31 - 1)


@dataclass
class Draw:
    family: Family
    theta: Tensor
    x: Tensor
    frozen: dict[str, Tensor]
    rng: np.random.Generator

    @staticmethod
    def of(family: Family, seed: int, *lanes: int, rows: int = 3, scale: float = 0.7) -> "Draw":
        rng = np.random.default_rng(seed)

        def normal(*shape: int) -> Tensor:
            return torch.from_numpy(rng.standard_normal((*lanes, *shape)))

        frozen = {name: normal(*shape) for name, shape in family.frozen_shapes().items()}
        return Draw(family, scale * normal(family.parameters), normal(rows, family.features), frozen, rng)

    def normal(self, *shape: int) -> Tensor:
        return torch.from_numpy(self.rng.standard_normal(shape))

    @property
    def room(self) -> Tensor:
        return self.family.kink_distance(self.theta, self.frozen, self.x)

    def constants(self, radius: Tensor) -> tuple[Tensor, Tensor]:
        at = (self.theta, self.frozen, self.x, radius)
        return self.family.smoothness(*at), self.family.mean_smoothness(*at)

    def change(self, p: Tensor, q: Tensor) -> tuple[Tensor, Tensor]:
        """Of J between two points: stacked over rows, and root mean square over rows."""
        off = self.family.jacobian(p, self.frozen, self.x) - self.family.jacobian(q, self.frozen, self.x)
        by_row = torch.linalg.matrix_norm(off, ord=2).square().mean(-1).sqrt()
        return torch.linalg.matrix_norm(off.flatten(-3, -2), ord=2), by_row

    def inside(self, radius: Tensor, lanes: int) -> Tensor:
        """Random points of the ball, half of them on its rim."""
        step = self.normal(lanes, self.family.parameters)
        step = step / torch.linalg.vector_norm(step, dim=-1, keepdim=True)
        share = torch.from_numpy(np.minimum(1.0, self.rng.uniform(0, 2, lanes)))
        return self.theta + (radius * share * (1 - 1e-12))[:, None] * step


@pytest.mark.parametrize("family", FAMILIES, ids=NAMES)
def test_closed_forms_are_the_automatic_derivatives(family: Family) -> None:
    draw = Draw.of(family, 1)
    expected = torch.autograd.functional.jacobian(lambda t: family.outputs(t, draw.frozen, draw.x), draw.theta)
    torch.testing.assert_close(family.jacobian(draw.theta, draw.frozen, draw.x), expected)
    cotangent = draw.normal(3, family.outputs_count)
    pulled = torch.einsum("ikn,ik->n", expected, cotangent)
    torch.testing.assert_close(family.pullback(draw.theta, draw.frozen, draw.x, cotangent), pulled)


@pytest.mark.parametrize("family", FAMILIES, ids=NAMES)
def test_lanes_are_independent_instances(family: Family) -> None:
    draw = Draw.of(family, 2, 2, 3)
    cotangent, radius = draw.normal(2, 3, 3, family.outputs_count), torch.full((2, 3), 1e-3, dtype=torch.float64)
    for index in itertools.product(range(2), range(3)):
        theta, x = draw.theta[index], draw.x[index]
        frozen = {name: value[index] for name, value in draw.frozen.items()}
        for name in ("outputs", "jacobian", "kink_distance"):
            batched = getattr(family, name)(draw.theta, draw.frozen, draw.x)[index]
            torch.testing.assert_close(batched, getattr(family, name)(theta, frozen, x))
        for name in ("smoothness", "mean_smoothness"):
            batched = getattr(family, name)(draw.theta, draw.frozen, draw.x, radius)[index]
            torch.testing.assert_close(batched, getattr(family, name)(theta, frozen, x, radius[index]))
        batched = family.pullback(draw.theta, draw.frozen, draw.x, cotangent)[index]
        torch.testing.assert_close(batched, family.pullback(theta, frozen, x, cotangent[index]))


def naive_attention(family: Attention, theta: np.ndarray, x: np.ndarray) -> list[float]:
    """Entry by entry, from the formula."""
    d, e, w, k = family.inputs, family.inner, family.width, family.outputs_
    numbers = iter(theta.tolist())
    Q, K, V = ([[next(numbers) for _ in range(e)] for _ in range(d)] for _ in range(3))
    Q, K, V = (list(rows) for rows in (Q, K, V))
    U = [[next(numbers) for _ in range(e)] for _ in range(w)]
    a = [[next(numbers) for _ in range(w)] for _ in range(k)]
    tokens = x.reshape(family.tokens, d).tolist()

    def image(token: list[float], matrix: list[list[float]]) -> list[float]:
        return [sum(token[i] * matrix[i][j] for i in range(d)) for j in range(e)]

    out = [0.0] * e
    for t in tokens:
        scores = [math.exp(sum(map(float.__mul__, image(t, Q), image(s, K))) / math.sqrt(e)) for s in tokens]
        for score, s in zip(scores, tokens, strict=True):
            share = score / sum(scores) / family.tokens
            out = [o + share * v for o, v in zip(out, image(s, V), strict=True)]
    hidden = [math.tanh(sum(u * o for u, o in zip(row, out, strict=True))) for row in U]
    return [sum(p * h for p, h in zip(row, hidden, strict=True)) / math.sqrt(w) for row in a]


@pytest.mark.parametrize("sizes", [(1, 1, 1, 1, 1), (3, 2, 2, 3, 2), (2, 3, 1, 2, 1)])
def test_attention_is_what_its_formula_says(sizes: tuple[int, int, int, int, int]) -> None:
    family = Attention(*sizes)
    draw = Draw.of(family, 3, rows=2)
    found = family.outputs(draw.theta, {}, draw.x)
    for row in range(2):
        expected = naive_attention(family, draw.theta.numpy(), draw.x[row].numpy())
        torch.testing.assert_close(found[row], torch.tensor(expected, dtype=torch.float64))


def test_huge_scores_do_not_overflow_attention() -> None:
    family = Attention(3, 1, 1, 1, 1)
    theta = torch.tensor([1e3, 1e3, 1.0, 1.0, 1.0], dtype=torch.float64)
    x = torch.tensor([[1.0, 2.0, 3.0]], dtype=torch.float64)
    found = family.outputs(theta, {}, x)
    assert float(found) == pytest.approx(math.tanh(3.0), rel=1e-12), "all look at the largest token"
    assert family.jacobian(theta, {}, x).isfinite().all()


@given(
    family=st.sampled_from(FAMILIES),
    seed=SEEDS,
    radius=st.sampled_from([1e-3, 0.1, 1.0, 5.0]),
    scale=st.sampled_from([1e-2, 0.7, 3.0]),
)
@settings(max_examples=150, deadline=None)
def test_no_pair_of_the_ball_exceeds_the_constants(family: Family, seed: int, radius: float, scale: float) -> None:
    draw = Draw.of(family, seed, 32, scale=scale)
    ball = torch.minimum(torch.full_like(draw.room, radius), 0.999 * draw.room)
    p, q = draw.inside(ball, 32), draw.inside(ball, 32)
    apart = torch.linalg.vector_norm(p - q, dim=-1)
    for found, constant in zip(draw.change(p, q), draw.constants(ball), strict=True):
        assert constant.isfinite().all()
        assert (found <= constant * apart * (1 + ROUNDING) + 1e-12).all()


def climb(draw: Draw, radius: Tensor, which: int, steps: int = 120) -> Tensor:
    """The largest ratio on the way of a gradient ascent over pairs of points that stay in the ball."""
    n = draw.theta.shape[-1]
    free = [draw.normal(len(radius), n).requires_grad_() for _ in range(2)]
    ascent = torch.optim.Adam(free, lr=0.1, maximize=True)
    best = torch.zeros_like(radius)
    for _ in range(steps):
        p, q = (
            draw.theta + radius[:, None] * f / (1 + torch.linalg.vector_norm(f, dim=-1, keepdim=True)) for f in free
        )
        apart = torch.linalg.vector_norm(p - q, dim=-1)
        found = draw.change(p, q)[which] / apart / draw.constants(radius)[which]
        best = torch.where((apart > 1e-4) & (found > best), found, best).detach()
        ascent.zero_grad()
        found.sum().backward()
        for f in free:  # singular values that coincide, or vanish, have no gradient
            f.grad = torch.nan_to_num(f.grad, posinf=0.0, neginf=0.0) if f.grad is not None else None
        ascent.step()
    return best


@pytest.mark.parametrize("which", [0, 1], ids=["stacked", "mean"])
@pytest.mark.parametrize("family", [f for f in FAMILIES if not isinstance(f, ReluLayer)], ids=repr)
def test_an_adversary_does_not_exceed_the_constants(family: Family, which: int) -> None:
    draw = Draw.of(family, 4, 24, rows=1)
    ball = torch.minimum(torch.full_like(draw.room, 0.5), 0.999 * draw.room)
    best = climb(draw, ball, which)
    assert best.max() <= 1 + ROUNDING
    loosest = 0.02 if isinstance(family, Attention) else 0.5  # what composed bounds lose
    assert best.max() > loosest


# -------------------------------------------------------------------------------------------------- attention, step by step


PHI: dict[str, Callable[[Tensor], Tensor]] = {
    "tanh": torch.tanh,
    "softplus": lambda t: torch.log1p(torch.exp(t)),
    "sigmoid": torch.sigmoid,
}


def steps_of(family: Attention, theta: Tensor, x: Tensor) -> dict[str, Tensor]:
    """What is on the way from θ to f(θ, x) for one row x, from the formula in the docstring."""
    d, e, w = family.inputs, family.inner, family.width
    sizes = [d * e, d * e, d * e, w * e, family.outputs_ * w]
    Q, K, V, U, a = theta.split(sizes)
    X = x.reshape(family.tokens, d)
    scores = X @ Q.reshape(d, e) @ K.reshape(d, e).T @ X.T / e**0.5
    weights = torch.softmax(scores, -1)
    pooled = weights.mean(0)
    output = pooled @ X @ V.reshape(d, e)
    phi = PHI[family.activation]
    hidden = phi(U.reshape(w, e) @ output)
    network = a.reshape(family.outputs_, w) @ hidden / w**0.5
    return {
        "scores": scores,
        "weights": weights,
        "pooled": pooled,
        "output": output,
        "hidden": hidden,
        "network": network,
    }


STEPS = ("scores", "weights", "pooled", "output", "hidden", "network")
SHORT = [
    Attention(2, 2, 4, 4, 1, "tanh"),
    Attention(5, 3, 4, 2, 2, "softplus"),
    Attention(9, 2, 3, 3, 1, "sigmoid"),
    Attention(1, 1, 1, 1, 1, "tanh"),
]


def along(family: Attention, theta: Tensor, x: Tensor, step: str, u: Tensor) -> tuple[Tensor, Tensor]:
    """‖Dh[u]‖ and ‖D²h[u, u]‖ of one step by automatic differentiation along a line."""

    def line(t: Tensor) -> Tensor:
        return steps_of(family, theta + t * u, x)[step].flatten()

    zero = torch.zeros((), dtype=torch.float64)
    first = torch.func.jacfwd(line)
    found, bent = first(zero), torch.func.jacfwd(first)(zero)
    return torch.linalg.vector_norm(found), torch.linalg.vector_norm(bent)


def bounds(family: Attention, theta: Tensor, x: Tensor, radius: float) -> dict[str, Jet]:
    """The family's own for one row: numbers `[1]`."""
    return family.jets(theta, x[None], torch.tensor([radius], dtype=torch.float64))


@given(
    family=st.sampled_from(SHORT),
    seed=SEEDS,
    radius=st.sampled_from([0.0, 1e-2, 0.5, 3.0]),
    scale=st.sampled_from([0.0, 1e-2, 0.7, 3.0]),
)
@settings(max_examples=60, deadline=None)
def test_no_step_of_attention_exceeds_its_bounds_in_the_ball(
    family: Attention, seed: int, radius: float, scale: float
) -> None:
    draw = Draw.of(family, seed, rows=1, scale=scale)
    jets, x = bounds(family, draw.theta, draw.x[0], radius), draw.x[0]
    u = draw.normal(family.parameters)
    theta = draw.theta + radius * u / torch.linalg.vector_norm(u)
    values = steps_of(family, theta, x)
    v = draw.normal(family.parameters)
    v = v / torch.linalg.vector_norm(v)
    for step in STEPS:
        value = values[step] if values[step].dim() == 2 else values[step][None]
        assert torch.linalg.matrix_norm(value, ord=2) <= jets[step].value * (1 + ROUNDING) + 1e-12, step
        slope, bend = along(family, theta, x, step, v)
        assert slope <= jets[step].slope * (1 + ROUNDING) + 1e-12, step
        assert bend <= jets[step].bend * (1 + ROUNDING) + 1e-12, step


def two_even_tokens(size: float, inner: int, width: int) -> tuple[Attention, Tensor, Tensor, Tensor]:
    """Two tokens s·(1, 1) and s·(1, -1), Q = K = 0, so that both weigh 1/2: and the direction in which f bends most.

    X·e_1 and X·e_2 are orthogonal, of the length ‖X‖ = s·√2. Along (Q, K) = (e_1, e_2)/√2 each row of the scores bends by the
    same multiple of (1, -1), along which softmax is steepest; V, U and a pass that on in full. As s grows, the bend of the scores
    (s² of them, s³ of the output) outgrows what slopes (s) contribute.
    """
    family = Attention(2, 2, inner, width, 1, "tanh")
    e1, e2 = torch.eye(2, dtype=torch.float64)
    first = torch.eye(inner, dtype=torch.float64)[0]
    ones = torch.ones(width, dtype=torch.float64)
    none = torch.zeros(2 * inner, dtype=torch.float64)
    onto, away = torch.outer(e1, first).flatten(), torch.outer(e2, first).flatten()
    theta = torch.cat([none, none, away, torch.outer(ones, first).flatten(), ones])
    u = torch.cat([onto, away, 0 * theta[4 * inner :]]) / 2**0.5
    return family, theta, u, size * torch.tensor([1.0, 1.0, 1.0, -1.0], dtype=torch.float64)


@pytest.mark.parametrize("width", [1, 4])
@pytest.mark.parametrize("inner", [1, 4])
@pytest.mark.parametrize("step", STEPS)
def test_the_bends_of_attention_are_attained_step_by_step(step: str, inner: int, width: int) -> None:
    """No factor of the composition can be smaller: 1/√inner, 1/√tokens, 1/√width, or those of softmax and of the products."""
    family, theta, u, x = two_even_tokens(1e5, inner, width)
    allowed = float(bounds(family, theta, x, 0.0)[step].bend)
    found = float(along(family, theta, x, step, u)[1])
    assert found <= allowed * (1 + ROUNDING)
    assert found >= 0.999 * allowed
    if step == "scores":
        assert found == pytest.approx(2e10 / inner**0.5, rel=1e-12), "s²·‖(1, 1)‖·‖(1, -1)‖/√inner"


def test_the_smoothness_of_attention_is_nearly_attained() -> None:
    """By the change of the Jacobian itself, over a short step from the centre."""
    family, theta, u, x = two_even_tokens(1e3, 4, 4)
    step = 1e-9
    off = family.jacobian(theta + step * u, {}, x[None]) - family.jacobian(theta - step * u, {}, x[None])
    ratio = float(torch.linalg.vector_norm(off)) / (2 * step)
    constant = float(family.smoothness(theta, {}, x[None], torch.tensor(step, dtype=torch.float64)))
    assert 0.99 * constant <= ratio <= constant * (1 + 1e-6)


@pytest.mark.parametrize("tokens", [2, 4, 16, 64])
def test_the_slope_of_pooled_weights_is_attained_with_many_tokens(tokens: int) -> None:
    """All tokens ask the same, two answer, at even weights: then the mean over t loses nothing, its norm is 1/√T not 1/T.

    Token t is (1, y_t, z_t): queries from 1, keys from z (which the two share, the others lack), and y = (1, -1, 0, …)·√(T/2) is
    the direction in which K turns weight from one to the other. 1, y and z are orthogonal, of length √T or less.
    """
    family = Attention(tokens, 3, 4, 1, 1, "tanh")
    X = torch.zeros(tokens, 3, dtype=torch.float64)
    X[:, 0] = 1.0
    X[:2, 1] = torch.tensor([1.0, -1.0]) * (tokens / 2) ** 0.5
    if tokens > 2:
        X[:, 2] = -2.0 / (tokens - 2)
        X[:2, 2] = 1.0
        X[:, 2] *= tokens**0.5 / torch.linalg.vector_norm(X[:, 2])
    Q, K, turn = (torch.zeros(3, 4, dtype=torch.float64) for _ in range(3))
    Q[0, 0], K[2, 0], turn[1, 0] = 1e3, 0.2, 1.0
    rest = torch.ones(3 * 4 + 4 + 1, dtype=torch.float64)
    theta = torch.cat([Q.flatten(), K.flatten(), rest])
    u = torch.cat([0 * Q.flatten(), turn.flatten(), 0 * rest])
    allowed = float(bounds(family, theta, X.flatten(), 0.0)["pooled"].slope)
    found = float(along(family, theta, X.flatten(), "pooled", u)[0])
    assert 0.999 * allowed <= found <= allowed * (1 + ROUNDING)


def bend_by_hand(family: Attention, theta: np.ndarray, x: np.ndarray, radius: float) -> float:
    """The bend for one row, from value, slope and bend of each step in numpy: products by the eigenvalues of a 2x2 form."""
    d, e, w = family.inputs, family.inner, family.width
    ends = np.cumsum([d * e, d * e, d * e, w * e])
    shapes = [(d, e), (d, e), (d, e), (w, e), (family.outputs_, w)]
    Q, K, V, U, a = (
        float(np.linalg.norm(part.reshape(shape), 2)) + radius
        for part, shape in zip(np.split(theta, ends), shapes, strict=True)
    )
    X = float(np.linalg.norm(x.reshape(family.tokens, d), 2))

    def product(block: float, value: float, slope: float, bend: float) -> tuple[float, float, float]:
        """A block (norm, slope 1, bend 0) times something of other parameters."""
        form = [[0.0, slope], [slope, block * bend]]
        return block * value, math.hypot(value, block * slope), float(np.linalg.eigvalsh(form)[1])

    _, slope, bend = (X * X / math.sqrt(e) * number for number in product(Q, K, 1.0, 0.0))
    root = math.sqrt(family.tokens)
    after = (1.0, slope / 2 / root, (bend / 2 + math.sqrt(6) / 9 * slope**2) / root)  # weights of norm √T, by 1ᵀ/T
    value, slope, bend = product(V, *after)
    value, slope, bend = product(U, X * value, X * slope, X * bend)
    zero, most, steep, sharp = {
        "tanh": (0.0, 1.0, 1.0, 4 / (3 * math.sqrt(3))),
        "softplus": (math.log(2), math.inf, 1.0, 0.25),
        "sigmoid": (0.5, 1.0, 0.25, 1 / (6 * math.sqrt(3))),
    }[family.activation]
    value = min(steep * value + math.sqrt(w) * zero, math.sqrt(w) * most)
    return product(a, value, steep * slope, steep * bend + sharp * slope**2)[2] / math.sqrt(w)


@given(
    family=st.builds(
        Attention,
        tokens=st.integers(1, 20),
        inputs=st.integers(1, 4),
        inner=st.integers(1, 9),
        width=st.integers(1, 5),
        outputs_=st.integers(1, 3),
        activation=st.sampled_from(["tanh", "softplus", "sigmoid"]),
    ),
    seed=SEEDS,
    radius=st.sampled_from([0.0, 1e-3, 1.0, 100.0]),
    scale=st.sampled_from([0.0, 1e-3, 1.0, 30.0]),
)
@settings(max_examples=100, deadline=None)
def test_the_bend_of_attention_is_the_formula_worked_out_by_hand(
    family: Attention, seed: int, radius: float, scale: float
) -> None:
    draw = Draw.of(family, seed, rows=2, scale=scale)
    expected = [bend_by_hand(family, draw.theta.numpy(), x.numpy(), radius) for x in draw.x]
    found = draw.constants(torch.tensor(radius, dtype=torch.float64))
    assert float(found[0]) == pytest.approx(math.hypot(*expected), rel=1e-9)
    assert float(found[1]) == pytest.approx(math.hypot(*expected) / math.sqrt(2), rel=1e-9)


# ---------------------------------------------------------------------------------------------------------------------- kinks


@pytest.mark.parametrize("family", [ReluLayer(2, 3), BothLayers(2, 3, 1, "relu")], ids=repr)
def test_the_constants_end_at_the_nearest_kink(family: Family) -> None:
    draw = Draw.of(family, 5, 16)
    first = draw.theta[..., : 3 * 2].reshape(16, 3, 2)
    least = [
        min(
            abs(float(first[lane, j] @ draw.x[lane, i])) / float(torch.linalg.vector_norm(draw.x[lane, i]))
            for j in range(3)
            for i in range(3)
        )
        for lane in range(16)
    ]
    torch.testing.assert_close(draw.room, torch.tensor(least, dtype=torch.float64))
    for constant in draw.constants(draw.room * (1 - 1e-9)):
        assert constant.isfinite().all()
    for constant in (*draw.constants(draw.room), *draw.constants(draw.room * 2)):
        assert constant.isposinf().all()


@pytest.mark.parametrize("family", [ReluLayer(2, 3), BothLayers(2, 3, 1, "relu")], ids=repr)
def test_the_jacobian_jumps_just_beyond_the_kink_and_not_before(family: Family) -> None:
    draw = Draw.of(family, 6, rows=2)
    first = draw.theta[:6].reshape(3, 2)
    hidden = (draw.x @ first.mT) / torch.linalg.vector_norm(draw.x, dim=-1, keepdim=True)
    row, unit = divmod(int(hidden.abs().argmin()), 3)
    toward = torch.zeros_like(draw.theta)
    x = draw.x[row] / torch.linalg.vector_norm(draw.x[row])
    toward[2 * unit : 2 * unit + 2] = -torch.sign(hidden[row, unit]) * x
    before, beyond = (draw.theta + draw.room * share * toward for share in (1 - 1e-9, 1 + 1e-9))
    jump = draw.change(before, beyond)[0]
    assert jump > 1e6 * torch.linalg.vector_norm(before - beyond), "no constant holds across it"
    constant, _ = draw.constants(draw.room * (1 - 1e-9))
    assert draw.change(draw.theta, before)[0] <= constant * draw.room * (1 + ROUNDING) + 1e-15


def test_a_row_of_zeros_has_no_kink() -> None:
    family = ReluLayer(2, 2)
    theta, x = torch.ones(4, dtype=torch.float64), torch.zeros(1, 2, dtype=torch.float64)
    frozen = {"head": torch.ones(1, 2, dtype=torch.float64)}
    assert family.kink_distance(theta, frozen, x).isposinf()
    assert float(family.smoothness(theta, frozen, x, torch.tensor(1e6))) == 0


# -------------------------------------------------------------------------------------------------------------- awkward numbers


@pytest.mark.parametrize("family", FAMILIES, ids=NAMES)
def test_without_a_finite_ball_nothing_is_known(family: Family) -> None:
    draw = Draw.of(family, 7)
    assert not family.everywhere
    assert family.closed_form
    everywhere = torch.tensor(math.inf, dtype=torch.float64)
    for constant in (*draw.constants(everywhere), family.smoothness(draw.theta, draw.frozen, draw.x)):
        assert constant.isposinf()


@pytest.mark.parametrize("radius", [0.0, 1e-300, 1.0, 1e30, math.inf])
@pytest.mark.parametrize("family", FAMILIES, ids=NAMES)
def test_no_constant_is_nan(family: Family, radius: float) -> None:
    draw = Draw.of(family, 8, 3)
    ball = torch.full((3,), radius, dtype=torch.float64)
    for theta, x in itertools.product(
        (draw.theta, 0 * draw.theta), (draw.x, 0 * draw.x, draw.x[:, :1].expand(3, 3, -1))
    ):
        for name in ("smoothness", "mean_smoothness"):
            constant = getattr(family, name)(theta, draw.frozen, x, ball)
            assert (constant >= 0).all(), name


@pytest.mark.parametrize("family", FAMILIES, ids=NAMES)
def test_the_constants_are_traced_and_enclosed(family: Family) -> None:
    draw = Draw.of(family, 9, 4)
    ball = torch.minimum(torch.full_like(draw.room, 0.1), 0.9 * draw.room)
    names, heads = list(draw.frozen), list(draw.frozen.values())

    def constants(theta: Tensor, x: Tensor, radius: Tensor, *frozen: Tensor) -> list[Tensor]:
        return [family.smoothness(theta, dict(zip(names, frozen, strict=True)), x, radius)]

    inputs = [draw.theta, draw.x, ball, *heads]
    (found,) = trace(constants, inputs).enclose(*map(Enclosure.exactly, inputs))
    torch.testing.assert_close(found.mid, draw.constants(ball)[0])
    assert (found.rad <= 1e-9 * (1 + found.mid)).all()


def test_unknown_activations_are_refused() -> None:
    for make in (lambda: BothLayers(1, 1, 1, "sin"), lambda: Attention(1, 1, 1, 1, 1, "relu")):
        with pytest.raises(BoundcheckError, match="activation"):
            make()
    with pytest.raises(BoundcheckError, match="relu"):
        ReluLayer(1, 1, 1, "tanh")
