"""Random setups, and their gradient descent written out in many digits from the definition of the model alone."""

import math
from dataclasses import dataclass
from typing import Any

import mpmath
import numpy as np
import torch
from torch import Tensor

from boundcheck.dynamics import Setup
from boundcheck.geometry import Attention, BothLayers, Family, GeneralQuadratic, Linear, Quadratic, TwoLayer

DIGITS = 60
SEED = 20250117
Point = list[Any]


def setup(
    family: Family,
    lanes: int,
    samples: int,
    *,
    seed: int = 0,
    step: tuple[float, float] = (0.05, 1.0),
    spread: float = 0.0,
    residual: float | None = None,
) -> Setup:
    """Random instances; `step` is the range of h = η·α²·S², `spread` the decades of all sizes."""
    rng = np.random.default_rng([SEED, seed])

    def normal(*shape: int) -> Tensor:
        scale = 10.0 ** rng.uniform(-spread, spread, (lanes, *(1 for _ in shape)))
        return torch.from_numpy(np.ascontiguousarray(scale * rng.standard_normal((lanes, *shape))))

    theta0 = normal(family.parameters)
    frozen = {name: normal(*shape) for name, shape in family.frozen_shapes().items()}
    x, y = normal(samples, family.features), normal(samples, family.outputs_count)
    alpha = torch.from_numpy(10.0 ** rng.uniform(-spread, spread, lanes))
    if residual is not None:
        y = alpha[:, None, None] * (family.outputs(theta0, frozen, x) + residual * y)
    largest = torch.linalg.matrix_norm(family.jacobian(theta0, frozen, x).flatten(-3, -2), ord=2)
    eta = torch.from_numpy(rng.uniform(*step, lanes)) / (alpha * largest).square()
    rho0 = torch.full((lanes,), math.inf, dtype=torch.float64)
    return Setup(family, theta0, frozen, x, y, normal(2, family.features), alpha, eta, rho0)


def tame(given: Setup, lanes: int, *, kappa: float = 3.0, a: float = 1 / 32) -> Setup:
    """The first lanes with a condition number below `kappa` and β_S·R/σ_min² below `a`."""
    curved = given.beta_train * given.residual_norm / given.sigma_min.square()
    good = torch.nonzero((given.sigma_max < kappa * given.sigma_min) & (curved < a)).flatten()[:lanes]
    assert len(good) == lanes
    return given.with_leaves({name: leaf[good] for name, leaf in given.leaves().items()})


def replaced(given: Setup, **leaves: Tensor) -> Setup:
    return given.with_leaves(given.leaves() | leaves)


