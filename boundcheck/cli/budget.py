"""Options that say how hard to climb."""

from collections.abc import Callable
from typing import Any

import click

from boundcheck.devices import PROPOSALS, checked_device

Decorated = Callable[..., Any]


def budget_options(*, structures: int, lanes: int, steps: int) -> Callable[[Decorated], Decorated]:
    """The options of a Hunt, with these defaults."""
    options = [
        click.option(
            "--structures",
            default=structures,
            show_default=True,
            help="Structures (sizes, families) to explore; the best quarter is refined.",
        ),
        click.option("--lanes", default=lanes, show_default=True, help="Random starts of each."),
        click.option(
            "--steps", default=steps, show_default=True, help="Steps of an ascent; a quarter of them to explore."
        ),
        click.option("--seed", default=0, show_default=True, help="Of the structures and the starts."),
        click.option(
            "--device",
            default="cpu",
            show_default=True,
            callback=lambda _context, _option, name: checked_device(name),
            help="cpu, cuda, cuda:N, or auto for a GPU where there is one.",
        ),
        click.option(
            "--method",
            type=click.Choice(["auto", "gradient", "evolution"]),
            default="auto",
            show_default=True,
            help="auto: by gradient, or by evolution (cma) where a claim has no derivative.",
        ),
        click.option(
            "--proposals",
            type=click.Choice(["float64", "float32"]),
            default="float64",
            show_default=True,
            help=PROPOSALS,
        ),
        click.option("--minutes", type=float, help="End each hunt after so long; what it found then says so."),
    ]

    def decorate(command: Decorated) -> Decorated:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate
