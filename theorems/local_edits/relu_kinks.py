"""Assumption 5 (5) and ReLU: over inputs with a density the Jacobian moves like the square root of the step.

Statement (printed): there are β and ρ_0 with E‖J_x(θ) - J_x(θ_0)‖² <= β²·‖θ - θ_0‖² in the ball of radius ρ_0. The paper's
experiments use ReLU networks; of one neuron f = a·relu(w·x), x ~ N(0, I_d), this asks E‖J(v) - J(w)‖² <= β²·‖v - w‖².
What is wrong: J moves by a·x exactly where v·x and w·x differ in sign. That does not depend on ‖x‖ and has the probability
∠(v, w)/π, so that E‖J(v) - J(w)‖² = a²·d·∠(v, w)/π: of first order in ‖v - w‖ unless v - w is along w. No β fits in any ball.
Corrected: (a) E‖J(v) - J(w)‖² <= a²·d·‖v - w‖/‖w‖ for all v, w other than 0, and half of that (`:near`) where ‖v - w‖ <= ‖w‖;
(b) on a finite sample the Jacobian of the first layer does not move (β_S = 0 in (4)) while ‖V - W‖_F < min_ij |w_j·x_i|/‖x_i‖.
Premises: weights and a are not 0; (b) the inputs are not 0.
Why: with t = ‖v - w‖/‖w‖ < 1, ∠ <= arcsin t <= (π/2)·t, for arcsin is convex; else ∠ <= π <= π·t. For (b), |v_j·x_i - w_j·x_i| <=
‖v_j - w_j‖·‖x_i‖, and signs stay while that is below |w_j·x_i|.
Constants: 1 in (a) and 1/2 near are the best: v short and opposite to w, or at a right angle to it, come as close as one likes.
β² is counted in units of a²·d/‖w‖², so that no scale of the weights decides, and the ball is ρ_0 = 2^-10·‖w‖.
Numerics: ∠ = 2·atan2(‖v̂ - ŵ‖, ‖v̂ + ŵ‖) is accurate at all angles. For (b): where the Jacobian did move, by automatic
differentiation, ‖v - w‖_F is at least that radius.
Source: Local Edits, Assumption 5 (5); the paper states no theorem for ReLU networks.
"""

import torch
from torch import Tensor

from boundcheck.claim import Sides, Stance, premise, theorem
from boundcheck.exact import constant
from boundcheck.geometry.networks import first_layer_kinks
from boundcheck.strategies import layer_pairs, neuron_pairs
from boundcheck.strategies.relu_neurons import LayerPair, NeuronPair
from boundcheck.theorems.local_edits.setting import local_edits, positive

SOURCE = local_edits("Assumption 5", "(5)")
SAMPLE = local_edits("Assumption 5", "(4)")
GROUP = "LE-relu"


def norm(vector: Tensor) -> Tensor:
    """The Euclidean norm."""
    return torch.linalg.vector_norm(vector)


def share_of_signs(p: NeuronPair) -> Tensor:
    """∠(v, w)/π, the probability that v·x and w·x differ in sign; and the premises that it is defined."""
    positive("w is not 0", norm(p.weights))
    positive("v is not 0", norm(p.moved))
    w, v = p.weights / norm(p.weights), p.moved / norm(p.moved)
    angle = 2 * torch.atan2(norm(v - w), norm(v + w))
    return angle / (4 * torch.atan(torch.ones_like(angle)))


def jacobian_change(p: NeuronPair) -> Tensor:
    """E‖J(v) - J(w)‖² = a²·d·∠(v, w)/π."""
    positive("a is not 0", p.head.abs())
    return p.head.square() * float(p.weights.shape[-1]) * share_of_signs(p)


def unit(p: NeuronPair) -> Tensor:
    """a²·d."""
    return p.head.square() * float(p.weights.shape[-1])


