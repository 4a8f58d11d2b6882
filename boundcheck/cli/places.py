"""Files and folders as values of options."""

from collections.abc import Callable
from pathlib import Path

from boundcheck.errors import BoundcheckError


def place(option: str, what: str) -> Callable[[str | Path], Path]:
    """What makes a path of an option's value. It raises BoundcheckError for an empty one, which pathlib takes for this folder.

    Args:
        option: as it is typed, for the message.
        what: what the path is of, likewise.

    """

    def path(given: str | Path) -> Path:  # its name is what the help shows for a value
        if given == "":
            raise BoundcheckError(f"{option} ''", expected=f"the name of {what}")
        return Path(given)

    return path
