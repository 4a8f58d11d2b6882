"""How tight a claim was on the instances drawn: counts of smaller side / larger side."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from boundcheck.errors import BoundcheckError
from boundcheck.report.figures.decades import SUPERSCRIPTS
from boundcheck.report.figures.style import FALLS, FONT_SIZE, HOLDS, MUTED, PAPER, name_axes, sheet

WIDTH, HEIGHT = 320.0, 300.0


def bins(edges: Sequence[float], counts: Sequence[int], most: float | None) -> list[tuple[str, str, int]]:
    """Each bin as (its label, its range in words, its count), from the first that is not empty to 1 or beyond.

    Args:
        edges: one more than counts, increasing.
        counts: instances from each edge up to the next.
        most: the largest ratio. Where it is 1, the last bin holds nothing but ratios of exactly 1.

    Raises:
        BoundcheckError: where the numbers of edges and counts do not fit.

    """
    if len(edges) != len(counts) + 1:
        raise BoundcheckError(
            f"a histogram with {len(counts)} counts and {len(edges)} edges", expected="one edge more than counts"
        )
    rows = []
    for low, high, count in zip(edges, edges[1:], counts, strict=False):
        attained = low == 1 and most == 1
        words = "exactly 1 (equal)" if attained else f"{_edge(low)} to {_edge(high)}"
        rows.append((f"= {_edge(low)}" if attained else _edge(low), words, count, low >= 1))
    filled = [place for place, row in enumerate(rows) if row[2]]
    if not filled:
        return []
    first, last = filled[0], filled[-1]
    return [row[:3] for place, row in enumerate(rows) if first <= place and (place <= last or not row[3])]


def histogram_figure(rows: Sequence[tuple[str, str, int]], *, broken: bool) -> Figure:
    """One bar a bin, all of one width, labelled with the bin's lower end; bars from 1 on in the colour of what falls.

    Args:
        rows: as `bins` gives them.
        broken: whether instances broke the claim. Where none did, a ratio of 1 is an equality.

    """
    figure, axes = sheet(WIDTH, HEIGHT, left=52, right=12, top=10, bottom=62)
    places = range(len(rows))
    beyond = [broken and not label.startswith("=") and words.startswith(("1 to", "2 to")) for label, words, _ in rows]
    heights = [count for _, _, count in rows]
    bars = axes.bar(places, heights, width=0.86, color=[FALLS if over else HOLDS for over in beyond])
    for bar, over in zip(bars, beyond, strict=True):
        if over:
            bar.set_hatch("///")
            bar.set_edgecolor(PAPER)
            bar.set_linewidth(0)
    axes.set_xlim(-0.6, len(rows) - 0.4)
    axes.set_xticks(list(places), [label for label, _, _ in rows], rotation=60, ha="right", rotation_mode="anchor")
    axes.tick_params(axis="x", labelsize=FONT_SIZE - 1, length=0)
    top = max(heights, default=1)
    axes.set_ylim(0, top * 1.05)
    axes.set_yticks(_whole(top))
    axes.grid(axis="y", color=MUTED, alpha=0.25, linewidth=0.6)
    axes.set_axisbelow(True)
    name_axes(axes, "smaller side / larger side, from", "instances")
    return figure


def _edge(value: float) -> str:
    """An edge in few characters.

    >>> _edge(1e-06), _edge(3.162277660168379e-06), _edge(0.95), _edge(0.0031622776601683794), _edge(1234567.0)
    ('10⁻⁶', '3·10⁻⁶', '0.95', '0.003', '1·10⁶')
    """
    if value == 0 or 1e-3 <= abs(value) < 1e5:
        return f"{value:.4g}" if value >= 0.05 or value == 0 else f"{value:.1g}"
    mantissa, exponent = f"{value:.0e}".split("e")
    power = f"10{str(int(exponent)).translate(SUPERSCRIPTS)}"
    return power if mantissa == "1" and value < 1 else f"{mantissa}·{power}"


def _whole(top: int) -> list[int]:
    """At most six whole numbers from 0 up to the top."""
    step = next(s * 10**n for n in range(20) for s in (1, 2, 5) if top <= 5 * s * 10**n)
    return list(range(0, top + 1, step))