@dataclass(frozen=True)
class Naive:
    """Gradient descent of one lane in mpmath, from the definition of the model alone."""

    family: Family
    theta0: Point
    frozen: dict[str, list[Point]]
    x: list[Point]
    y: list[Point]
    alpha: Any
    eta: Any

    @staticmethod
    def of(given: Setup, lane: int) -> "Naive":
        def rows(tensor: Tensor) -> list[Point]:
            return [[mpmath.mpf(v) for v in row] for row in tensor[lane].tolist()]

        return Naive(
            given.family,
            [mpmath.mpf(v) for v in given.theta0[lane].tolist()],
            {name: rows(tensor) for name, tensor in given.frozen.items()},
            rows(given.x_train),
            rows(given.y_train),
            mpmath.mpf(float(given.alpha[lane])),
            mpmath.mpf(float(given.eta[lane])),
        )

    def model(self, theta: Point, x: Point) -> tuple[Point, list[Point]]:
        """Outputs and their gradients at one input."""
        if isinstance(self.family, Linear):
            return self._linear(self.family, theta, x)
        if isinstance(self.family, Quadratic):
            return self._quadratic(self.family, theta, x)
        if isinstance(self.family, GeneralQuadratic):
            return self._general_quadratic(self.family, theta, x)
        if isinstance(self.family, BothLayers):
            return self._both_layers(self.family, theta, x)
        if isinstance(self.family, Attention):
            return self._attention(self.family, theta, x)
        assert isinstance(self.family, TwoLayer)
        return self._two_layer(self.family, theta, x)

    def _linear(self, family: Linear, theta: Point, x: Point) -> tuple[Point, list[Point]]:
        n = family.inputs
        outputs = [mpmath.fdot(theta[o * n : (o + 1) * n], x) for o in range(family.outputs_)]
        zero = [mpmath.mpf(0)] * n
        return outputs, [zero * o + x + zero * (family.outputs_ - 1 - o) for o in range(family.outputs_)]

    def _quadratic(self, family: Quadratic, theta: Point, x: Point) -> tuple[Point, list[Point]]:
        n, b = family.dimension, self.frozen["root"]
        bent = [sum((b[p][q] + b[q][p]) / 2 * theta[q] for q in range(n)) for p in range(n)]
        outputs, slopes = [], []
        for o in range(family.outputs_):
            a, c = x[o * n : (o + 1) * n], x[family.outputs_ * n + o]
            outputs.append(mpmath.fdot(a, theta) + c * mpmath.fdot(theta, bent) / 2)
            slopes.append([p + c * q for p, q in zip(a, bent, strict=True)])
        return outputs, slopes

    def _general_quadratic(self, family: GeneralQuadratic, theta: Point, x: Point) -> tuple[Point, list[Point]]:
        n, k = family.dimension, family.outputs_
        outputs, slopes = [], []
        for o in range(k):
            a, b = x[o * n : (o + 1) * n], x[(k + o * n) * n : (k + (o + 1) * n) * n]
            bent = [sum((b[p * n + q] + b[q * n + p]) / 2 * theta[q] for q in range(n)) for p in range(n)]
            outputs.append(mpmath.fdot(a, theta) + mpmath.fdot(theta, bent) / 2)
            slopes.append([p + q for p, q in zip(a, bent, strict=True)])
        return outputs, slopes

    def _two_layer(self, family: TwoLayer, theta: Point, x: Point) -> tuple[Point, list[Point]]:
        n, scale = family.inputs, mpmath.mpf(family.width**-0.5)
        parts = [
            activated(family.activation, mpmath.fdot(theta[unit * n : (unit + 1) * n], x))
            for unit in range(family.width)
        ]
        outputs = [scale * sum(w * p[0] for w, p in zip(row, parts, strict=True)) for row in self.frozen["head"]]
        slopes = [
            [scale * w * p[1] * v for w, p in zip(row, parts, strict=True) for v in x] for row in self.frozen["head"]
        ]
        return outputs, slopes

    def _both_layers(self, family: BothLayers, theta: Point, x: Point) -> tuple[Point, list[Point]]:
        n, w, scale = family.inputs, family.width, mpmath.mpf(family.width**-0.5)
        parts = [activated(family.activation, mpmath.fdot(theta[unit * n : (unit + 1) * n], x)) for unit in range(w)]
        outputs, slopes = [], []
        for o in range(family.outputs_):
            head = theta[w * n + o * w : w * n + (o + 1) * w]
            outputs.append(scale * sum(a * p[0] for a, p in zip(head, parts, strict=True)))
            first = [scale * a * p[1] * v for a, p in zip(head, parts, strict=True) for v in x]
            second = [scale * p[0] if other == o else mpmath.mpf(0) for other in range(family.outputs_) for p in parts]
            slopes.append(first + second)
        return outputs, slopes

    def _attention(self, family: Attention, theta: Point, x: Point) -> tuple[Point, list[Point]]:
        """Backwards by hand, in matrices of mpmath numbers."""
        parts, first = [], 0
        d, e, w, k = family.inputs, family.inner, family.width, family.outputs_
        for rows, columns in ((d, e), (d, e), (d, e), (w, e), (k, w)):
            parts.append(np.array(theta[first : first + rows * columns], dtype=object).reshape(rows, columns))
            first += rows * columns
        Q, K, V, U, a = parts
        X = np.array(x, dtype=object).reshape(family.tokens, d)
        heat, scale, share = mpmath.mpf(e**-0.5), mpmath.mpf(w**-0.5), mpmath.mpf(1 / family.tokens)
        odds = np.vectorize(mpmath.exp, otypes=[object])(X @ Q @ (X @ K).T * heat)
        A = odds / odds.sum(1, keepdims=True)
        met = share * A.sum(0) @ X
        phi = [activated(family.activation, z) for z in U @ (met @ V)]
        value, slope = (np.array(part, dtype=object) for part in zip(*phi, strict=True))
        slopes = []
        for o in range(k):
            signal = scale * a[o] * slope
            output = signal @ U
            weights = np.array([share * (X @ (V @ output))] * family.tokens, dtype=object)
            scores = heat * A * (weights - (A * weights).sum(1, keepdims=True))
            head = np.array([scale * value * (other == o) for other in range(k)], dtype=object)
            grads = [X.T @ scores @ (X @ K), X.T @ scores.T @ (X @ Q), np.outer(met, output)]
            grads += [np.outer(signal, met @ V), head]
            slopes.append([v for grad in grads for v in grad.flatten()])
        return list(scale * (a @ value)), slopes

    def gradient(self, theta: Point) -> tuple[Point, Any]:
        """∇L and ‖r‖."""
        gradient, square = [mpmath.mpf(0)] * len(theta), mpmath.mpf(0)
        for x, y in zip(self.x, self.y, strict=True):
            for output, slope, label in zip(*self.model(theta, x), y, strict=True):
                residual = self.alpha * output - label
                square += residual * residual
                gradient = [g + self.alpha * residual * s for g, s in zip(gradient, slope, strict=True)]
        return gradient, mpmath.sqrt(square)

    def step(self, theta: Point) -> Point:
        """One step of gradient descent."""
        return [t - self.eta * g for t, g in zip(theta, self.gradient(theta)[0], strict=True)]

    def iterates(self, steps: int) -> list[Point]:
        """θ_0, …, θ_steps."""
        found = [self.theta0]
        for _ in range(steps):
            found.append(self.step(found[-1]))
        return found

    def descent(self, most: int, share: float = 1e-25) -> list[Point]:
        """θ_0, θ_1, … until the residual is this share of the first one; nothing where that takes more steps."""
        found, (_, first) = [self.theta0], self.gradient(self.theta0)
        for _ in range(most):
            gradient, size = self.gradient(found[-1])
            if size <= share * first:
                return found
            found.append([t - self.eta * g for t, g in zip(found[-1], gradient, strict=True)])
        return []


