"""A bar in a terminal, plain lines elsewhere."""

import io

from boundcheck.cli.progress import progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_plain_lines_where_something_new_begins() -> None:
    out = io.StringIO()
    with progress("MY-1:proved", out) as show:
        show(0, 100, "best 0", phase="exploring")
        show(10, 100, "best 0.5", phase="exploring")
        show(50, 100, "best 0.75", phase="refining")
    assert out.getvalue() == "MY-1:proved:   0 %, best 0; exploring\nMY-1:proved:  50 %, best 0.75; refining\n"


def test_a_terminal_gets_a_bar() -> None:
    out = Terminal()
    with progress("MY-1:proved", out) as show:
        show(50, 100, "best 0.75", phase="refining")
    assert "MY-1:proved" in out.getvalue()
    assert "50%" in out.getvalue()
