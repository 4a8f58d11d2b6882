"""Template: it holds, its false neighbour falls, and a constant that is too strong is caught."""

from fractions import Fraction
from pathlib import Path

import pytest

from boundcheck.testing import ClaimFailedError, check_claim
from boundcheck.theorems._template import template, template_as_printed


def test_it_holds() -> None:
    assert check_claim(template)["verdict"] == "HOLDS"


def test_its_neighbour_is_refuted() -> None:
    assert check_claim(template_as_printed)["verdict"] == "REFUTED"


def test_a_stronger_constant_is_caught(tmp_path: Path) -> None:
    with pytest.raises(ClaimFailedError, match="is VIOLATED"):
        check_claim(template.with_constants({"c": Fraction("11/10")}), folder=tmp_path)