def relative_step(p: NeuronPair) -> Tensor:
    """‖v - w‖/‖w‖."""
    return norm(p.moved - p.weights) / norm(p.weights)


@theorem(
    "LE-A5:printed",
    source=SOURCE,
    stance=Stance.PRINTED,
    over=neuron_pairs(),
    refuted_by="ladder",
    ladder={"beta_sq": [f"2^{k}" for k in range(1, 11)]},
    group=GROUP,
)
def jacobian_is_lipschitz_as_printed(
    p: NeuronPair,
    beta_sq: Tensor = constant("2^10", scales="larger", unit="a^2 d/|w|^2 |v - w|^2"),
    rho: Tensor = constant("2^-10", unit="|w|"),
) -> Sides:
    """E‖J(v) - J(w)‖² <= β²·‖v - w‖² where ‖v - w‖ <= ρ_0, for one ReLU neuron, β² = 2^10·a²·d/‖w‖² and ρ_0 = 2^-10·‖w‖."""
    change, step = jacobian_change(p), relative_step(p)
    premise("v is in the ball", rho - step)
    return Sides(smaller=change, larger=beta_sq * unit(p) * step.square())


@theorem(
    "LE-A5:corrected",
    source=SOURCE,
    stance=Stance.CORRECTED,
    over=neuron_pairs(),
    mutants={"1 % less": {"c": "99/100"}},
    group=GROUP,
)
def jacobian_change_le_step(p: NeuronPair, c: Tensor = constant(1, scales="larger", unit="a^2 d |v - w|/|w|")) -> Sides:
    """E‖J(v) - J(w)‖² <= a²·d·‖v - w‖/‖w‖ for one ReLU neuron under N(0, I_d)."""
    return Sides(smaller=jacobian_change(p), larger=c * unit(p) * relative_step(p))


@theorem(
    "LE-A5:near",
    source=SOURCE,
    stance=Stance.CORRECTED,
    over=neuron_pairs(),
    mutants={"1 % less": {"c": "99/200"}},
    group=GROUP,
)
def jacobian_change_le_half_step(
    p: NeuronPair, c: Tensor = constant("1/2", scales="larger", unit="a^2 d |v - w|/|w|")
) -> Sides:
    """E‖J(v) - J(w)‖² <= ½·a²·d·‖v - w‖/‖w‖ where ‖v - w‖ <= ‖w‖."""
    change, step = jacobian_change(p), relative_step(p)
    premise("the step is at most |w|", 1 - step)
    return Sides(smaller=change, larger=c * unit(p) * step)


def layer_jacobian(p: LayerPair, weights: Tensor) -> Tensor:
    """∂f(x_i)/∂W over the sample by automatic differentiation: `[N, h, d]`."""

    def outputs(free: Tensor) -> Tensor:
        return torch.relu(p.inputs @ free.mT) @ p.head

    jacobian: Tensor = torch.func.jacrev(outputs)(weights)
    return jacobian


@theorem(
    "LE-A5:kink-free",
    source=SAMPLE,
    stance=Stance.CORRECTED,
    over=layer_pairs(),
    mutants={"1 % more": {"share": "101/100"}},
    group=GROUP,
)
def jacobian_stays_below_first_kink(
    p: LayerPair, share: Tensor = constant(1, scales="smaller", unit="min |w_j x_i|/|x_i|")
) -> Sides:
    """Where the Jacobian of a ReLU layer on a finite sample moves at all, ‖V - W‖_F >= min_ij |w_j·x_i|/‖x_i‖."""
    positive("no input is 0", torch.linalg.vector_norm(p.inputs, dim=-1).amin())
    positive("no input is on a kink", first_layer_kinks(p.weights, p.inputs))
    positive("the Jacobian moved", norm((layer_jacobian(p, p.moved) - layer_jacobian(p, p.weights)).flatten()))
    return Sides(smaller=share * first_layer_kinks(p.weights, p.inputs), larger=norm((p.moved - p.weights).flatten()))
