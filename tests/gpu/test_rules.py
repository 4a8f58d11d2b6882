"""Every operator's error bound on the device, beside Arb balls on the CPU."""

import pytest

from tests.campaigns.soundness import ONE, TWO, Figures, compare_operator

OPERATORS = [(name, function, 1) for name, function in ONE.items()] + [
    (name, function, 2) for name, function in TWO.items()
]


@pytest.mark.parametrize(("name", "function", "operands"), OPERATORS, ids=[name for name, _, _ in OPERATORS])
def test_the_bound_holds_for_the_devices_rounding(name, function, operands, device: str) -> None:  # type: ignore[no-untyped-def]
    figures = Figures()
    for seed in (0, 1):
        compare_operator(name, function, operands, 600, seed, figures, device=device)
    assert figures.decided > 0
    assert figures.unsound == []