def activated(name: str, z: Any) -> tuple[Any, Any]:
    """φ(z) and φ'(z)."""
    if name == "tanh":
        t = mpmath.tanh(z)
        return t, 1 - t * t
    if name == "relu":
        return max(z, mpmath.mpf(0)), mpmath.mpf(int(z > 0))
    s = 1 / (1 + mpmath.exp(-z))
    return (mpmath.log(1 + mpmath.exp(z)), s) if name == "softplus" else (s, s * (1 - s))


def distance(p: Point, q: Point) -> Any:
    return mpmath.sqrt(sum((mpmath.mpf(a) - mpmath.mpf(b)) ** 2 for a, b in zip(p, q, strict=True)))


def nearest_interpolant(given: Setup, lane: int) -> Point:
    """The limit for a linear model with full row rank: θ_0 + Xᵀ(X·Xᵀ)⁻¹(y/α - X·θ_0), output by output."""
    x = mpmath.matrix(given.x_train[lane].tolist())
    gram = x * x.T
    k, n = given.family.outputs_count, given.family.features
    limit: Point = []
    for o in range(k):
        start = mpmath.matrix(given.theta0[lane].reshape(k, n)[o].tolist())
        label = mpmath.matrix(given.y_train[lane][:, o].tolist()) / mpmath.mpf(float(given.alpha[lane]))
        limit += list(start + x.T * mpmath.lu_solve(gram, label - x * start))
    return limit
