"""Fine-tunings at the edge of the premises, found by evolution: where the constants of Lemma 6 and Theorem 7 are decided.

At the worst case a curvature has eigenvalues of both signs and one size, where its norm, and with it every premise, has a kink:
an ascent from random starts zigzags there. So curvatures are β·(u·uᵀ - w·wᵀ) with u, w orthonormal, the sizes β_S and β
as large as the premises allow, and what is left (directions, residual, evaluation Jacobian) is searched by CMA-ES, through
descents in leaps. What it ends at is descended for real.
"""

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import cma
import numpy as np
import torch
from torch import Tensor

from boundcheck.claim import Claim
from boundcheck.dynamics import FineTuning, Setup, descend
from boundcheck.dynamics.leaps import leap
from boundcheck.geometry import GeneralQuadratic
from boundcheck.search.instance import OneInstance

INSIDE = 1 - 2.0**-20
"""How near the edge is: exactly at it roundings would decide."""

GENERATION = 32
SPREAD = 0.5
SHORT = 2.0**-11
WORST = 1e6


@dataclass(frozen=True)
class Edge:
    """What the instances of a search share.

    Attributes:
        rows: m, with m + 1 parameters and m evaluation points. condition: κ. c: of the premises.
        powers: of κ by which the premises on a, b and d are weaker than set U's. spill: whether b and d are premises at all.
        weakest: whether every residual lies along the weakest direction.
        share: of c that is used up. patience: how many times more steps than usual a descent takes, as a power of 2.

    """

    rows: int
    condition: float
    c: float
    powers: tuple[int, int, int] = (0, 0, 0)
    spill: bool = True
    weakest: bool = False
    share: float = 1.0
    patience: int = 0

    @property
    def step(self) -> float:
        """h: short steps, since a long one cuts the path's corners, but not so short that a descent takes too many."""
        return min(self.c, 1 / 16, self.condition**2 * SHORT)

    @property
    def doublings(self) -> int:
        """A descent takes 2^doublings steps: at most e^-4 of the residual is left then, and the limit is predicted from there."""
        return math.ceil(math.log2(4 * self.condition**2 / self.step)) + self.patience

    @property
    def size(self) -> int:
        """How many numbers are searched."""
        m, n = self.rows, self.rows + 1
        return 4 * n + 3 * m + m * n

    def setup(self, free: np.ndarray) -> Setup:
        """A lane for each row of `free`: strongest slope 1, residual of norm 1, θ_0 = 0, α = 1."""
        m, n, lanes = self.rows, self.rows + 1, len(free)
        parts = torch.tensor(free, dtype=torch.float64).split([2 * n, 2 * n, m, m, m, m * n], dim=1)
        bend, bend_eval = (_two_signs(part.reshape(lanes, 2, n)) for part in parts[:2])
        mix, mix_eval, residual = (torch.nn.functional.normalize(part, dim=1) for part in parts[2:5])
        if self.weakest:
            residual = torch.eye(m, dtype=torch.float64)[-1].expand(lanes, m)
        slopes = torch.diag(
            self.condition ** -torch.linspace(0.0, 1.0, m, dtype=torch.float64) if m > 1 else torch.ones(1)
        )
        slopes = torch.cat([slopes.double(), torch.zeros(m, 1, dtype=torch.float64)], dim=1).expand(lanes, m, n)
        rows_eval = parts[5].reshape(lanes, m, n) * float(m) ** 0.5
        one = torch.ones(lanes, dtype=torch.float64)
        flat = Setup(
            family=GeneralQuadratic(n),
            theta0=torch.zeros(lanes, n, dtype=torch.float64),
            frozen={},
            x_train=_inputs(slopes, mix, bend),
            y_train=residual.unsqueeze(-1),
            x_eval=_inputs(rows_eval, mix_eval * float(m) ** 0.5, bend_eval),
            alpha=one,
            eta=self.step * INSIDE * one,
            rho0=torch.full_like(one, torch.inf),
        )
        train, evaluation = self._sizes(flat)
        return _bent(
            flat, _inputs(slopes, mix * train, bend), _inputs(rows_eval, mix_eval * evaluation * m**0.5, bend_eval)
        )

    def _sizes(self, p: Setup) -> tuple[Tensor, Tensor]:
        """β_S and β at the edge, `[lanes, 1]`: the numbers a, b, d are linear in them."""
        k = self.condition
        s, big, R, g = p.sigma_min, p.sigma_max, p.residual_norm, p.overlap
        a = s.square() * k ** self.powers[0] / R
        b = g * s.pow(3) * k ** self.powers[1] / (p.kernel_norm * big * R)
        d = g * s.square() * k ** self.powers[2] / (big * R)
        train = torch.minimum(a, b) if self.spill else a
        return tuple((self.c * self.share * INSIDE * size).unsqueeze(-1) for size in (train, d))  # type: ignore[return-value]

    def approached(self, free: np.ndarray) -> FineTuning:
        """Descended in leaps."""
        return leap(self.setup(free), self.doublings + 1)

    def descended(self, free: np.ndarray) -> FineTuning:
        """Descended step by step, with radii."""
        return descend(self.setup(free), max_steps=2**self.doublings)


