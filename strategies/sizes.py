"""What the strategies share: the seed of a recipe, and refusing sizes that leave nothing to draw from."""

from hypothesis import strategies as st

from boundcheck.errors import BoundcheckError

SEEDS = st.integers(0, 2**31 - 1)


def require_sizes(*, least: int = 2, **sizes: int) -> None:
    """Refuse sizes that are no whole numbers of at least `least`; each is given under the name that the message uses.

    Raises:
        BoundcheckError: for the first of them.

    """
    for name, value in sizes.items():
        if not isinstance(value, int) or value < least:
            raise BoundcheckError(f"{name}={value!r}", expected=f"a whole number >= {least}")
