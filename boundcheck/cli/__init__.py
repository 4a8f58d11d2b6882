"""The command line: list the claims there are, hunt for their worst cases, show a run again, prove a counterexample again."""

from boundcheck.cli.main import main

__all__ = ["main"]
