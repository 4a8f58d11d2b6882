"""What the strategies share: the seed of a recipe, and refusing arguments that leave nothing to draw from."""

import math
from typing import Any

from hypothesis import strategies as st

from boundcheck.errors import BoundcheckError

SEEDS = st.integers(0, 2**31 - 1)


def require_sizes(*, least: int = 2, **sizes: int) -> None:
    """Refuse sizes that are no whole numbers of at least `least`; each is given under the name that the message uses.

    Raises:
        BoundcheckError: for the first of them.

    """
    for name, value in sizes.items():
        if not _whole(value, least):
            raise BoundcheckError(f"{name}={value!r}", expected=f"a whole number >= {least}")


def require_choices(**choices: Any) -> None:
    """Refuse what is no tuple (or list) of whole numbers >= 1, or an empty one.

    Raises:
        BoundcheckError: for the first of them.

    """
    for name, values in choices.items():
        if not isinstance(values, tuple | list) or not values or not all(_whole(value, 1) for value in values):
            raise BoundcheckError(f"{name}={values!r}", expected="a tuple of whole numbers >= 1, at least one")


def require_digits(known: str, **digits: Any) -> None:
    """Refuse what is no text of the known digits, or an empty one.

    Raises:
        BoundcheckError: for the first of them.

    """
    for name, value in digits.items():
        if not isinstance(value, str) or not value or not set(value) <= set(known):
            raise BoundcheckError(f"{name}={value!r}", expected=f"digits from {known}")


def require_finite(*, least: float = 0.0, **numbers: Any) -> None:
    """Refuse what is no finite number of at least `least`.

    Raises:
        BoundcheckError: for the first of them.

    """
    for name, value in numbers.items():
        if not is_number(value) or not least <= value < math.inf:
            raise BoundcheckError(f"{name}={value!r}", expected=f"a finite number >= {least:g}")


def is_number(value: Any) -> bool:
    """Whether it is a real number; a truth value is none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _whole(value: Any, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least
