"""Lemma 6, Lemma 8 and Theorem 7 on a trained network and real images: do the premises hold where people fine-tune?

Setting: a network 64 → 32 → 1, tanh, no biases, both layers trained on scikit-learn's handwritten digits to tell even (+1) from
odd (-1). Then the first layer alone is fine-tuned by gradient descent on four threes whose labels are all moved by the
same amount towards "even"; the evaluation distribution is every image of an eight.
Lanes: a ladder of label shifts, 2 (the other class's label), 1, 1/2, … Everything but the labels is the same in each lane.
Statements: the very functions of `lemma_6`, `lemma_8` and `theorem_7`, on this one batch.
Premises: β_S and β hold in all of parameter space, so ρ_0 = ∞ and no ball ever binds. What is left is the step size (h = 1/16)
and numbers that are linear in the residual R, hence in the label shift: a = β_S·R/s², b = Λ·β_S·S·R/(g·s³) and
d = β·S·R/(g·s²). What they are at one label shift gives in closed form the largest shift at which each premise holds;
the notes of each claim say it.
Numerics: float64; the training is a fixed number of full-batch steps from fixed weights, so that a machine repeats it; another
machine's linear algebra may change the last digits of what is measured.
Source: Local Edits, Lemma 6, Lemma 8, Theorem 7. The experiment is ours, not the paper's.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import torch
from hypothesis import strategies as st
from torch import Tensor

from boundcheck.claim import Claim, Sides, theorem
from boundcheck.dynamics import FineTuning, Setup, contraction, descend
from boundcheck.errors import BoundcheckError
from boundcheck.geometry import TwoLayer
from boundcheck.problem import Problem
from boundcheck.strategies.lanes import LaneStream
from boundcheck.theorems.local_edits import lemma_6, lemma_8, theorem_7

EDITED = 3
"""The digit whose labels are edited."""

EVALUATED = 8
"""The digit whose images are the evaluation distribution."""

SAMPLES = 4
"""How many images are edited."""

SHIFTS = tuple(2.0 ** (1 - rung) for rung in range(16))
"""By how much each edited label moves, a lane each: from the other class's label down to 1/16384."""

FAMILY = TwoLayer(inputs=64, width=32)
ADAPTIVE = "a (adaptive bound)"
LIMIT = 1 / 16
"""The constant c of the premises, and the step size h."""

HELD_OUT_EVERY = 4
TRAINING_STEPS = 500
LEARNING_RATE = 0.03
DESCENT_STEPS = 16384


@dataclass(frozen=True)
class Digits:
    """Images `[1797, 64]`, centred, of mean squared norm 1; and which digit each shows."""

    images: Tensor
    digit: Tensor

    @property
    def parity(self) -> Tensor:
        """+1 for an even digit, -1 for an odd one: `[1797]`."""
        return 1.0 - 2.0 * (self.digit % 2).to(torch.float64)

    @property
    def held_out(self) -> Tensor:
        """Every fourth image: never trained on."""
        return torch.arange(len(self.digit)) % HELD_OUT_EVERY == 0


@dataclass(frozen=True)
class Network:
    """First layer `[32, 64]` and head `[32]` of the trained network."""

    first: Tensor
    head: Tensor

    def __call__(self, images: Tensor) -> Tensor:
        """One output for each image."""
        return torch.tanh(images @ self.first.mT) @ self.head / FAMILY.width**0.5


@lru_cache(maxsize=1)
def digits() -> Digits:
    """The handwritten digits that scikit-learn ships. Raises BoundcheckError where it is not installed."""
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        raise BoundcheckError(
            "scikit-learn is not installed, and its handwritten digits are this claim's input",
            remedy="pip install 'boundcheck[real]'",
        ) from None
    pixels, digit = load_digits(return_X_y=True)
    centred = torch.as_tensor(pixels, dtype=torch.float64)
    centred = centred - centred.mean(0)
    return Digits(centred / centred.square().sum(-1).mean().sqrt(), torch.as_tensor(digit))


