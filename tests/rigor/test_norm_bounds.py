"""Bounds in norm of products, rescaled products and exponentials beside exact numbers; and what is exact by its making."""

from collections.abc import Callable
from typing import Any

import mpmath
import pytest
import torch
from torch import Tensor

from boundcheck.rigor import Enclosure, linear_algebra, matrix_functions, trace
from boundcheck.rigor.arithmetic import add, div, mul, square, sub
from boundcheck.rigor.decisions import compare, where
from boundcheck.rigor.enclosure import UNIT_ROUNDOFF
from boundcheck.rigor.functions import exp, power, sqrt
from boundcheck.rigor.reductions import cumsum, matmul, total

DIGITS = 60
ONE_TERM = 4096


def exact(matrix: Tensor) -> Any:
    return mpmath.matrix(matrix.tolist())


def distance(computed: Tensor, value: Any) -> Any:
    return mpmath.mnorm(exact(computed) - value, "f")


def graded(*shape: int) -> Tensor:
    """Columns of sizes from 1e-8 to 1e8."""
    return torch.randn(*shape, dtype=torch.float64) * torch.logspace(-8, 8, shape[-1], dtype=torch.float64)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("sizes", [(1, 1, 1), (4, 3, 5), (2, 40, 2)])
def test_the_rounding_of_a_product_is_within_its_bound_in_norm(sizes: tuple[int, int, int], seed: int) -> None:
    torch.manual_seed(seed)
    rows, k, columns = sizes
    a, b = graded(rows, k), graded(columns, k).flip(-1).mT
    with mpmath.workdps(DIGITS):
        assert distance(a @ b, exact(a) * exact(b)) <= float(linear_algebra.product_error(a, b))
        scale = torch.rand(k, dtype=torch.float64)
        triple = exact(a) * mpmath.diag(scale.tolist()) * exact(b)
        assert distance(a * scale @ b, triple) <= float(linear_algebra._rescaling_error(a, scale, b))


def most_of_the_bound(bound: Callable[[Tensor, Tensor], Tensor], value: Callable[[Tensor, Tensor], Tensor]) -> float:
    """The largest share of the bound that products of two numbers use up."""
    torch.manual_seed(0)
    worst = 0.0
    for a, b in (1 + torch.rand(ONE_TERM, 2, dtype=torch.float64)).tolist():
        x, y = torch.tensor([[a]], dtype=torch.float64), torch.tensor([[b]], dtype=torch.float64)
        with mpmath.workdps(DIGITS):
            off = abs(mpmath.mpf(float(value(x, y))) - mpmath.mpf(a) * mpmath.mpf(b))
        worst = max(worst, float(off) / float(bound(x, y)))
    return worst


def test_half_the_constant_of_a_product_is_too_little() -> None:
    assert 0.5 < most_of_the_bound(linear_algebra.product_error, torch.matmul) <= 1


def test_products_of_lengths_do_not_depend_on_scales_between_the_factors() -> None:
    torch.manual_seed(0)
    a, b = torch.randn(4, 3, dtype=torch.float64), torch.randn(3, 4, dtype=torch.float64)
    scale = torch.tensor([1e-12, 1.0, 1e12], dtype=torch.float64)
    plain, scaled = (float(linear_algebra.spread_of(*pair)) for pair in ((a, b), (a * scale, b / scale[:, None])))
    assert scaled == pytest.approx(plain, rel=1e-9)


def worst_exponential(rounding: float) -> float:
    """The largest |computed - exact| beside the bound made with this constant, off the diagonal, over small matrices."""
    torch.manual_seed(1)
    worst = 0.0
    for _ in range(30):
        a = torch.randn(3, 3, dtype=torch.float64)
        a = a / (2.01 * a.abs().sum(-1).max())
        with mpmath.workdps(DIGITS):
            value = mpmath.expm(exact(a), method="taylor")
            computed = exact(matrix_functions._series(a))
            off = max(abs(computed[i, j] - value[i, j]) for i in range(3) for j in range(3) if i != j)
        worst = max(worst, float(off) / (rounding * float(a.abs().sum(-1).max())))
    return worst


def test_the_series_of_an_exponential_is_within_its_bound_and_a_small_share_of_it_is_too_little() -> None:
    bound = matrix_functions._series_rounding(3)
    assert worst_exponential(bound) <= 1 < worst_exponential(bound / 64)


