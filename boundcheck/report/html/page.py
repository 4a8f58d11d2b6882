"""The page: views of a run, set into the templates beside this file."""

import base64
import hashlib
from collections.abc import Callable, Mapping
from functools import cache
from importlib import resources
from typing import Any

import jinja2
from markupsafe import Markup

from boundcheck.report.figures.style import as_it_comes
from boundcheck.report.html import groups, numbers
from boundcheck.report.html.claims import by_paper, sections
from boundcheck.report.html.counterexamples import replay_command
from boundcheck.report.html.overview import overview
from boundcheck.report.html.pictures import overall
from boundcheck.report.html.provenance import provenance
from boundcheck.report.html.text import quantity, sentence, typeset, visible

Told = Callable[[int, int, str], None]
"""Hears of progress: how many claims are drawn, of how many, and the one that is next."""


def html_page(run: Mapping[str, Any], *, title: str | None = None, told: Told | None = None) -> str:
    """A run as one HTML page: the summary, then every claim, then where the run came from.

    The page asks for nothing from outside, works without its script (which only filters a table), and is well-formed XML, too.
    The same run gives the same characters.

    Args:
        run: as `boundcheck.record.read_run` gives it. All text in it is taken for text, never for markup.
        title: of the page; by default how many claims were checked.
        told: hears of progress.

    Raises:
        BoundcheckError: where a histogram has no edge for each count.

    """
    with as_it_comes():
        made = sections(run["claims"], told)
        tightness = overall(run["claims"])
    script = _resource("filter.js")
    return (
        _environment()
        .get_template("page.jinja")
        .render(
            run=run,
            title=title or f"{len(made)} claims, checked by boundcheck",
            sections=made,
            tightness=tightness,
            papers=by_paper(made),
            overview=overview(made),
            provenance=provenance(run),
            groups=groups.GROUPS,
            style=Markup(_resource("style.css")),
            script=Markup(script),
            script_hash=_hash(script),
        )
    )


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_resource),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=visible,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": numbers.number,
        "ratio": numbers.ratio,
        "gap": numbers.gap,
        "hunted_ratio": numbers.hunted_ratio,
        "drawn_ratio": numbers.drawn_ratio,
        "duration": numbers.duration,
        "typeset": typeset,
        "quantity": quantity,
        "sentence": sentence,
        "measured": lambda reason: reason.replace("_", " "),
        "meaning": groups.meaning,
        "verdict": groups.verdict_words,
        "replay": replay_command,
    }
    environment.globals |= {"share": numbers.share, "percent": numbers.percent, "counted": numbers.counted}
    return environment


def _resource(name: str) -> str:
    return resources.files("boundcheck.report.html").joinpath(name).read_text(encoding="utf-8")


def _hash(script: str) -> str:
    """What the page's Content-Security-Policy knows its script by."""
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