@lru_cache(maxsize=1)
def trained_network() -> Network:
    """Both layers trained on three quarters of the digits: mean squared error against the parity, full-batch Adam."""
    data = digits()
    stream = LaneStream(seed=0, lanes=1)
    first = stream.normal(FAMILY.width, FAMILY.inputs)[0].requires_grad_()
    head = stream.normal(FAMILY.width)[0].requires_grad_()
    images, labels = data.images[~data.held_out], data.parity[~data.held_out]
    optimizer = torch.optim.Adam([first, head], lr=LEARNING_RATE)
    with torch.enable_grad():
        for _ in range(TRAINING_STEPS):
            optimizer.zero_grad()
            (Network(first, head)(images) - labels).square().mean().backward()
            optimizer.step()
    return Network(first.detach(), head.detach())


def accuracy(network: Network, data: Digits) -> float:
    """Share of the held-out digits whose parity the sign of the output tells."""
    right = network(data.images[data.held_out]) * data.parity[data.held_out] > 0
    return float(right.double().mean())


def edited_setup(shifts: tuple[float, ...] = SHIFTS) -> Setup:
    """The fine-tuning problem, a lane for each label shift."""
    data, network = digits(), trained_network()
    images = data.images[data.digit == EDITED][:SAMPLES]
    towards_other_class = -data.parity[data.digit == EDITED][:SAMPLES]
    labels = network(images) + torch.tensor(shifts, dtype=torch.float64)[:, None] * towards_other_class
    one = {
        "theta0": network.first.flatten(),
        "frozen.head": network.head[None],
        "x_train": images,
        "x_eval": data.images[data.digit == EVALUATED],
        "alpha": torch.tensor(1.0, dtype=torch.float64),
        "eta": torch.tensor(1.0, dtype=torch.float64),
        "rho0": torch.tensor(torch.inf, dtype=torch.float64),
    }
    lanes = {name: value.expand(len(shifts), *value.shape).clone() for name, value in one.items()}
    head = lanes.pop("frozen.head")
    setup = Setup(family=FAMILY, frozen={"head": head}, y_train=labels[..., None], **lanes)
    step = LIMIT * (1 - 2.0**-20) / setup.sigma_max.square()
    return setup.with_leaves(setup.leaves() | {"eta": step})


@lru_cache(maxsize=2)
def edited_digits(tolerance: float = 1e-9) -> FineTuning:
    """The ladder of label shifts, each descended until its residual is `tolerance` of the first; solved once."""
    return descend(edited_setup(), tolerance=tolerance, max_steps=DESCENT_STEPS)


@dataclass(frozen=True)
class DigitsRecipe:
    """The one batch there is, built outside of Hypothesis's draw: training and descent happen once."""

    tolerance: float = 1e-9

    @property
    def label(self) -> str:
        """Which digits."""
        return f"{EDITED} edited, {EVALUATED} evaluated"

    def build(self, lanes: int, first: int = 0) -> FineTuning:
        """Every label shift, whatever number of lanes is asked for."""
        return edited_digits(self.tolerance)


@dataclass(frozen=True)
class Condition:
    """A premise `per_shift · shift <= limit`."""

    per_shift: float
    limit: float

    @property
    def largest_shift(self) -> float:
        """Up to which label shift it holds."""
        return self.limit / self.per_shift


def conditions(p: Setup) -> dict[str, Condition]:
    """Every premise that depends on the labels, as measured at θ_0: linear in R = shift·√m."""
    one = p.lane(0)
    s, S, g = float(one.sigma_min), float(one.sigma_max), float(one.overlap)
    kernel, beta_s, beta = float(one.kernel_norm), float(one.beta_train), float(one.beta_eval)
    per_residual = {
        "a": beta_s / s**2,
        "b": kernel * beta_s * S / (g * s**3),
        "d": beta * S / (g * s**2),
        "(7) as printed": beta_s * S / s**3,
        "(11) as printed, first part,": kernel * beta_s * S**2 / (g * s**4),
        "(11) as printed, second part,": beta * S**3 / (g * s**4),
    }
    root = math.sqrt(p.x_train.shape[-2])
    found = {name: Condition(slope * root, LIMIT) for name, slope in per_residual.items()}
    return found | {ADAPTIVE: Condition(found["a"].per_shift, _largest_adaptive_a(float(one.step_size)))}


def _largest_adaptive_a(h: float) -> float:
    """The largest a for which some e in [0, 1/2] has a·P(e) <= e: the maximum of e/P(e) (on a fine grid)."""
    e = torch.linspace(0, 0.5, 4097, dtype=torch.float64)
    step = torch.tensor(h, dtype=torch.float64)
    return float((e / contraction.path_factor(e, step)).amax())


