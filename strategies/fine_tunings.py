"""Fine-tuning problems: a model, a fine-tuning set, an evaluation distribution, and labels at a chosen distance from the
premises' edge.

Labels are scaled, not models: y = α·F(θ_0) - α·R·u puts a premise number exactly where it is wanted, with α ≠ 1 and
F(θ_0) ≠ 0 as a matter of course.
"""

from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Literal, TypeVar

import torch
from hypothesis import strategies as st
from torch import Tensor

from boundcheck.dynamics import Displaced, FineTuning, Setup, descend
from boundcheck.errors import BoundcheckError
from boundcheck.geometry import BothLayers, Family, GeneralQuadratic, Quadratic, ReluLayer, rotation
from boundcheck.strategies.lanes import LaneStream
from boundcheck.strategies.models import Families, models
from boundcheck.strategies.spectra import KINDS, SpectrumKind, eigenvalues, shaped_inputs

EDGE = 1.0 / 16.0
"""The constant c of the step size and of the conditions (7), (8), (11)."""

NUDGE = 2.0**-20
"""How far from the edge "at the edge" is: an edge hit exactly is decided by rounding."""

Placement = Literal["inside", "edge", "outside"]
WELL_CONDITIONED = 0.6
"""Share of lanes whose J_S is built to be well conditioned; the others are as their covariance makes them."""

LEAST_MOVEMENT = 1e-4
"""Labels ask for a movement of at least so much of ‖θ_0‖: a smaller one drowns in the roundings of θ_0 + movement, and no radius
could tell anything about it. Where a premise allows only less, it is missed."""

AWAKE = 0.8
"""Share of lanes in which every unit of a ReLU network is on for some sample."""

ROOM = 0.9
"""Share of the way to the nearest kink that a ball may take."""

LARGEST_BALL = 1e3
"""Balls are no larger where nothing else restricts them."""

DEPTH, HALVINGS = 60.0, 50
"""A ball is looked for down to e^-60 of the largest, to a relative 6e-14: finer than NUDGE by far."""

LEAST_IN_A_BALL = 1e-7
"""The same for families whose constants hold in a ball: they are large, and allow little movement."""

EXACT_DUPLICATES = 0.25
"""Share of the near-duplicates that are exact: J_S is then rank-deficient, which no premise may overlook."""

BENT = (Quadratic, GeneralQuadratic)
"""Families whose inputs begin with the slopes at θ = 0."""

DEFAULT_STEPS = 1024
_R = TypeVar("_R", bound="SetupRecipe")


@dataclass(frozen=True)
class SetupRecipe:
    """The structure of a batch of Setups; `build` fills in the numbers, lane by lane.

    Attributes:
        family: the model. samples: m. points: N. placement: where the premise numbers sit: well inside (spread over
            decades), just inside the edge, or outside. spectrum, eval_spectrum: kinds of the input covariances.
        shared: how much of the training rotation the evaluation covariance shares, 0 to 1.
        duplicates: make the second sample a near-duplicate of the first. long_steps: step sizes up to 1/2 instead of 1/16.
        seed: of the lanes.

    """

    family: Family
    samples: int
    points: int
    placement: Placement = "inside"
    spectrum: SpectrumKind = "isotropic"
    eval_spectrum: SpectrumKind = "isotropic"
    shared: float = 1.0
    duplicates: bool = False
    long_steps: bool = False
    seed: int = 0

    @property
    def label(self) -> str:
        """Family and sizes."""
        return f"{type(self.family).__name__} m={self.samples} k={self.family.outputs_count} N={self.points} {self.placement}"

    def build(self, lanes: int, first: int = 0) -> Setup:
        """Lanes first, …, first + lanes - 1."""
        stream = LaneStream(self.seed, lanes, first)
        bare = _bare(self, stream)
        return _labelled(self, bare, stream)


@dataclass(frozen=True)
class DisplacedRecipe(SetupRecipe):
    """A Setup with a second parameter vector at a random distance, inside the ball."""

    def build(self, lanes: int, first: int = 0) -> Displaced:
        """Lanes first, …, first + lanes - 1."""
        setup = SetupRecipe.build(self, lanes, first)
        stream = LaneStream(self.seed + 2**32, lanes, first)
        size = stream.log_uniform(1e-3, 10.0)
        direction = stream.unit(self.family.parameters)
        bounded = stream.uniform() >= 0.5
        rho0 = size * stream.choice(1 + NUDGE, 1.5, 4.0)
        if self.family.everywhere:
            rho0 = torch.where(bounded, rho0, torch.inf)
        else:
            shrunk = (ROOM * _room(setup) / rho0).clamp(max=1.0)
            size, rho0 = size * shrunk, rho0 * shrunk
        tuned = setup.theta0 + size[:, None] * direction
        values = {f.name: getattr(setup, f.name) for f in fields(Setup)} | {"rho0": rho0}
        return Displaced(**values, tuned=tuned)


