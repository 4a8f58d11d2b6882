"""Model families: f(θ, x) with its Jacobian, and the Lipschitz constants of that Jacobian in closed form.

Every function is shape-polymorphic: `theta` is `[..., n]`, `x` is `[..., rows, features]`, and the leading axes (lanes)
broadcast, so that the same formula serves one instance inside a claim and thousands of lanes in a descent.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from boundcheck.geometry.activations import ACTIVATIONS, SMOOTH, Activation, require_activation
from boundcheck.geometry.narrow import MOST_PRODUCTS, NarrowPasses
from boundcheck.problem import Part

Frozen = Mapping[str, Tensor]

Passes = Callable[[Tensor, Callable[[Tensor], Tensor]], tuple[Tensor, Tensor]]
"""(θ, what makes a cotangent c of the outputs) ↦ (c, Jᵀ·c), both at θ; see `Family.passes`."""


@dataclass(frozen=True)
class Family(Part, ABC):
    """A parametric model. Subclass it as a frozen dataclass whose fields are its sizes.

    Only `parameters`, `features`, `outputs_count` and `outputs` must be given: Jacobian and pullback then come from
    automatic differentiation, and the Lipschitz constants count as estimated (never enough to establish a premise).
    """

    closed_form: ClassVar[bool] = False
    """Whether `smoothness` and `mean_smoothness` are proved upper bounds, in the ball that they are asked for."""

    everywhere: ClassVar[bool] = True
    """Whether they hold on all of parameter space, whatever the ball."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Another `outputs` or `pullback` than an inherited `passes` was made for: the descent must not run the old one."""
        super().__init_subclass__(**kwargs)

        def where(name: str) -> int:
            return next(place for place, base in enumerate(cls.__mro__) if name in vars(base))

        if min(where("outputs"), where("pullback")) < where("passes"):
            cls.passes = Family.passes  # type: ignore[method-assign]
            cls.lanes_last = Family.lanes_last  # type: ignore[method-assign]

    @property
    @abstractmethod
    def parameters(self) -> int:
        """n, the number of trained parameters."""

    @property
    @abstractmethod
    def features(self) -> int:
        """Length of one input."""

    @property
    def outputs_count(self) -> int:
        """k, the number of outputs."""
        return 1

    def frozen_shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes of the parameters that are not trained."""
        return {}

    @abstractmethod
    def outputs(self, theta: Tensor, frozen: Frozen, x: Tensor) -> Tensor:
        """f(θ, x) for each row of x: `[..., rows, k]`."""

    def jacobian(self, theta: Tensor, frozen: Frozen, x: Tensor) -> Tensor:
        """∂f/∂θ for each row of x: `[..., rows, k, n]`."""
        return self._over_lanes(self._jacobian_one, theta, frozen, x)

    def pullback(self, theta: Tensor, frozen: Frozen, x: Tensor, cotangent: Tensor) -> Tensor:
        """Jᵀ·cotangent for a cotangent `[..., rows, k]`: `[..., n]`."""
        return self._over_lanes(self._pullback_one, theta, frozen, x, cotangent)

    def passes(self, frozen: Frozen, x: Tensor) -> Passes:
        """`outputs`, then `pullback` of a cotangent that is made of them, for many θ with the same frozen parameters and x.

        A family may share what both compute and prepare what stays the same, but only with the operators of `outputs` and
        `pullback`, each applied to the same operands: a product of matrices may sum its terms in another order, nothing else
        may differ. What is proved of these two for sums in any order (`boundcheck.rigor.magnitude`) is then true of this too.
        A subclass that gives `outputs` or `pullback` anew, and not this, has the one given here.
        """

        def one_by_one(theta: Tensor, cotangent_of: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor]:
            cotangent = cotangent_of(self.outputs(theta, frozen, x))
            return cotangent, self.pullback(theta, frozen, x, cotangent)

        return one_by_one

    def lanes_last(self, rows: int) -> bool:
        """Whether `passes` on so many rows of x is made for tensors `[lanes, …]` whose lanes are innermost in memory.

        Where it is, `passes` must not take derivatives by automatic differentiation: a descent switches that off.
        """
        return False

    def smoothness(self, theta: Tensor, frozen: Frozen, x: Tensor, radius: Tensor | None = None) -> Tensor:
        """β_S of Local Edits (4): a constant with ‖J_S(θ') - J_S(θ'')‖ ≤ β_S·‖θ' - θ''‖ for all θ', θ'' in a ball around `theta`.

        `radius` `[...]` is the ball's (None: all of space); a family whose constants hold `everywhere` ignores it, another one
        says +inf where it knows of none. For a family without a closed form this is sampled around `theta`: a **lower** bound.
        """
        return self._sampled(theta, frozen, x, per_row=False)

    def mean_smoothness(self, theta: Tensor, frozen: Frozen, x: Tensor, radius: Tensor | None = None) -> Tensor:
        """β of Local Edits (5): E‖J_x(θ') - J_x(θ'')‖² ≤ β²·‖θ' - θ''‖² in the same ball, the mean taken over the rows of x.

        For a family without a closed form this is sampled around `theta`: a **lower** bound.
        """
        return self._sampled(theta, frozen, x, per_row=True)

    def kink_distance(self, theta: Tensor, frozen: Frozen, x: Tensor) -> Tensor:
        """A radius below which no θ' around `theta` has a kink at a row of x: `[...]`, +inf for a smooth family."""
        return torch.full_like(theta[..., 0], torch.inf)

    def _over_lanes(
        self, function: Callable[..., Tensor], theta: Tensor, frozen: Frozen, x: Tensor, *more: Tensor
    ) -> Tensor:
        lifted = function
        for _ in range(theta.dim() - 1):
            lifted = torch.vmap(lifted, in_dims=(0, 0, 0, *(0 for _ in more)))
        return lifted(theta, dict(frozen), x, *more)

    def _jacobian_one(self, theta: Tensor, frozen: Frozen, x: Tensor) -> Tensor:
        jacobian: Tensor = torch.func.jacrev(lambda t: self.outputs(t, frozen, x))(theta)
        return jacobian

    def _pullback_one(self, theta: Tensor, frozen: Frozen, x: Tensor, cotangent: Tensor) -> Tensor:
        pull = torch.func.vjp(lambda t: self.outputs(t, frozen, x), theta)[1]
        gradient: Tensor = pull(cotangent)[0]
        return gradient

    def _sampled(self, theta: Tensor, frozen: Frozen, x: Tensor, *, per_row: bool, samples: int = 8) -> Tensor:
        # A fixed Weyl sequence instead of a random generator: no state, and the same numbers inside and outside vmap.
        n = self.parameters
        steps = torch.arange(1, samples * n + 1, dtype=theta.dtype, device=theta.device).reshape(samples, n)
        directions = torch.sin(steps * 2.399963229728653 + steps**2 * 0.7548776662466927)
        start = self.jacobian(theta, frozen, x)
        worst = []
        for direction in directions.unbind(0):
            unit = direction / torch.linalg.vector_norm(direction)
            change = (self.jacobian(theta + 1e-3 * unit, frozen, x) - start) / 1e-3
            if per_row:
                norms = torch.linalg.matrix_norm(change, ord=2)
                worst.append(norms.square().mean(-1).sqrt())
            else:
                worst.append(torch.linalg.matrix_norm(change.flatten(-3, -2), ord=2))
        return torch.stack(worst, dim=-1).amax(-1)


def weighted_second_moment_norm(x: Tensor) -> Tensor:
    """‖Σ ‖x_i‖²·x_i·x_iᵀ‖ over the rows of x: `[...]`."""
    scaled = x * torch.linalg.vector_norm(x, dim=-1, keepdim=True)
    return torch.linalg.svdvals(scaled)[..., 0].square()


@dataclass(frozen=True)
class Linear(Family):
    """f(θ, x) = Θ·x with Θ of k rows: both smoothness constants are 0."""

    inputs: int
    outputs_: int = 1

    closed_form: ClassVar[bool] = True

    @property
    def parameters(self) -> int:
        return self.inputs * self.outputs_

    @property
    def features(self) -> int:
        return self.inputs

    @property
    def outputs_count(self) -> int:
        return self.outputs_

    def outputs(self, theta: Tensor, frozen: Frozen, x: Tensor) -> Tensor:
        return x @ theta.unflatten(-1, (self.outputs_, self.inputs)).mT

    def jacobian(self, theta: Tensor, frozen: Frozen, x: Tensor) -> Tensor:
        identity = torch.eye(self.outputs_, dtype=x.dtype, device=x.device)
        return (identity[:, :, None] * x[..., :, None, None, :]).flatten(-2)

    def pullback(self, theta: Tensor, frozen: Frozen, x: Tensor, cotangent: Tensor) -> Tensor:
        return (cotangent.mT @ x).flatten(-2)

    def smoothness(self, theta: Tensor, frozen: Frozen, x: Tensor, radius: Tensor | None = None) -> Tensor:
        return torch.zeros_like(theta[..., 0])

    mean_smoothness = smoothness


@dataclass(frozen=True)
class Quadratic(Family):
    """f_j(θ, x) = a_jᵀθ + ½·c_j·θᵀAθ with x = (a_1, …, a_k, c): each curvature a multiple of one symmetric A.

    Both constants are exact: β_S = ‖c over all samples and outputs‖·‖A‖ and β = √(E‖c‖²)·‖A‖. With A = I the remainder
    of Lemma 8 attains its bound for every step. `root` holds B with A = (B + Bᵀ)/2.
    """

    dimension: int
    outputs_: int = 1

    closed_form: ClassVar[bool] = True

    @property
    def parameters(self) -> int:
        return self.dimension

    @property
    def features(self) -> int:
        return self.outputs_ * (self.dimension + 1)

    @property
    def outputs_count(self) -> int:
        return self.outputs_

    def frozen_shapes(self) -> dict[str, tuple[int, ...]]:
        return {"root": (self.dimension, self.dimension)}

    def _split(self, x: Tensor) -> tuple[Tensor, Tensor]:
        slopes = x[..., : self.outputs_ * self.dimension].unflatten(-1, (self.outputs_, self.dimension))
        return slopes, x[..., self.outputs_ * self.dimension :]

    def _curvature(self, frozen: Frozen) -> Tensor:
        return 0.5 * (frozen["root"] + frozen["root"].mT)

    def outputs(self, theta: Tensor, frozen: Frozen, x: Tensor) -> Tensor:
        slopes, weights = self._split(x)
        bent = (self._curvature(frozen) @ theta.unsqueeze(-1)).squeeze(-1)
        linear = (slopes @ theta[..., None, :, None]).squeeze(-1)
        return linear + 0.5 * weights * (theta * bent).sum(-1)[..., None, None]

    def jacobian(self, theta: Tensor, frozen: Frozen, x: Tensor) -> Tensor:
        slopes, weights = self._split(x)
        bent = (self._curvature(frozen) @ theta.unsqueeze(-1)).squeeze(-1)
        return slopes + weights[..., None] * bent[..., None, None, :]

    def pullback(self, theta: Tensor, frozen: Frozen, x: Tensor, cotangent: Tensor) -> Tensor:
        slopes, weights = self._split(x)
        bent = (self._curvature(frozen) @ theta.unsqueeze(-1)).squeeze(-1)
        flat = slopes.flatten(-3, -2)
        through_slopes = (flat.mT @ cotangent.flatten(-2).unsqueeze(-1)).squeeze(-1)
        return through_slopes + (weights * cotangent).sum((-1, -2))[..., None] * bent

    def _curvature_norm(self, frozen: Frozen) -> Tensor:
        return torch.linalg.svdvals(self._curvature(frozen))[..., 0]

    def smoothness(self, theta: Tensor, frozen: Frozen, x: Tensor, radius: Tensor | None = None) -> Tensor:
        _, weights = self._split(x)
        return torch.linalg.vector_norm(weights, dim=(-2, -1)) * self._curvature_norm(frozen)

    def mean_smoothness(self, theta: Tensor, frozen: Frozen, x: Tensor, radius: Tensor | None = None) -> Tensor:
        _, weights = self._split(x)
        return weights.square().sum(-1).mean(-1).sqrt() * self._curvature_norm(frozen)


@dataclass(frozen=True)
class GeneralQuadratic(Family):
    """f_j(θ, x) = a_jᵀθ + ½·θᵀA_jθ with x = (a_1, …, a_k, B_1, …, B_k) and A_j = (B_j + B_jᵀ)/2: a curvature for each output.

    β_S is the spectral norm of the tensor of all curvatures, bounded by the smaller of its two distinct unfoldings; β² is
    ‖E Σ_j A_j²‖, exact for one output.
    """

    dimension: int
    outputs_: int = 1

    closed_form: ClassVar[bool] = True

    @property
    def parameters(self) -> int:
        return self.dimension

    @property
    def features(self) -> int:
        return self.outputs_ * self.dimension * (self.dimension + 1)

    @property
    def outputs_count(self) -> int:
        return self.outputs_

    def _split(self, x: Tensor) -> tuple[Tensor, Tensor]:
        n, k = self.dimension, self.outputs_
        slopes = x[..., : k * n].unflatten(-1, (k, n))
        roots = x[..., k * n :].unflatten(-1, (k, n, n))
        return slopes, 0.5 * (roots + roots.mT)

    def outputs(self, theta: Tensor, frozen: Frozen, x: Tensor) -> Tensor:
        slopes, curvatures = self._split(x)
        column = theta[..., None, None, :, None]
        bent = (curvatures @ column).squeeze(-1)
        return ((slopes + 0.5 * bent) * theta[..., None, None, :]).sum(-1)

    def jacobian(self, theta: Tensor, frozen: Frozen, x: Tensor) -> Tensor:
        slopes, curvatures = self._split(x)
        return slopes + (curvatures @ theta[..., None, None, :, None]).squeeze(-1)

    def pullback(self, theta: Tensor, frozen: Frozen, x: Tensor, cotangent: Tensor) -> Tensor:
        return (self.jacobian(theta, frozen, x) * cotangent[..., None]).sum((-3, -2))

    def smoothness(self, theta: Tensor, frozen: Frozen, x: Tensor, radius: Tensor | None = None) -> Tensor:
        _, curvatures = self._split(x)
        by_row = torch.linalg.svdvals(curvatures.flatten(-4, -3).flatten(-2))[..., 0]
        by_parameter = torch.linalg.svdvals(curvatures.flatten(-4, -2))[..., 0]
        return torch.minimum(by_row, by_parameter)

    def mean_smoothness(self, theta: Tensor, frozen: Frozen, x: Tensor, radius: Tensor | None = None) -> Tensor:
        _, curvatures = self._split(x)
        stacked = curvatures.flatten(-4, -2)  # its Gram matrix is Σ_i Σ_j A_j(x_i)²
        return torch.linalg.svdvals(stacked)[..., 0] / x.new_tensor(float(x.shape[-2])).sqrt()


@dataclass(frozen=True)
class TwoLayer(Family):
    """f(W, x) = a·φ(W·x)/√width with the first layer trained, φ = tanh, softplus or sigmoid.

    With ℓ = sup|φ''| and the largest column norm of a: β_S ≤ ℓ·max‖a_j‖/√width·√‖Σ‖x_i‖²x_ix_iᵀ‖ and β the same with the
    mean over the evaluation samples (Cauchy-Schwarz over the hidden units, then ‖Wx‖ ≤ ‖W‖·‖x‖ on one factor). Both
    bounds are global.
    """

    inputs: int
    width: int
    outputs_: int = 1
    activation: str = "tanh"

    closed_form: ClassVar[bool] = True
    known: ClassVar[tuple[str, ...]] = SMOOTH

    def __post_init__(self) -> None:
        require_activation(self.activation, self.known)

    @property
    def parameters(self) -> int:
        return self.inputs * self.width

    @property
    def features(self) -> int:
        return self.inputs

    @property
    def outputs_count(self) -> int:
        return self.outputs_

    def frozen_shapes(self) -> dict[str, tuple[int, ...]]:
        return {"head": (self.outputs_, self.width)}

    @property
    def _scale(self) -> float:
        return self.width**-0.5

    @property
    def _phi(self) -> Activation:
        return ACTIVATIONS[self.activation]

    def _hidden(self, theta: Tensor, x: Tensor) -> Tensor:
        return x @ theta.unflatten(-1, (self.width, self.inputs)).mT

    def outputs(self, theta: Tensor, frozen: Frozen, x: Tensor) -> Tensor:
        return (self._phi.value(self._hidden(theta, x)) @ frozen["head"].mT) * self._scale

    def _slope(self, theta: Tensor, x: Tensor) -> Tensor:
        return self._phi.slope(self._hidden(theta, x))

    def jacobian(self, theta: Tensor, frozen: Frozen, x: Tensor) -> Tensor:
        weights = self._slope(theta, x)[..., :, None, :] * frozen["head"][..., None, :, :]
        return (weights[..., None] * x[..., :, None, None, :]).flatten(-2) * self._scale

    def pullback(self, theta: Tensor, frozen: Frozen, x: Tensor, cotangent: Tensor) -> Tensor:
        return self._pulled(self._slope(theta, x), frozen, x, cotangent)

    def _pulled(self, slope: Tensor, frozen: Frozen, x: Tensor, cotangent: Tensor) -> Tensor:
        signal = (cotangent @ frozen["head"]) * slope
        return (signal.mT @ x).flatten(-2) * self._scale

    def lanes_last(self, rows: int) -> bool:
        return 0 < rows * self.inputs * self.width * self.outputs_ <= MOST_PRODUCTS

    def passes(self, frozen: Frozen, x: Tensor) -> Passes:
        if x.dim() == 3 and self.lanes_last(x.shape[-2]):
            return NarrowPasses.of(self._phi, self._scale, frozen["head"], x)

        def shared(theta: Tensor, cotangent_of: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor]:
            value, slope = self._phi.both(self._hidden(theta, x))
            cotangent = cotangent_of((value @ frozen["head"].mT) * self._scale)
            return cotangent, self._pulled(slope, frozen, x, cotangent)

        return shared

    def _bound(self, frozen: Frozen, moment: Tensor) -> Tensor:
        column = torch.linalg.vector_norm(frozen["head"], dim=-2).amax(-1)
        return self._phi.sharpest * column * self._scale * moment.sqrt()

    def smoothness(self, theta: Tensor, frozen: Frozen, x: Tensor, radius: Tensor | None = None) -> Tensor:
        return self._bound(frozen, weighted_second_moment_norm(x))

    def mean_smoothness(self, theta: Tensor, frozen: Frozen, x: Tensor, radius: Tensor | None = None) -> Tensor:
        return self._bound(frozen, weighted_second_moment_norm(x) / x.shape[-2])