def sides(claim: Claim, p: FineTuning) -> list[tuple[float, float]]:
    """Both sides of a claim in plain float64, lane by lane, whether or not its premises hold there."""
    constants = {name: p.alpha.new_tensor(float(exact.value)) for name, exact in claim.constants.items()}
    found = []
    for lane in range(p.lanes):
        instance = p.with_leaves({name: tensor[lane] for name, tensor in p.leaves().items()})
        statement = claim.state(instance, constants)[0]
        if isinstance(statement, Sides):
            found.append((float(statement.smaller), float(statement.larger)))
    return found


def describe(claim: Claim, names: tuple[str, ...], p: Problem) -> str:
    """What was measured: the sides along the ladder, and how far the conditions `names` are from holding."""
    if not isinstance(p, FineTuning):
        raise BoundcheckError(f"notes on a {type(p).__name__}", expected="the FineTuning that edited_digits() returns")
    shifts = (p.residual_norm / math.sqrt(p.x_train.shape[-2])).tolist()
    found = conditions(p)
    origin = (
        f"{SAMPLES} images of a {EDITED}, evaluated on {p.x_eval.shape[-2]} images of an {EVALUATED}; the network tells "
        f"even from odd on {accuracy(trained_network(), digits()):.1%} of the held-out digits."
    )
    return " ".join([origin, _measured(sides(claim, p), shifts), _distances({n: found[n] for n in names}, shifts[0])])


def _measured(pairs: list[tuple[float, float]], shifts: list[float]) -> str:
    """The sides at both ends of the ladder, and from where on the bound is above 0."""
    ends = [f"{pairs[end][0]:.3g} and {pairs[end][1]:.3g} at a label shift of {shifts[end]:.2g}" for end in (0, -1)]
    text = f"Smaller and larger side: {', '.join(ends)}."
    telling = [shift for shift, (smaller, _) in zip(shifts, pairs, strict=True) if smaller > 0]
    if len(telling) == len(shifts):
        return text
    return f"{text} On this ladder the bound is above 0 from a label shift of {max(telling, default=0):.2g} down."


def _distances(found: Mapping[str, Condition], shift: float) -> str:
    """How far each condition is from holding at this label shift, and from where on it holds."""
    if not found:
        return "Its premises do not depend on the labels: they hold at any label shift."
    parts = [
        f"{name} is {_readable(condition.per_shift * shift)}, {_readable(shift / condition.largest_shift)} times the "
        f"allowed {condition.limit:.3g}, and holds up to {condition.largest_shift:.2g}"
        for name, condition in found.items()
    ]
    return f"Premises at a label shift of {shift:.2g}, each linear in it: {'; '.join(parts)}."


def _readable(number: float) -> str:
    return f"{number:,.0f}" if number >= 10 else f"{number:.2g}"


def _on_digits(key: str, claim: Claim, *names: str, tolerance: float = 1e-9) -> Claim:
    """Register `claim`, the same function, on the digits; `names` are the conditions that its notes tell of."""
    register = theorem(
        key,
        source=claim.source,
        stance=claim.stance,
        over=st.just(DigitsRecipe(tolerance)),
        input="real",
        group="LE-digits",
        notes=lambda p: describe(claim, names, p),
    )
    return register(claim.check)


THEOREM_7 = ("a", "b", "d", "(7) as printed", "(11) as printed, first part,", "(11) as printed, second part,")

iterates = _on_digits("LE-6i:digits", lemma_6.iterates_stay_within_path_bound, "a")
# Decay is asked for by comparing ‖r_t‖ with exp(-rate·t): late iterates are known too coarsely for that, so stop early.
decay = _on_digits("LE-6ii:digits", lemma_6.residual_decays_at_three_quarters, "a", tolerance=1e-4)
movement_lower = _on_digits("LE-6iii:digits-lower", lemma_6.movement_ge, "a")
movement_upper = _on_digits("LE-6iii:digits-upper", lemma_6.movement_le, "a")
remainder = _on_digits("LE-8:digits", lemma_8.remainder_le)
spill = _on_digits("LE-7:digits-U", theorem_7.spillover_ge_overlap_sq_mul_residual_sq, *THEOREM_7)
spill_adaptive = _on_digits("LE-7:digits-adaptive", theorem_7.spillover_ge_adaptive, ADAPTIVE)