@dataclass(frozen=True)
class FineTuningRecipe(SetupRecipe):
    """A Setup and the limit of its descent. Batches are solved once and shared by all claims that ask for them."""

    descent_steps: int = DEFAULT_STEPS

    def build(self, lanes: int, first: int = 0) -> FineTuning:
        """Lanes first, …, first + lanes - 1, each descended to its limit."""
        return _solved(self, lanes, first, str(torch.get_default_device()))


@lru_cache(maxsize=64)
def _solved(recipe: FineTuningRecipe, lanes: int, first: int, device: str) -> FineTuning:  # noqa: ARG001
    """`device` is where torch puts new tensors; it is here to be part of the cache's key."""
    return descend(SetupRecipe.build(recipe, lanes, first), max_steps=recipe.descent_steps)


def _bare(recipe: SetupRecipe, stream: LaneStream) -> Setup:
    """Everything but labels, step size and ball."""
    family, lanes = recipe.family, stream.lanes
    frozen = {name: stream.normal(*shape) for name, shape in family.frozen_shapes().items()}
    if isinstance(family, Quadratic):
        frozen["root"] = frozen["root"] * stream.log_uniform(1e-2, 1.0)[:, None, None]
    theta0 = stream.normal(family.parameters) * stream.log_uniform(0.1, 2.0)[:, None]
    turn = rotation(stream.normal(family.features, family.features))
    other = rotation(stream.normal(family.features, family.features) * (1.0 - recipe.shared)) @ turn
    x_train = shaped_inputs(
        stream.normal(recipe.samples, family.features), eigenvalues(stream, recipe.spectrum, family.features), turn
    )
    if recipe.duplicates and recipe.samples > 1:
        gap = stream.log_uniform(1e-4, 1e-1)[:, None]
        gap = torch.where(stream.uniform()[:, None] < EXACT_DUPLICATES, 0.0, gap)
        x_train[:, 1] = x_train[:, 0] + gap * stream.normal(family.features)
    x_eval = (
        shaped_inputs(
            stream.normal(recipe.points, family.features),
            eigenvalues(stream, recipe.eval_spectrum, family.features),
            other,
        )
        * stream.log_uniform(0.3, 3.0)[:, None, None]
    )
    tame = (stream.uniform() < WELL_CONDITIONED)[:, None, None]
    x_train = torch.where(tame, _well_conditioned(recipe, stream, theta0, frozen, x_train), x_train)
    if isinstance(family, ReluLayer | BothLayers) and family.activation == "relu":
        theta0 = _awake(family, theta0, x_train, stream)
    ones = torch.ones(lanes, dtype=torch.float64)
    labels = torch.zeros(lanes, recipe.samples, family.outputs_count, dtype=torch.float64)
    alpha = torch.exp(stream.normal())
    return Setup(family, theta0, frozen, x_train, labels, x_eval, alpha, eta=ones, rho0=ones)


def _awake(family: ReluLayer | BothLayers, theta0: Tensor, x_train: Tensor, stream: LaneStream) -> Tensor:
    """Most lanes' first layers turned so that unit j is on for sample j: where all units are off, nothing can be learned."""
    first = theta0[:, : family.width * family.inputs].unflatten(-1, (family.width, family.inputs))
    samples = x_train[:, torch.arange(family.width) % x_train.shape[1]]
    turned = torch.where(((first * samples).sum(-1, keepdim=True) < 0), -first, first).flatten(-2)
    turned = torch.cat([turned, theta0[:, turned.shape[-1] :]], dim=-1)
    return torch.where((stream.uniform() < AWAKE)[:, None], turned, theta0)


def _well_conditioned(
    recipe: SetupRecipe, stream: LaneStream, theta0: Tensor, frozen: dict[str, Tensor], x_train: Tensor
) -> Tensor:
    """Training inputs whose Jacobian has a condition number of a few: descents then converge within the budget.

    Where the inputs are the Jacobian's rows up to weights (linear, two-layer) they are built as U·diag(s)·Vᵀ; the slopes of
    the quadratic family are moved so that its Jacobian at θ_0 is such a matrix.
    """
    family, m, k = recipe.family, recipe.samples, recipe.family.outputs_count
    rows, columns = (m * k, family.parameters) if isinstance(family, BENT) else (m, family.features)
    rank = min(rows, columns)
    left = rotation(stream.normal(rows, rows))[..., :rank]
    right = rotation(stream.normal(columns, columns))[..., :rank]
    spread = stream.log_uniform(1.0, 3.0)[:, None]
    size = stream.log_uniform(0.3, 3.0)[:, None]
    values = size * torch.exp(-stream.uniform(rank) * torch.log(spread))
    tame = (left * values[:, None, :]) @ right.mT
    if not isinstance(family, BENT):
        return tame
    slopes = k * family.dimension
    zero = torch.cat([torch.zeros_like(x_train[..., :slopes]), x_train[..., slopes:]], dim=-1)
    curved = family.jacobian(theta0, frozen, zero).flatten(-3, -2)
    return torch.cat([(tame - curved).reshape(-1, m, slopes), x_train[..., slopes:]], dim=-1)


