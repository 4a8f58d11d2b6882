"""A run as a page in Markdown."""

from boundcheck.report.markdown.ablations import ablation_page
from boundcheck.report.markdown.page import markdown_page

__all__ = ["ablation_page", "markdown_page"]
