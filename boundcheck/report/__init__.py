"""Pages made from a run's record alone."""

from boundcheck.report.instance import instance_page
from boundcheck.report.terminal import closing_page, failure

__all__ = ["closing_page", "failure", "instance_page"]