@pytest.mark.parametrize("rotated", [False, True])
def test_squared_matrices_carry_both_the_error_and_its_rounding(rotated: bool) -> None:
    torch.manual_seed(2)
    start = torch.randn(5, 3, 3, dtype=torch.float64)
    wrong = torch.linalg.matrix_norm(start)[..., None, None] * 1e-6
    direction = start.mT if rotated else start
    off = direction / torch.linalg.matrix_norm(direction)[..., None, None] * wrong * (1 - 2.0**-40)
    times = torch.tensor([0, 1, 2, 3, 3])
    power, (error,) = matrix_functions._squared(start, times, [wrong])
    with mpmath.workdps(DIGITS):
        for lane in range(5):
            value = exact(start[lane]) + exact(off[lane])
            for _ in range(int(times[lane])):
                value = value * value
            assert distance(power[lane], value) <= float(error[lane])
    one = torch.full((1, 1, 1), 1.0, dtype=torch.float64)  # (1 + 1e-6)² - 1 uses up the whole of 2·‖P‖·‖D‖
    _, (error,) = matrix_functions._squared(one, torch.ones(1, dtype=torch.int64), [one * 1e-6])
    assert 2e-6 < float(error) < 2.1e-6


def test_a_product_of_exact_zeros_is_exact_and_one_that_underflows_is_not() -> None:
    x = Enclosure.exactly(torch.tensor([0.0, 2.0**-600, 0.0, 3.0], dtype=torch.float64))
    y = Enclosure(
        torch.tensor([5.0, 2.0**-600, 0.0, 0.0], dtype=torch.float64),
        torch.tensor([1.0, 0.0, 0.0, 2.0**-1074], dtype=torch.float64),
    )
    rad = mul(x, y).rad
    assert rad[0] == 0
    assert rad[1] >= 2.0**-1074
    assert rad[2] == 0
    assert rad[3] >= 3 * 2.0**-1074
    assert square(y).rad[2] == 0


BINARY: dict[str, Callable[[Enclosure, Enclosure], Enclosure]] = {
    "add": add,
    "sub": sub,
    "mul": mul,
    "div": div,
    "matmul": matmul,
    "gt": lambda x, y: compare(torch.gt, x, y),
    "where": lambda x, y: where(compare(torch.gt, x, y), x, y),
}
UNARY: dict[str, Callable[[Enclosure], Enclosure]] = {
    "sum": lambda x: total(x, [-1]),
    "cumsum": lambda x: cumsum(x, -1),
    "square": square,
    "cube": lambda x: power(x, 3),
    "exp": exp,
    "sqrt": sqrt,
}


@pytest.mark.parametrize("rule", [*BINARY, *UNARY])
def test_what_is_exact_by_its_making_is_treated_like_a_radius_of_zeros(rule: str) -> None:
    torch.manual_seed(3)
    x, y = torch.randn(4, 6, 6, dtype=torch.float64), torch.randn(4, 6, 6, dtype=torch.float64)
    x[0, 0], y[1, 1] = 0.0, 0.0
    forms: list[Callable[[Tensor], Enclosure]] = [
        lambda t: Enclosure(t, None),
        lambda t: Enclosure(t, torch.zeros_like(t)),
    ]
    if rule in UNARY:
        results = [UNARY[rule](form(x)) for form in forms]
    else:
        results = [BINARY[rule](form(x), other(y)) for form in forms for other in forms]
    for result in results:
        assert torch.equal(result.rad, results[0].rad)
        assert torch.equal(result.mid.nan_to_num(7.0), results[0].mid.nan_to_num(7.0))


def test_an_overflow_is_not_settled_by_its_sum() -> None:
    huge = Enclosure.exactly(torch.tensor([1e308, 1.0], dtype=torch.float64))
    assert torch.equal(add(huge, huge).rad.isinf(), torch.tensor([True, False]))
    assert torch.equal(mul(huge, 10.0).rad.isinf(), torch.tensor([True, False]))


def test_entries_written_in_place_carry_their_radius_into_every_view() -> None:
    def overwritten(x: Tensor) -> list[Tensor]:
        board = torch.zeros(3, dtype=torch.float64)
        board[1:].copy_(x * x)
        return [board * 1.0]

    x = torch.tensor([0.1, 0.7], dtype=torch.float64)
    (result,) = trace(overwritten, [x]).enclose(Enclosure.exactly(x))
    assert result.rad[0] == 0
    assert bool((result.rad[1:] >= UNIT_ROUNDOFF * result.mid[1:]).all())
