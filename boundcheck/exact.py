"""Constants as exact numbers.

A trace bakes every Python number it meets into a double. A claim's constants are therefore kept as exact rationals and
enter its trace as inputs, each with the radius of its own rounding, so that a mutant needs no second trace and a
certifier can put the exact value in.
"""

import re
from dataclasses import dataclass
from fractions import Fraction
from math import nextafter
from typing import TYPE_CHECKING, Any, Literal, cast

from boundcheck.errors import BoundcheckError

if TYPE_CHECKING:
    from torch import Tensor

Scales = Literal["smaller", "larger"]


@dataclass(frozen=True)
class Exact:
    """An exact rational constant of a claim.

    Attributes:
        value: the number itself.
        printed: what the source prints, as it prints it ("" where it prints nothing).
        scales: the side this constant multiplies, if it multiplies one. Then every instance says how far the constant
            could have been moved: a constant on the larger side could shrink to `value * ratio`, one on the smaller
            side could grow to `value / ratio`.
        unit: what the constant multiplies, in words.

    """

    value: Fraction
    printed: str = ""
    scales: Scales | None = None
    unit: str = ""

    @property
    def better(self) -> str | None:
        """Which direction makes the bound stronger: "smaller", "larger", or None where it scales neither side."""
        return {"larger": "smaller", "smaller": "larger", None: None}[self.scales]

    def nearest(self) -> tuple[float, float]:
        """The nearest double and a radius around it that holds the exact value (0 for a dyadic value)."""
        double = float(self.value)
        if Fraction(double) == self.value:
            return double, 0.0
        return double, nextafter(abs(double), float("inf")) - abs(double)

    def __str__(self) -> str:
        return readable(self.value)


_POWER = re.compile(r"2\^(-?\d{1,4})")


def readable(value: Fraction) -> str:
    """A rational as people write it: small powers of two as `2^-64`, the others as `87/100`."""
    top, bottom = value.numerator, value.denominator
    if top == 1 and bottom > 2**16 and bottom & (bottom - 1) == 0:
        return f"2^-{bottom.bit_length() - 1}"
    return str(value)


def exact(text: "str | int | Fraction") -> Fraction:
    """The rational written in `text`: "1/4", "0.87", "2^-64", 3. Raises BoundcheckError for a float, rarely what it says."""
    if isinstance(text, float) or not isinstance(text, str | int | Fraction):
        raise BoundcheckError(
            f"the constant {text!r} is a {type(text).__name__}",
            expected='an exact rational such as "1/4", "0.87" or 3',
            remedy="write it as a string",
        )
    try:
        power = _POWER.fullmatch(text) if isinstance(text, str) else None
        value = Fraction(2) ** int(power[1]) if power else Fraction(text)
        float(value)
        return value
    except OverflowError:
        raise BoundcheckError(f"the constant {text!r} is larger than any double") from None
    except (ValueError, ZeroDivisionError):
        raise BoundcheckError(
            f"the constant {text!r} is no rational number", expected='something like "1/4", "0.87" or 3'
        ) from None


def constant(
    text: "str | int | Fraction", *, printed: str = "", scales: Scales | None = None, unit: str = ""
) -> "Tensor":
    """Declare a constant as the default of a claim's argument: `def claim(p, c=constant("1/4"))`.

    It is typed as the scalar tensor that the claim's body will see; what it returns is the exact declaration.
    See `Exact` for the meaning of the keywords. Raises BoundcheckError for anything but a rational.
    """
    if scales not in (None, "smaller", "larger"):
        raise BoundcheckError(f"scales={scales!r}", expected='"smaller", "larger" or None')
    return cast("Any", Exact(exact(text), printed=printed, scales=scales, unit=unit))


def symbol(name: str) -> str:
    """A constant's name as statements write it: `c_prime` is c'."""
    return f"{name.removesuffix('_prime')}'" if name.endswith("_prime") else name
