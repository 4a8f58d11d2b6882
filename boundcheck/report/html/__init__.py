"""A run as one HTML file: no network, no script needed."""

from boundcheck.report.html.page import html_page

__all__ = ["html_page"]
