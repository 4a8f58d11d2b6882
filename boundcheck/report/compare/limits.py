"""What counts as a regression between two runs, as in `tightness:2%,constant:1%,verdict`.

verdict: a claim that passed does not pass any more, passes with another verdict, or is gone.
tightness:X%: the worst ratio of smaller to larger side that was found, drawn or hunted, fell by more than X %: the search reaches
less than it did, or the bound got looser. A ratio that rises is news, never a regression.
constant:X%: the value of a constant that is checked moved in its weaker direction by more than X %, or the value found for it in
its stronger one: the tightest instance would allow more than it did. Of a claim that holds that is away from what is checked.
"""

import re
from dataclasses import dataclass
from fractions import Fraction

from boundcheck.errors import BoundcheckError

EXPECTED = "verdict, tightness:X% and constant:X%, each at most once, with commas between"

_SHARE = re.compile(r"(tightness|constant):([0-9]{1,6}(?:\.[0-9]{1,6})?)%")


@dataclass(frozen=True)
class Limits:
    """Which changes are regressions (see this module's text).

    Attributes:
        verdict: whether the loss of a passing verdict is one.
        tightness, constant: by how much (1/50 for 2 %) a ratio may fall and a constant may move; None: as it likes.

    """

    verdict: bool = False
    tightness: Fraction | None = None
    constant: Fraction | None = None

    @staticmethod
    def parse(text: str) -> "Limits":
        """The limits written as above. Raises BoundcheckError for anything else."""
        found: dict[str, Fraction] = {}
        for word in text.split(","):
            rule, value = _rule(word.strip(), text)
            if rule in found:
                raise BoundcheckError(f"{text!r} names {rule} twice", expected=EXPECTED)
            found[rule] = value
        return Limits("verdict" in found, found.get("tightness"), found.get("constant"))

    def __str__(self) -> str:
        shares = (("tightness", self.tightness), ("constant", self.constant))
        words = [f"{rule}:{float(100 * share):g}%" for rule, share in shares if share is not None]
        return ",".join([*words, *(["verdict"] if self.verdict else [])])


def _rule(word: str, text: str) -> tuple[str, Fraction]:
    if word == "verdict":
        return word, Fraction(0)
    if match := _SHARE.fullmatch(word):
        return match[1], Fraction(match[2]) / 100
    given = repr(text) if word == text else f"{word!r} in {text!r}"
    raise BoundcheckError(f"{given} names no regression", expected=EXPECTED)
