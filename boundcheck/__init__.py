"""boundcheck: is this theorem true, and how tight is it?

Everything public is named here and imported when first used, so that pytest starts without torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from boundcheck.claim import (
        Claim,
        Identity,
        Premise,
        Sides,
        Source,
        Stance,
        premise,
        registered_claims,
        scaled,
        swapped,
        theorem,
    )
    from boundcheck.errors import BoundcheckError, UnknownOperatorError
    from boundcheck.exact import Exact, constant
    from boundcheck.geometry import Family
    from boundcheck.outcome import Status, Verdict
    from boundcheck.problem import Part, Problem, Recipe

__version__ = "0.1.0"

_HOME = {
    "BoundcheckError": "errors",
    "Claim": "claim",
    "Exact": "exact",
    "Family": "geometry",
    "Identity": "claim",
    "Part": "problem",
    "Premise": "claim",
    "Problem": "problem",
    "Recipe": "problem",
    "Sides": "claim",
    "Source": "claim",
    "Stance": "claim",
    "Status": "outcome",
    "UnknownOperatorError": "errors",
    "Verdict": "outcome",
    "constant": "exact",
    "premise": "claim",
    "registered_claims": "claim",
    "scaled": "claim",
    "swapped": "claim",
    "theorem": "claim",
}

__all__ = [
    "BoundcheckError",
    "Claim",
    "Exact",
    "Family",
    "Identity",
    "Part",
    "Premise",
    "Problem",
    "Recipe",
    "Sides",
    "Source",
    "Stance",
    "Status",
    "UnknownOperatorError",
    "Verdict",
    "constant",
    "premise",
    "registered_claims",
    "scaled",
    "swapped",
    "theorem",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(f"boundcheck.{_HOME[name]}"), name)
    raise AttributeError(f"module 'boundcheck' has no attribute {name!r}; it offers {', '.join(__all__)}")
