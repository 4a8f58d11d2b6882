"""Template: how much the eigenvalues of a well-conditioned covariance can spread.

Statement: d·Tr(S²) <= (9/8)·Tr(S)² for a symmetric positive definite S of size d with condition number at most 2.
Premises: the condition number is at most 2. Without it only the constant d is true.
Constants: 9/8. Of eigenvalues between 1 and 2 with mean t, the sum of squares is largest where each is 1 or 2 (it is
convex), and is then d·(3t - 2); (3t - 2)/t² is largest at t = 4/3, where it is 9/8.
Equality case: a third of the eigenvalues twice as large as the others; so d is a multiple of 3.
Numerics: S is drawn by its log-eigenvalues and a rotation, so that it is exactly symmetric. No side needs the rotation.
Source: my notes, Template.
"""

from torch import Tensor

from boundcheck import Sides, Source, Stance, constant, premise, theorem
from boundcheck.strategies import Covariances, covariances

SOURCE = Source("my notes", "Template")

DRAWN = covariances(max_condition=4.0)
"""What Hypothesis draws: condition numbers on both sides of the premise."""

# Instances of another kind take three steps (boundcheck/strategies/README.md has more of them, and the rules):
#
#     from dataclasses import dataclass
#     from hypothesis import strategies as st
#     from boundcheck import Problem
#     from boundcheck.strategies.lanes import LaneStream
#
#     @dataclass(frozen=True)
#     class Vectors(Problem):  # 1. the numbers of an instance; in a batch each tensor has the lane as its first axis
#         u: Tensor
#
#     @dataclass(frozen=True)
#     class VectorRecipe:  # 2. a few small choices and a seed, and how a batch is built from them
#         dim: int
#         seed: int
#
#         @property
#         def label(self) -> str:
#             return f"d={self.dim}"
#
#         def build(self, lanes: int, first: int = 0) -> Vectors:
#             return Vectors(u=LaneStream(self.seed, lanes, first).normal(self.dim))
#
#     DRAWN = st.builds(VectorRecipe, dim=st.integers(1, 6), seed=st.integers(0, 2**31 - 1))  # 3. draw the choices


def spread(p: Covariances, most: float, c: Tensor) -> Sides:
    """d·Tr(S²) against c·Tr(S)², where the condition number is at most `most`."""
    premise(f"condition <= {most:g}", most - p.condition)  # a margin: >= 0 where the premise holds
    return Sides(smaller=p.dim * p.eigenvalues.square().sum(), larger=c * p.trace.square())


@theorem(
    "TEMPLATE:proved",
    source=SOURCE,
    stance=Stance.PROVED,
    over=DRAWN,
    mutants={"11/10": {"c": "11/10"}},  # a constant that is too strong, and must be caught
)
def template(p: Covariances, c: Tensor = constant("9/8", scales="larger", unit="Tr(S)^2/d")) -> Sides:
    """d·Tr(S²) <= (9/8)·Tr(S)² for condition numbers of at most 2."""
    return spread(p, 2.0, c)


@theorem("TEMPLATE:printed", source=SOURCE, stance=Stance.PRINTED, over=DRAWN, refuted_by="instance")
def template_as_printed(p: Covariances, c: Tensor = constant("9/8", scales="larger", unit="Tr(S)^2/d")) -> Sides:
    """d·Tr(S²) <= (9/8)·Tr(S)² for condition numbers of at most 3, which is false."""
    return spread(p, 3.0, c)
