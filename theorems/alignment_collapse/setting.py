"""What the numbered results of The Geometry of Alignment Collapse share.

θ* is the aligned model, D = θ - θ*, F the Fisher matrix of the skill at θ*, λ_1 >= λ_2 >= … its eigenvalues, P the projector
onto M, the span of its d leading eigenvectors, v = g(θ*) the fine-tuning gradient, a = ∇g·g at θ*, J and B[·, ·] the first
and second derivative of the policy's outputs at θ*. Instances are built, not found: `boundcheck.dynamics.instability` makes
them from free numbers such that Definition 5.1 holds with the parameters it names, exactly.

**Two readings of O, Ω and "there is t_0".** With constants that may depend on the whole instance, a lower bound whose leading
term is negative for small t is true of everything. So the statements are checked in the uniform reading: remainders with
explicit constants made of smoothness bounds, λ_1 and the size of the gradient, and a numerical constant for Ω.
"""

import torch
from torch import Tensor

from boundcheck.claim import Source, premise
from boundcheck.dynamics import Instability, Skill


def alignment_collapse(label: str, equation: str = "") -> Source:
    """A place in the paper."""
    return Source("Springer et al., The Geometry of Alignment Collapse", label, equation)


def norm(vector: Tensor) -> Tensor:
    """The Euclidean norm."""
    return torch.linalg.vector_norm(vector, dim=-1)


def positive(name: str, value: Tensor, *, established: bool = True) -> None:
    """The premise `value > 0` (a margin of 0 would count as holding)."""
    premise(name, torch.where(value > 0, value, -torch.ones_like(value)), established=established)


def sensitive_subspace(p: Skill) -> None:
    """M is the top-d eigenspace of F, with an eigengap below it: λ_d > λ_{d+1}."""
    positive("P is the top-d projector", p.gap)
    support = p.policy.support(p.prompt)
    if support is not None:
        positive("full support", support)


def instability(p: Instability) -> None:
    """Definition 5.1 with the instance's (d, λ_d, γ, ε); conditions 2 and 3 hold by construction."""
    sensitive_subspace(p)
    premise("epsilon >= 0", p.overlap)
    positive("gamma > 0", p.coupling)
    positive("the gradient is not 0", p.speed_sq)
    positive("time has passed", p.time)


def no_first_order_effect(p: Instability) -> None:
    """F·v = 0: ε = 0, and no eigenvector outside M has an eigenvalue (q = d)."""
    premise("epsilon is 0", -p.overlap)
    premise("F has no tail", p.overlap.new_tensor(float(p.sensitive - p.policy.outputs)))
