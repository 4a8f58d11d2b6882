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


def test_what_a_run_says_is_shown_as_it_is() -> None:
    hostile = "A[/b]:\x1b[31m\n"
    plain, terminal = io.StringIO(), Terminal()
    with progress("report", plain) as show:
        show(0, 1, hostile, phase="drawing")
    assert plain.getvalue() == "report:   0 %, A[/b]:\\x1b[31m\\n; drawing\n"
    with progress("report", terminal) as show:
        show(0, 1, hostile, phase="drawing")
    assert "\x1b[31m" not in terminal.getvalue().replace("\x1b[31m\u2501", "")
