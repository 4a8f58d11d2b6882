"""Where Adam ends on one sample of a linear model.

Lemma. Let L(Θ) = ½·‖α·Θ·x - y‖² for one x, and let Adam run without its ε, with any β_1, β_2 in [0, 1) and any step sizes. Row
j of the gradient is α·r_j·x. So after t steps the running means of row j are m_ji = x_i·M_j(t) and v_ji = x_i²·V_j(t) with the
same M_j and V_j for all i, and so are the corrections of their bias: the step is -η_t·m_ji/√v_ji = -η_t·sign(x_i)·M_j/√V_j
(0 where x_i = 0, whose gradient is always 0). Hence row j of Θ_t - Θ_0 is s_j(t)·sign(x)ᵀ, and where the label is fitted,
α·s_j·‖x‖_1 = -r_j(0):

    D = -r_0/α · sign(x)ᵀ/‖x‖_1.

Gradient descent ends at -r_0/α · xᵀ/‖x‖². Both fit; only the latter lies in the tangent space, the span of x.
"""

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from boundcheck.dynamics.fine_tuning import Setup
from boundcheck.errors import BoundcheckError
from boundcheck.geometry import Linear


@dataclass(frozen=True)
class AdamFit(Setup):
    """A Setup of a linear model and one sample, fitted by Adam. (Its `eta` is that of the gradient descent that it replaces.)"""

    def __post_init__(self) -> None:
        """Other models and more samples are refused: the lemma does not speak of them."""
        super().__post_init__()
        if not isinstance(self.family, Linear) or self.x_train.shape[-2] != 1:
            raise BoundcheckError(
                f"an AdamFit of {self.family} with {self.x_train.shape[-2]} samples",
                expected="a Linear family, one sample",
            )

    @cached_property
    def step(self) -> Tensor:
        """D = θ̂ - θ_0: `[..., n]`."""
        x = self.x_train[..., 0, :]
        one = torch.ones_like(x)
        sign = torch.where(x > 0, one, torch.where(x < 0, -one, torch.zeros_like(x)))
        direction = sign / (sign * x).sum(-1, keepdim=True)
        removed = -self.residual(self.theta0) / self.alpha[..., None]
        return (removed[..., :, None] * direction[..., None, :]).flatten(-2)

    @property
    def step_norm(self) -> Tensor:
        """‖D‖."""
        return torch.linalg.vector_norm(self.step, dim=-1)

    @property
    def spill(self) -> Tensor:
        """½·E‖J_x·D‖², which is the spillover loss of a linear model."""
        return 0.5 * (self.jacobian_eval @ self.step[..., None]).square().sum((-2, -1))
