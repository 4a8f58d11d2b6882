"""The figures and their SVG."""

import math
import re
from xml.etree import ElementTree

import matplotlib
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from boundcheck.errors import BoundcheckError
from boundcheck.report.figures import as_it_comes, histogram_figure, inline_svg, positive, scatter_figure
from boundcheck.report.figures.decades import span, ticks
from boundcheck.report.figures.histogram import bins
from boundcheck.report.figures.style import COLOURS

SVG = "{http://www.w3.org/2000/svg}"
NAMES = ("smaller side", "larger side")
SIDES = st.floats(allow_nan=True, allow_infinity=True)


def drawn(points: list[tuple[float, float]], *, broken: bool = False, title: str = "Both sides") -> str:
    return inline_svg(scatter_figure(points, names=NAMES, broken=broken), prefix="one", title=title)


def marks(svg: str, colour: str) -> int:
    """Data points: markers in a colour that no axis has."""
    groups = [e for e in ElementTree.fromstring(svg).iter(f"{SVG}g") if list(e.findall(f"{SVG}use"))]
    painted = [
        (mark, f"{group.get('style', '')};{mark.get('style', '')}")
        for group in groups
        for mark in group.findall(f"{SVG}use")
    ]
    return sum(f"var(--fig-{colour})" in style for _, style in painted)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(SIDES, SIDES), max_size=20))
def test_every_point_with_two_positive_sides_is_drawn(points: list[tuple[float, float]]) -> None:
    svg = drawn(points, broken=True)
    kept = [point for point in points if all(0 < side < math.inf for side in point)]
    assert positive(points) == kept
    assert marks(svg, "falls") == sum(math.log10(smaller) > math.log10(larger) for smaller, larger in kept)
    assert marks(svg, "holds") + marks(svg, "falls") == len(kept)


@pytest.mark.parametrize("point", [(1e-300, 1e300), (5e-324, 1.7e308), (1.0, 1.0), (3.0, 3.1)])
def test_one_point_of_any_size_lies_on_the_sheet(point: tuple[float, float]) -> None:
    figure = scatter_figure([point], names=NAMES, broken=False)
    (axes,) = figure.axes
    assert axes.get_xlim() == axes.get_ylim()
    low, high = axes.get_xlim()
    assert all(low < math.log10(side) < high for side in point)
    assert len(axes.get_xticks()) >= 2


def test_two_hundred_points_are_two_hundred_marks() -> None:
    points = [(10.0**-n, 2 * 10.0**-n) for n in range(200)]
    assert marks(drawn(points), "holds") == 200


def test_points_below_the_line_are_crosses_only_where_instances_broke_the_claim() -> None:
    assert marks(drawn([(2.0, 1.0)], broken=True), "falls") == 1
    assert marks(drawn([(2.0, 1.0)], broken=False), "falls") == 0


def test_svg_is_named_themed_and_the_same_every_time() -> None:
    first, second = (drawn([(1.0, 2.0), (2.0, 1.0)], broken=True, title="<a> & 'b'") for _ in range(2))
    assert first == second
    root = ElementTree.fromstring(first)
    title = root.find(f"{SVG}title")
    assert title is not None
    assert title.text == "<a> & 'b'"
    assert root.attrib["aria-labelledby"] == title.attrib["id"]
    assert not re.search("#[0-9a-f]{6}", first), "a colour that no theme reaches"
    assert not {f"--fig-{name}" for name in COLOURS}.isdisjoint(re.findall(r"var\((--fig-[a-z]+)\)", first))
    assert "<metadata" not in first
    assert "DejaVu" not in first


def test_two_figures_share_no_id() -> None:
    figure = scatter_figure([(1.0, 2.0)], names=NAMES, broken=False)
    ids = [set(re.findall(r' id="([^"]+)"', inline_svg(figure, prefix=prefix, title="t"))) for prefix in ("a", "b")]
    assert ids[0]
    assert ids[0].isdisjoint(ids[1])


def test_a_users_settings_change_nothing() -> None:
    def made() -> str:
        with as_it_comes():
            return drawn([(1.0, 2.0)])

    plain = made()
    with matplotlib.rc_context({"font.size": 30, "axes.grid": True, "savefig.bbox": "tight", "lines.linewidth": 9}):
        assert made() == plain


@given(st.lists(st.floats(-323, 308), min_size=1, max_size=6))
def test_limits_surround_the_numbers_and_ticks_lie_within(logarithms: list[float]) -> None:
    low, high = span(logarithms)
    assert low < min(logarithms)
    assert max(logarithms) < high
    assert high - low >= 1
    marked = ticks(low, high)
    assert 2 <= len(marked) <= 8
    assert all(low <= place <= high for place, _ in marked)
    assert len({label for _, label in marked}) == len(marked)


def bars(figure: Figure) -> list[Rectangle]:
    return [patch for patch in figure.axes[0].patches if isinstance(patch, Rectangle)]


EDGES = [0.0, 1e-6, 0.1, 0.9, 1.0, 2.0, 4.0]


@given(st.lists(st.integers(0, 10**6), min_size=6, max_size=6), st.sampled_from([None, 0.95, 1.0, 3.0]))
def test_no_instance_is_lost_from_a_histogram(counts: list[int], most: float | None) -> None:
    rows = bins(EDGES, counts, most)
    assert sum(count for _, _, count in rows) == sum(counts)
    assert all("e" not in label for label, _, _ in rows)


def test_a_largest_ratio_of_1_is_told_from_ratios_above_it() -> None:
    assert bins(EDGES, [0, 0, 1, 2, 3, 0], 1.0)[-1] == ("= 1", "exactly 1 (equal)", 3)
    assert bins(EDGES, [0, 0, 1, 2, 3, 0], 1.5)[-1] == ("1", "1 to 2", 3)
    assert bins(EDGES, [0] * 6, None) == []


def test_bars_from_1_on_are_marked_only_where_instances_broke_the_claim() -> None:
    rows = bins(EDGES, [0, 0, 1, 2, 3, 1], 3.0)
    hatched = [bar for bar in bars(histogram_figure(rows, broken=True)) if bar.get_hatch()]
    assert [bar.get_height() for bar in hatched] == [3, 1]
    assert not [bar for bar in bars(histogram_figure(rows, broken=False)) if bar.get_hatch()]


@pytest.mark.parametrize(("edges", "counts"), [([0.0, 1.0], [1, 2]), ([], [1]), ([0.0, 1.0, 2.0], [1])])
def test_edges_that_do_not_fit_are_refused(edges: list[float], counts: list[int]) -> None:
    with pytest.raises(BoundcheckError, match="one edge more than counts"):
        bins(edges, counts, None)


def test_counts_of_any_size_get_whole_ticks() -> None:
    for top in (1, 4, 5, 6, 999, 10**9):
        figure = histogram_figure([("0", "0 to 1", top)], broken=False)
        places = figure.axes[0].get_yticks()
        assert 2 <= len(places) <= 6
        assert all(place == int(place) and place <= top for place in places)