def _labelled(recipe: SetupRecipe, bare: Setup, stream: LaneStream) -> Setup:
    """Labels, step size and ball such that the premise numbers sit where the recipe wants them."""
    lanes = bare.lanes
    smallest, largest = bare.sigma_min.clamp(min=1e-300), bare.sigma_max.clamp(min=1e-300)
    kappa = largest / smallest
    inside = {
        "inside": EDGE * stream.log_uniform(1e-3, 1.0),
        "edge": torch.full((lanes,), EDGE * (1 - NUDGE), dtype=torch.float64),
        "outside": EDGE * stream.choice(1 + NUDGE, 2.0, 16.0),
    }[recipe.placement]
    strength = Strength.drawn(stream)
    if bare.family.everywhere:
        per_residual = _premise_number(bare, strength, bare.beta_train, bare.beta_eval)
        wanted = torch.where(per_residual > 0, inside / per_residual, stream.log_uniform(1e-3, 10.0))
        ball = torch.full_like(wanted, torch.inf)
    else:
        wanted, ball = _in_a_ball(bare, strength, inside, stream)
    least = LEAST_MOVEMENT if bare.family.everywhere else LEAST_IN_A_BALL
    residual = torch.maximum(wanted, least * largest * torch.linalg.vector_norm(bare.theta0, dim=-1))
    direction = _residual_direction(bare, stream)
    start = bare.family.outputs(bare.theta0, bare.frozen, bare.x_train)
    y_train = bare.alpha[:, None, None] * (start - residual[:, None, None] * direction)
    top = 0.5 if recipe.long_steps else EDGE
    h = top * torch.where(stream.uniform() < 0.5, 1 - NUDGE, stream.uniform(low=0.5, high=1.0))
    eta = h / (bare.alpha.square() * largest.square())
    eta = torch.where(eta.isfinite(), eta, 1.0)  # no slope at all: all units of a ReLU network are off
    tight_ball = residual / (smallest * EDGE) * torch.where(stream.uniform() < 0.5, 1.0, kappa)
    rho0 = tight_ball * stream.choice(1 + NUDGE, 1 + NUDGE, 10.0, torch.inf)
    if not bare.family.everywhere:
        rho0 = ball
    return bare.with_leaves(bare.leaves() | {"y_train": y_train, "eta": eta, "rho0": rho0})


@dataclass(frozen=True)
class Strength:
    """Which premise numbers are placed: with the `paper`'s powers of κ or scale-free; the `lemma`'s alone or Theorem 7's too."""

    paper: Tensor
    lemma: Tensor

    @staticmethod
    def drawn(stream: LaneStream) -> "Strength":
        paper = stream.uniform() < 0.5
        return Strength(paper, stream.uniform() < 0.3)


def _premise_number(bare: Setup, strength: Strength, beta_s: Tensor, beta: Tensor) -> Tensor:
    """The binding premise number per unit of R, for these constants of smoothness."""
    gamma = bare.overlap.clamp(min=1e-300)
    s, big = bare.sigma_min.clamp(min=1e-300), bare.sigma_max
    kappa = big.clamp(min=1e-300) / s
    a = beta_s / s.square()
    b = bare.kernel_norm * beta_s * big / (gamma * s**3)
    d = beta * big / (gamma * s.square())
    a = a * torch.where(strength.paper, kappa, 1.0)
    b = b * torch.where(strength.paper, kappa, 1.0)
    d = d * torch.where(strength.paper, kappa.square(), 1.0)
    return torch.nan_to_num(torch.where(strength.lemma, a, torch.maximum(a, torch.maximum(b, d))), nan=1.0)


def _room(bare: Setup) -> Tensor:
    """How large a ball may be before it meets a kink of a sample or of an evaluation point."""
    kinks = [bare.family.kink_distance(bare.theta0, bare.frozen, x) for x in (bare.x_train, bare.x_eval)]
    return torch.minimum(*kinks)


