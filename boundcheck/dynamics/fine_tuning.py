"""Fine-tuning by gradient descent on a least-squares loss (Local Edits, Sections 2 and 3) as a Problem."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from typing import ClassVar, Self, cast

import torch
from torch import Tensor

from boundcheck.errors import BoundcheckError
from boundcheck.geometry import Family, project, row_space, singular_values
from boundcheck.geometry import overlap as tangent_overlap
from boundcheck.problem import Problem


@dataclass(frozen=True)
class Setup(Problem):
    """A pre-trained model, a fine-tuning set and an evaluation distribution (a finite sample, so that means are exact).

    Leaves, without the lane axis (m samples, N evaluation points, k outputs, n parameters):
        theta0 `[n]`, frozen parameters of the family, x_train `[m, features]`, y_train `[m, k]`, x_eval `[N, features]`,
        alpha `[]` (output scale), eta `[]` (step size), rho0 `[]` (radius of Assumption 5's ball, +inf allowed).

    The quantities below are computed from them, in one instance at a time or in batches.
    """

    family: Family
    theta0: Tensor
    frozen: dict[str, Tensor]
    x_train: Tensor
    y_train: Tensor
    x_eval: Tensor
    alpha: Tensor
    eta: Tensor
    rho0: Tensor

    unbounded: ClassVar[tuple[str, ...]] = ("rho0",)

    def __post_init__(self) -> None:
        """Sizes that do not fit the family are refused here: a stored instance may say anything."""
        k, features = self.family.outputs_count, self.family.features
        expected = {
            "theta0": (self.theta0, (self.family.parameters,)),
            "x_train": (self.x_train, (features,)),
            "y_train": (self.y_train, (k,)),
            "x_eval": (self.x_eval, (features,)),
            **{name: (self.frozen.get(name), shape) for name, shape in self.family.frozen_shapes().items()},
        }
        for name, (leaf, shape) in expected.items():
            if leaf is None or tuple(leaf.shape[-len(shape) :]) != shape:
                got = "missing" if leaf is None else f"of shape {tuple(leaf.shape)}"
                raise BoundcheckError(
                    f"the leaf {name} is {got}", expected=f"[..., {', '.join(map(str, shape))}] for {self.family}"
                )

    def admissible(self) -> Tensor:
        """Scale, step size and ball are positive."""
        return (self.alpha > 0) & (self.eta > 0) & (self.rho0 > 0)

    def residual(self, theta: Tensor) -> Tensor:
        """r_S(θ) = α·F_S(θ) - y_S, stacked over samples and outputs: `[..., mk]`."""
        outputs = self.family.outputs(theta, self.frozen, self.x_train)
        return (self.alpha[..., None, None] * outputs - self.y_train).flatten(-2)

    def pullback(self, theta: Tensor, cotangent: Tensor) -> Tensor:
        """J_S(θ)ᵀ·c for a c stacked like r_S: `[..., n]`."""
        return self.family.pullback(theta, self.frozen, self.x_train, cotangent.unflatten(-1, self.y_train.shape[-2:]))

    def passes(self) -> Callable[[Tensor], tuple[Tensor, Tensor]]:
        """What gives r_S(θ) and J_S(θ)ᵀ·r_S(θ) together, for one θ after another; see `Family.passes`."""
        both, alpha = self.family.passes(self.frozen, self.x_train), self.alpha[..., None, None]

        def missed(outputs: Tensor) -> Tensor:
            return alpha * outputs - self.y_train

        def at(theta: Tensor) -> tuple[Tensor, Tensor]:
            residual, pulled = both(theta, missed)
            return residual.flatten(-2), pulled

        return at

    @cached_property
    def residual_norm(self) -> Tensor:
        """R = ‖r_0‖/α."""
        return torch.linalg.vector_norm(self.residual(self.theta0), dim=-1) / self.alpha

    @cached_property
    def jacobian(self) -> Tensor:
        """J_S(θ_0), stacked: `[..., mk, n]`."""
        return self.family.jacobian(self.theta0, self.frozen, self.x_train).flatten(-3, -2)

    @cached_property
    def jacobian_eval(self) -> Tensor:
        """The evaluation Jacobians at θ_0, stacked and divided by √N, so that K_eval is its Gram matrix: `[..., Nk, n]`."""
        stacked = self.family.jacobian(self.theta0, self.frozen, self.x_eval).flatten(-3, -2)
        points = stacked.new_tensor(float(self.x_eval.shape[-2]))
        return stacked / points.sqrt()  # in torch: a Python root would enter every proof as its rounded double

    @cached_property
    def singular_values(self) -> Tensor:
        """The mk singular values of J_S(θ_0), decreasing (zeros appended where mk > n)."""
        values = singular_values(self.jacobian)
        missing = self.jacobian.shape[-2] - values.shape[-1]
        return torch.cat([values, values.new_zeros(*values.shape[:-1], missing)], dim=-1) if missing > 0 else values

    @property
    def sigma_min(self) -> Tensor:
        """σ_min(J_S) = σ_mk: 0 where mk > n."""
        return self.singular_values[..., -1]

    @property
    def sigma_max(self) -> Tensor:
        """σ_max(J_S)."""
        return self.singular_values[..., 0]

    @cached_property
    def basis(self) -> Tensor:
        """B_S, an orthonormal basis of the fine-tuning tangent space: `[..., n, mk]`."""
        return row_space(self.jacobian)

    @cached_property
    def overlap(self) -> Tensor:
        """γ_ov of Definition 4."""
        return tangent_overlap(self.jacobian_eval, self.basis)

    @cached_property
    def kernel_norm(self) -> Tensor:
        """Λ = √‖K_eval‖."""
        return singular_values(self.jacobian_eval)[..., 0]

    @cached_property
    def beta_train(self) -> Tensor:
        """β_S of (4) on the ball of radius ρ_0; an upper bound where `family.closed_form`, else an estimate from below."""
        return self._on_ball(self.family.smoothness, self.x_train)

    @cached_property
    def beta_eval(self) -> Tensor:
        """β of (5) on the same ball; an upper bound where `family.closed_form`, else an estimate from below."""
        return self._on_ball(self.family.mean_smoothness, self.x_eval)

    def _on_ball(self, constant: Callable[..., Tensor], x: Tensor) -> Tensor:
        """A constant of smoothness: one that holds everywhere is not asked about any ball."""
        if self.family.everywhere:
            return constant(self.theta0, self.frozen, x)
        return constant(self.theta0, self.frozen, x, self.rho0)

    @property
    def established(self) -> bool:
        """Whether β_S and β are proved bounds."""
        return self.family.closed_form

    @property
    def step_size(self) -> Tensor:
        """h = η·α²·σ_max², the step size in units of the linear problem's curvature."""
        return self.eta * self.alpha.square() * self.sigma_max.square()

    def project(self, vector: Tensor) -> Tensor:
        """Π_S·v."""
        return project(self.basis, vector)


@dataclass(frozen=True)
class Displaced(Setup):
    """A Setup with some second parameter vector `tuned`, not necessarily reached by any descent."""

    tuned: Tensor

    @cached_property
    def step(self) -> Tensor:
        """D = θ̂ - θ_0: `[..., n]`."""
        return self.tuned - self.theta0

    @cached_property
    def output_change(self) -> Tensor:
        """f_θ̂(x) - f_θ0(x) on the evaluation points: `[..., N, k]`."""
        at_tuned = self.family.outputs(self.tuned, self.frozen, self.x_eval)
        return at_tuned - self.family.outputs(self.theta0, self.frozen, self.x_eval)

    @cached_property
    def linear_change(self) -> Tensor:
        """J_x(θ_0)·D on the evaluation points: `[..., N, k]`."""
        rows = self.family.jacobian(self.theta0, self.frozen, self.x_eval)
        return (rows @ self.step[..., None, :, None]).squeeze(-1)

    @property
    def spill(self) -> Tensor:
        """The spillover loss of Definition 3: ½·E‖f_θ̂(x) - f_θ0(x)‖²."""
        return 0.5 * mean_square(self.output_change)

    @property
    def step_norm(self) -> Tensor:
        """‖D‖."""
        return torch.linalg.vector_norm(self.step, dim=-1)


@dataclass(frozen=True)
class FineTuning(Displaced):
    """A Setup together with the limit of its gradient descent, as far as it is known.

    Every leaf below comes with a proved radius (see `certificate`). All of them may be finite for a lane whose step budget ran
    out, and all that speak of the limit are +inf where the rest of the path could not be bounded (a lane that diverges, say).
        tuned `[n]`: within `tuned_radius` of the limit θ̂. Not an iterate: what the last one predicts.
        farthest `[n]`: of the computed iterates the one farthest from θ_0. A point as far from θ_0 as the whole exact path ever
            gets is within `farthest_radius` of it, so that a claim about every iterate may look at this one.
        path `[C, n]`: iterates after `path_steps` `[C]` steps, within `path_radius` of the exact ones. They say nothing of other
            steps, in a lane that has converged as little as in one that has not: a claim about every step that looks at these is
            tested at the steps they list, and a lane without a known limit is as good a test of it.
        path_length `[]`: the computed length; within `length_radius` of that of the whole exact path.
        slack `[]`: the witness e of the adaptive bounds at θ_0 (see `contraction.slack`).
    """

    tuned: Tensor
    tuned_radius: Tensor
    farthest: Tensor
    farthest_radius: Tensor
    path: Tensor
    path_radius: Tensor
    path_steps: Tensor
    path_length: Tensor
    length_radius: Tensor
    slack: Tensor

    derived: ClassVar[tuple[str, ...]] = (
        "tuned",
        "tuned_radius",
        "farthest",
        "farthest_radius",
        "path",
        "path_radius",
        "path_steps",
        "path_length",
        "length_radius",
        "slack",
    )

    def settled(self) -> Self:
        """The same setups descended again, for as many steps as these have checkpoints."""
        from boundcheck.dynamics.descent import descend  # it makes FineTunings

        setup = Setup(**{f.name: getattr(self, f.name) for f in fields(Setup)})
        return cast("Self", descend(setup, max_steps=2 ** (self.path.shape[-2] - 1)))

    def approached(self) -> Self:
        """The same setups descended in leaps, differentiably; see `leaps`."""
        from boundcheck.dynamics.leaps import leap  # it makes FineTunings

        setup = Setup(**{f.name: getattr(self, f.name) for f in fields(Setup)})
        return cast("Self", leap(setup, self.path.shape[-2]))

    radius_of: ClassVar[Mapping[str, str]] = {
        "tuned": "tuned_radius",
        "farthest": "farthest_radius",
        "path": "path_radius",
        "path_length": "length_radius",
    }


def mean_square(outputs: Tensor) -> Tensor:
    """E‖v‖² over evaluation points, for v `[..., N, k]`."""
    return outputs.square().sum(-1).mean(-1)
