"""The picture's numbers: certified bounds on either side of Δu, and a printed law that leaves it where curvature undoes it."""

from pathlib import Path

import pytest
import torch

from boundcheck.theorems.alignment_collapse.experiments import dose_response
from boundcheck.theorems.alignment_collapse.experiments.dose_response import Curve, certified, draw, instability


@pytest.fixture(scope="module")
def few() -> list[Curve]:
    found = []
    for kappa, overlap in ((0.0, 0.0), (1.0, 0.0), (0.0, dose_response.OVERLAP)):
        p = instability(kappa, overlap)
        few = p.with_leaves({name: leaf[::10] for name, leaf in p.leaves().items()})
        found.append(certified(f"{kappa} {overlap}", few))
    return found


def test_bounds_hold_and_are_sharp_at_small_times(few: list[Curve]) -> None:
    for curve in few:
        for (low, high), lower, upper in zip(curve.drop, curve.lower, curve.upper, strict=True):
            assert upper is not None
            assert 0 < low <= high <= upper
            assert high - low <= 1e-12 * high
            assert lower is None or lower <= low
    first = few[0]
    assert first.lower[0] is not None
    assert first.upper[0] is not None
    assert first.lower[0] > 0.999 * first.drop[0][0]
    assert first.upper[0] < 1.01 * first.drop[0][1]


def test_the_printed_law_leaves_the_loss_behind_where_curvature_undoes_it(few: list[Curve]) -> None:
    undone = few[1]
    assert undone.printed is not None
    ratios = [drop[1] / law for drop, law in zip(undone.drop, undone.printed, strict=True)]
    assert ratios[0] < 1e-8
    assert ratios == sorted(ratios)


def test_the_window_opens_and_closes(few: list[Curve]) -> None:
    window = few[2].window
    assert window is not None
    assert dose_response.EARLIEST < window[0] < window[1] < dose_response.LATEST
    assert few[0].window is None


def test_the_picture_is_a_titled_svg(few: list[Curve], tmp_path: Path) -> None:
    draw(few, tmp_path / "few.svg")
    text = (tmp_path / "few.svg").read_text(encoding="utf-8")
    assert text.startswith("<?xml")
    assert "Loss of utility" in text
    draw(few, tmp_path / "again.svg")
    assert (tmp_path / "again.svg").read_text(encoding="utf-8") == text
    assert torch.get_default_dtype() == torch.float32