def _two_signs(pair: Tensor) -> Tensor:
    """u·uᵀ - w·wᵀ for the two vectors, made orthonormal."""
    q = torch.linalg.qr(pair.mT).Q
    u, w = q[..., 0], q[..., 1]
    return u.unsqueeze(-1) * u.unsqueeze(-2) - w.unsqueeze(-1) * w.unsqueeze(-2)


def _inputs(slopes: Tensor, weights: Tensor, bend: Tensor) -> Tensor:
    """Inputs of the family: each row's slope, and its multiple of the one curvature."""
    curvatures = weights[..., None, None] * bend.unsqueeze(-3)
    return torch.cat([slopes, curvatures.flatten(-2)], dim=-1)


def _bent(p: Setup, x_train: Tensor, x_eval: Tensor) -> Setup:
    return p.with_leaves(p.leaves() | {"x_train": x_train, "x_eval": x_eval})


# --------------------------------------------------------------------------------------------------------------- the search


def search(
    claim: Claim, edge: Edge, *, seed: int, generations: int, told: Callable[[int], None] = lambda _: None
) -> FineTuning:
    """The tightest instance that evolution finds from random starts, as a batch of one lane."""
    options = {"popsize": GENERATION, "seed": seed + 1, "verbose": -9, "maxiter": generations}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of cma's own settings
        strategy = cma.CMAEvolutionStrategy(_best_start(claim, edge, seed), SPREAD, options)
    while not strategy.stop():
        asked = strategy.ask()
        strategy.tell(asked, _falls(claim, edge.approached(np.stack(asked))))
        told(GENERATION)
    return edge.descended(strategy.result.xbest[None])


def _best_start(claim: Claim, edge: Edge, seed: int) -> np.ndarray:
    """Of a few hundred random starts the tightest."""
    starts = np.random.default_rng(seed).normal(size=(16 * GENERATION, edge.size))
    best: np.ndarray = starts[int(np.argmin(_falls(claim, edge.approached(starts))))]
    return best


def _falls(claim: Claim, p: FineTuning) -> list[float]:
    """-log(smaller/larger), or something large where a premise is missed."""
    one = OneInstance(claim, p)
    constants = [torch.tensor(float(exact.value), dtype=torch.float64) for exact in claim.constants.values()]
    leaves = list(p.leaves().values())
    with torch.no_grad():
        lanes = torch.vmap(one, in_dims=(*(0 for _ in leaves), *(None for _ in constants)))
        smaller, larger, *margins = lanes(*leaves, *constants)
        fit = torch.stack(margins).amin(0) >= 0
        height = torch.log(smaller.clamp(min=1e-300)) - torch.log(larger.clamp(min=1e-300))
    falls: list[float] = torch.where(fit, -height, WORST).nan_to_num(nan=WORST, posinf=WORST).tolist()
    return falls
