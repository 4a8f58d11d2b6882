"""How far a finite distribution is from one tilted from it, q ∝ p·exp(w).

With R = max w - min w, ψ(-R)·Var_p(w) <= KL(p‖q) <= ψ(R)·Var_p(w): proved and checked in `theorems/alignment_collapse`.
"""

import torch
from torch import Tensor


def divergence(probabilities: Tensor, change: Tensor) -> Tensor:
    """KL(p‖q) of p `[..., Y]` from q ∝ p·exp(change): `[...]`.

    As log1p(E[expm1(c) - c]) with c the change minus its mean: log E[exp(c)] with nothing of size 1 to cancel.
    """
    centred = change - (probabilities * change).sum(-1, keepdim=True)
    return torch.log1p((probabilities * (torch.expm1(centred) - centred)).sum(-1))


def spread(values: Tensor) -> Tensor:
    """R, the largest minus the smallest along the last axis: `[...]`."""
    return values.amax(-1) - values.amin(-1)


def exponential_remainder(u: Tensor) -> Tensor:
    """ψ(u) = (e^u - u - 1)/u² for u ≠ 0, elementwise (ψ(0) = 1/2 is its limit; at 0 itself the result is not finite)."""
    return (torch.expm1(u) - u) / u.square()
