"""Pages made from a run's record alone."""

from boundcheck.report.terminal import closing_page, failure

__all__ = ["closing_page", "failure"]
