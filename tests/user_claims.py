"""A user's own problem, strategy and claims, as source text: the plugin's tests write it into folders of their own."""

PREAMBLE = """
from dataclasses import dataclass
import torch
from hypothesis import strategies as st
from torch import Tensor
from boundcheck import Problem, Sides, Source, Stance, premise, scaled, swapped, theorem
from boundcheck.strategies.lanes import LaneStream

@dataclass(frozen=True)
class Vectors(Problem):
    x: Tensor

@dataclass(frozen=True)
class VectorRecipe:
    dim: int
    seed: int
    scale: float = 1.0

    @property
    def label(self):
        return f"dim={self.dim}"

    def build(self, lanes, first=0):
        return Vectors(self.scale * LaneStream(self.seed, lanes, first).normal(self.dim))

def vectors(scale=1.0):
    return st.builds(VectorRecipe, dim=st.integers(1, 5), seed=st.integers(0, 99), scale=st.just(scale))

HERE = Source("my paper", "Lemma 1")
"""

RIGHT = '''
@theorem("MY-right:proved", source=HERE, stance=Stance.PROVED, over=vectors(), mutants={"halved": scaled("1/2")})
def largest_le_norm(p):
    """max|x_i| <= ‖x‖."""
    return Sides(smaller=p.x.abs().amax(), larger=torch.linalg.vector_norm(p.x))
'''

WRONG = '''
@theorem("MY-wrong:proved", source=HERE, stance=Stance.PROVED, over=vectors(), mutants={"halved": scaled("1/2")})
def norm_le_largest(p):
    """‖x‖ <= max|x_i|, which is wrong from dimension 2 on."""
    return Sides(smaller=torch.linalg.vector_norm(p.x), larger=p.x.abs().amax())
'''

BAD = {
    "SHAPE:proved": (
        "ERROR",
        "expected a float64 scalar tensor",
        "def f(p):\n    return Sides(smaller=p.x, larger=p.x.sum())",
    ),
    "NAN:proved": (
        "INVALID",
        "gave NaN",
        "def f(p):\n    return Sides(smaller=torch.log(-p.x.abs().sum()), larger=p.x.sum())",
    ),
    "RAISES:proved": ("ERROR", "the model is broken", "def f(p):\n    raise RuntimeError('the model is broken')"),
    "VACUOUS:proved": (
        "VACUOUS",
        "never: 0/",
        "def f(p):\n    premise('never', -1 - p.x.abs().sum())\n    return Sides(smaller=p.x[0], larger=p.x[0])",
    ),
    "ZERO:proved": (
        "VACUOUS",
        "both sides are 0",
        "def f(p):\n    return Sides(smaller=0 * p.x[0], larger=0 * p.x[0])",
    ),
    "TOOTHLESS:proved": (
        "TOOTHLESS",
        "mutants that lived: halved",
        "def f(p):\n    return Sides(smaller=-torch.ones_like(p.x[0]), larger=torch.ones_like(p.x[0]))",
    ),
    "OPERATOR:proved": (
        "UNDECIDED",
        "no rounding rule for aten.i0",
        "def f(p):\n    return Sides(smaller=torch.special.i0(p.x[0]), larger=torch.special.i0(p.x[0]))",
    ),
    "FROZEN:proved": (
        "ERROR",
        "other numbers when its trace is replayed",
        "def f(p):\n    return Sides(smaller=p.x[0] + hidden_from_the_trace(), larger=1 + p.x[0].abs())",
    ),
    "RETURN:proved": ("ERROR", "expected Sides", "def f(p):\n    return p.x[0] <= 1"),
    "BOOLPREMISE:proved": (
        "ERROR",
        "a margin says by how much",
        "def f(p):\n    premise('positive', True)\n    return Sides(smaller=p.x[0], larger=p.x[0])",
    ),
}


def bad_claims() -> str:
    """One claim for each way to get one wrong."""
    hidden = (
        "\nimport itertools\nCALLS = itertools.count()\ndef hidden_from_the_trace():\n    return float(next(CALLS))\n"
    )
    parts = [PREAMBLE, hidden]
    for key, (_, _, body) in BAD.items():
        header = (
            f'@theorem("{key}", source=HERE, stance=Stance.PROVED, over=vectors(), mutants={{"halved": scaled("1/2")}})'
        )
        name = "claim_" + key.split(":")[0].lower()
        parts.append(f"\n{header}\n{body.replace('def f(', f'def {name}(')}\n")
    return "".join(parts)
