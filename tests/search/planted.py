"""Sharp bounds of both papers made false by a little, on structures whose random instances lie far from the worst case.

No constant below 1 in front of the larger side leaves one of these bounds true: instances of the structure named here come as
near to equality as one likes (for a descent: to `known` of it, the best that is known of Theorem 7 and its lemmas). So a factor
just below that makes it false, though 50,000 random instances do not show it. LE-linear, AC-A4 and AC-A5 are not among them:
random instances attain those.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

from hypothesis import strategies as st
from torch import Tensor

import boundcheck.theorems.alignment_collapse
import boundcheck.theorems.local_edits  # noqa: F401 - registers the claims
from boundcheck.claim import Claim, Statement, premise, registered_claims, scaled
from boundcheck.geometry import GeneralQuadratic, Linear, Quadratic
from boundcheck.geometry.whitened import GaussianPolicy
from boundcheck.problem import Recipe
from boundcheck.strategies.eigenspaces import SpectralPairRecipe
from boundcheck.strategies.fine_tunings import DisplacedRecipe, FineTuningRecipe, SetupRecipe
from boundcheck.strategies.instability import InstabilityRecipe, SkillRecipe
from boundcheck.strategies.policies import LinearPolicyRecipe
from boundcheck.strategies.tilts import TiltRecipe

OFF = {"1 %": Fraction(99, 100), "0.1 %": Fraction(999, 1000), "1e-4": Fraction(9999, 10000)}

Margins = Mapping[str, Callable[[Any], Tensor]]


@dataclass(frozen=True)
class Sharp:
    """A bound that cannot be improved, a structure, and premises that keep its random instances away from equality."""

    key: str
    recipe: Recipe
    known: Fraction = Fraction(1)
    given: Margins = field(default_factory=dict)

    def planted(self, factor: Fraction) -> Claim:
        """The claim that the larger side may be so much smaller than the best known bound."""
        claim, change = registered_claims()[self.key], scaled(self.known * factor)

        def check(problem: Any, **constants: Tensor) -> Statement:
            for name, margin in self.given.items():
                premise(name, margin(problem))
            return change(claim.check(problem, **constants))

        return replace(claim, form=f"{claim.form}-planted", check=check, over=st.just(self.recipe))


def _size(vector: Tensor) -> Tensor:
    return vector.square().sum(-1).sqrt()


FLOW = InstabilityRecipe(GaussianPolicy(4), sensitive=4, parameters=6, cancelled=(0.0,), overlap="some")
BENT = InstabilityRecipe(GaussianPolicy(4), sensitive=4, parameters=6, cancelled=(), overlap="some")
WIDE: Margins = {"the tilt is wide": lambda p: p.spread - 3.0}

SHARP = {
    "LE-def4:lower": Sharp("LE-def4:lower", SetupRecipe(Linear(5), samples=1, points=12)),
    "LE-def4:upper": Sharp("LE-def4:upper", SetupRecipe(Linear(6), samples=1, points=12)),
    "LE-8": Sharp("LE-8:proved", DisplacedRecipe(GeneralQuadratic(3), samples=1, points=6)),
    "AC-B2": Sharp("AC-B2:proved", SpectralPairRecipe(4, 2, "any")),
    "AC-sandwich:lower": Sharp("AC-sandwich:lower", TiltRecipe(5, "any"), given=WIDE),
    "AC-sandwich:upper": Sharp("AC-sandwich:upper", TiltRecipe(5, "any"), given=WIDE),
    "AC-sandwich:cubic": Sharp("AC-sandwich:cubic", TiltRecipe(6, "any")),
    "AC-3.3:softmax": Sharp("AC-3.3:softmax", LinearPolicyRecipe(2, 3, 3, "any")),
    "AC-3.3:gaussian": Sharp("AC-3.3:gaussian", SkillRecipe(GaussianPolicy(2), sensitive=1, parameters=4)),
    "AC-A6": Sharp(
        "AC-A6:proved",
        FLOW,
        given={"first order": lambda p: _size(p.weighted(p.velocity)) - 0.2 * p.coupling * p.time},
    ),
    "AC-1.2": Sharp(
        "AC-1.2:corrected",
        FLOW,
        given={"first order": lambda p: p.overlap - 0.2 * p.coupling * p.time / p.lambda_max.sqrt()},
    ),
    "AC-quartic:lower": Sharp(
        "AC-quartic:lower",
        BENT,
        given={"first order": lambda p: _size(p.linear(p.velocity)) - 0.2 * p.time * _size(p.output_acceleration)},
    ),
}

DESCENTS = {
    "LE-15:U": Sharp("LE-15:U", FineTuningRecipe(Quadratic(2), samples=1, points=1), known=Fraction("0.5748")),
    "LE-7:U": Sharp("LE-7:U", FineTuningRecipe(Quadratic(2), samples=1, points=1), known=Fraction("0.7527")),
}
"""What search has found. (Lemma 6's movement from above is reached by random instances at the premises' edge.)"""
