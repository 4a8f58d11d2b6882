"""A run as a LaTeX document, and its tables as fragments to be read by another one."""

from boundcheck.report.latex.page import fragments, latex_page

__all__ = ["fragments", "latex_page"]
