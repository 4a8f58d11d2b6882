"""Lemma 6 (iii), Lemma 8 and Theorem 7 on networks whose Jacobian is Lipschitz in a ball only.

Statement: as in `lemma_6`, `lemma_8` and `theorem_7`, for networks with both layers trained, ReLU networks that meet no kink in
the ball, and self-attention.
Premises: set U with β_S and β on the ball of radius ρ_0 around θ_0, ρ_0 finite: here Assumption 5 is not met everywhere, and the
premise on the ball (R/(s·ρ_0) <= c) carries weight.
Constants: as proved there; their proofs look only at points of that ball.
Equality case: one parameter; a first layer alone under ReLU is linear until a unit switches: 0 <= 0 in Lemma 8, which leaves it
out.
Numerics: constants of smoothness come from bounds of value, slope and bend (`boundcheck.geometry.jets`), not the best ones.
Self-attention's is composed of the most: drawn instances reach 0.68 of the bound with 1/4 (climbs now and then nearly all of
it), and its wrong neighbour is what those break, 2/3 of it.
Source: Local Edits, Assumption 5, Lemma 6, Lemma 8, Theorem 7.
"""

from hypothesis import strategies as st
from torch import Tensor

from boundcheck.claim import Sides, Stance, theorem
from boundcheck.dynamics import Displaced, FineTuning
from boundcheck.exact import constant
from boundcheck.strategies import (
    attention_models,
    both_layers_models,
    displacements,
    fine_tunings,
    network_models,
)
from boundcheck.theorems.local_edits import lemma_6, lemma_8, theorem_7
from boundcheck.theorems.local_edits.setting import C

GROUP = "LE-networks"


@theorem(
    "LE-6iii:networks",
    source=lemma_6.MOVEMENT,
    stance=Stance.PROVED,
    over=fine_tunings(family=network_models()),
    mutants={"19/20": {"upper": "19/20"}},
    group=GROUP,
)
def network_movement_le(
    p: FineTuning, c: Tensor = C, upper: Tensor = constant("7/5", printed="c2 S/s", scales="larger", unit="R/s")
) -> Sides:
    """‖θ̂ - θ_0‖ <= (7/5)·R/σ_min."""
    return lemma_6.movement_bound(p, c, upper)


@theorem(
    "LE-8:networks",
    source=lemma_8.SOURCE,
    stance=Stance.PROVED,
    over=displacements(family=st.one_of(both_layers_models(), attention_models())),
    mutants={"6/25": {"c": "6/25"}},
    group="LE-setup",
)
def network_remainder_le(
    p: Displaced, c: Tensor = constant("1/4", printed="1/3", scales="larger", unit="beta^2 |D|^4")
) -> Sides:
    """E‖f_θ̂ - g_θ̂‖² <= (β²/4)·‖D‖⁴ for steps within the ball."""
    return lemma_8.bound(p, c)


@theorem(
    "LE-8:attention",
    source=lemma_8.SOURCE,
    stance=Stance.PROVED,
    over=displacements(family=attention_models()),
    mutants={"1/8": {"c": "1/8"}},
    group="LE-setup",
)
def attention_remainder_le(
    p: Displaced, c: Tensor = constant("1/4", printed="1/3", scales="larger", unit="beta^2 |D|^4")
) -> Sides:
    """E‖f_θ̂ - g_θ̂‖² <= (β²/4)·‖D‖⁴ for self-attention, for steps within the ball."""
    return lemma_8.bound(p, c)


@theorem(
    "LE-7:networks",
    source=theorem_7.SPILL,
    stance=Stance.PROVED,
    over=fine_tunings(family=network_models()),
    mutants={"51/100": {"lower": "51/100"}},
    group=GROUP,
)
def network_spill_ge(
    p: FineTuning, c: Tensor = C, lower: Tensor = constant("1/3", printed="c'", scales="smaller", unit="(g R/S)^2")
) -> Sides:
    """Spill >= (1/3)·(γ_ov·R/σ_max)²."""
    return theorem_7.spill_bound(p, c, lower)