def _in_a_ball(bare: Setup, strength: Strength, inside: Tensor, stream: LaneStream) -> tuple[Tensor, Tensor]:
    """R and ρ_0 for a family whose constants grow with the ball, so that they meet on it.

    With q(ρ) the premise number per unit of R on the ball of radius ρ, R = inside/q(ρ_0) puts it where it is wanted, and the ball
    is `wider` times as large as R asks for: ρ_0·q(ρ_0) grows with ρ_0, and bisection finds where it is inside·wider/(s·EDGE).
    Where a kink comes first the ball ends before it, and R is what the ball allows.
    """
    s = bare.sigma_min.clamp(min=1e-300)
    kappa = torch.where(strength.paper, bare.sigma_max.clamp(min=1e-300) / s, 1.0)
    wider = kappa * stream.choice(1 + NUDGE, 1 + NUDGE, 4.0)
    room = _room(bare).clamp(max=LARGEST_BALL) * torch.where(stream.uniform() < 0.5, ROOM, stream.uniform(low=0.1))
    low, high = torch.log(room) - DEPTH, torch.log(room)

    def numbers(log_radius: Tensor) -> Tensor:
        at, radius = (bare.theta0, bare.frozen), torch.exp(log_radius)
        beta_s = bare.family.smoothness(*at, bare.x_train, radius)
        return _premise_number(bare, strength, beta_s, bare.family.mean_smoothness(*at, bare.x_eval, radius))

    for _ in range(HALVINGS):
        middle = (low + high) / 2
        fits = torch.exp(middle) * numbers(middle) * s * EDGE <= inside * wider
        low, high = torch.where(fits, middle, low), torch.where(fits, high, middle)
    ball = torch.exp(low)
    residual = torch.minimum(inside / numbers(low), ball * s * inside.clamp(min=EDGE) / wider)
    return residual, ball


def _residual_direction(bare: Setup, stream: LaneStream) -> Tensor:
    """Unit residuals `[lanes, m, k]`: random, or along the weakest or the strongest direction of J_S."""
    rows = bare.jacobian.shape[-2]
    left = torch.linalg.svd(torch.nan_to_num(bare.jacobian), full_matrices=True).U
    pick = stream.choice(0.0, 1.0, 2.0)[:, None]
    vector = torch.where(pick == 0, stream.unit(rows), torch.where(pick == 1, left[..., -1], left[..., 0]))
    return vector.unflatten(-1, bare.y_train.shape[-2:])


def setups(
    *, family: Families | None = None, max_samples: int = 3, max_points: int = 24
) -> st.SearchStrategy[SetupRecipe]:
    """A model with a fine-tuning set and an evaluation sample, before any descent.

    Args:
        family: a strategy of model families (default: every one with constants in closed form).
        max_samples: largest m. max_points: largest N.

    """
    return _recipes(SetupRecipe, family, max_samples, max_points)


def displacements(
    *, family: Families | None = None, max_samples: int = 3, max_points: int = 24
) -> st.SearchStrategy[DisplacedRecipe]:
    """Setups with a second parameter vector anywhere in the ball (not the end of a descent)."""
    return _recipes(DisplacedRecipe, family, max_samples, max_points)


def fine_tunings(
    *,
    family: Families | None = None,
    max_samples: int = 3,
    max_points: int = 24,
    placements: tuple[Placement, ...] = (),
) -> st.SearchStrategy[FineTuningRecipe]:
    """Setups descended to their limit.

    Args:
        family: a strategy of model families (default: every one with constants in closed form).
        max_samples: largest m. max_points: largest N.
        placements: where the premise numbers may sit (default: mostly inside and at the edge, now and then outside).

    """
    return _recipes(FineTuningRecipe, family, max_samples, max_points, placements)


def _recipes(
    kind: type[_R], family: Families | None, max_samples: int, max_points: int, placements: tuple[Placement, ...] = ()
) -> st.SearchStrategy[_R]:
    if max_samples < 1 or max_points < 1:
        raise BoundcheckError(f"max_samples={max_samples}, max_points={max_points}", expected="whole numbers >= 1")

    @st.composite
    def draw(draw: st.DrawFn) -> _R:
        model = draw(family if family is not None else models())
        k = model.outputs_count
        room = max(1, min(max_samples, model.parameters // k))
        samples = draw(st.integers(1, room))
        points = draw(st.integers(min(samples, max_points), max_points))
        return kind(
            family=model,
            samples=samples,
            points=points,
            placement=draw(st.sampled_from(placements or ("inside", "edge", "inside", "edge", "inside", "outside"))),
            spectrum=draw(st.sampled_from(KINDS)),
            eval_spectrum=draw(st.sampled_from(KINDS)),
            shared=draw(st.sampled_from([1.0, 0.0, 0.5, 0.9])),
            duplicates=draw(st.sampled_from([False] * 7 + [True])),
            long_steps=model.everywhere and draw(st.sampled_from([False, False, False, True])),
            seed=draw(st.integers(0, 2**31 - 1)),
        )

    return draw()
