"""The functions of one interval, from those of one number in `series`.

An interval is a pair of mpmath's raw numbers; no end has more than `bits` bits, neither of an argument nor of a result.
"""

from collections.abc import Callable
from functools import cmp_to_key

from mpmath.libmp import (
    fhalf,
    finf,
    fninf,
    fnone,
    fone,
    from_man_exp,
    ftwo,
    fzero,
    mpf_cmp,
    mpf_mul,
    mpf_neg,
    mpf_sign,
    round_ceiling,
    round_down,
    round_floor,
    round_up,
)
from mpmath.libmp.libmpi import mpi_abs, mpi_add, mpi_div, mpi_mul, mpi_neg, mpi_pos, mpi_sqrt, mpi_sub

from boundcheck.proof import series
from boundcheck.proof.series import Interval

Point = Callable[[int, int, int], Interval]
Function = Callable[[Interval, int], Interval]

UNKNOWN: Interval = (fninf, finf)
_ONE, _TWO = (fone, fone), (ftwo, ftwo)
_GUARD = 16


def apply(name: str, x: Interval, bits: int) -> Interval:
    """The function called `name` (one of `arithmetic.FUNCTIONS`) of all of x; unknown for what is unknown."""
    return x if x == UNKNOWN else _FUNCTIONS[name](x, bits)


def whole_power(x: Interval, exponent: int, bits: int) -> Interval:
    """x^exponent, exponent >= 0: the least and the largest absolute value, raised by multiplications that round one way."""
    if exponent == 0:
        return _ONE
    if x == UNKNOWN or exponent == 1:
        return x
    lower, upper = x
    if exponent % 2 == 0:
        lower, upper = mpi_abs(x, bits)
    return _end_power(lower, exponent, bits, is_lower=True), _end_power(upper, exponent, bits, is_lower=False)


def real_power(x: Interval, above: int, below: int, bits: int) -> Interval:
    """x^(above/below) for x >= 0 and a positive exponent, as exp(above/below·log x)."""
    wide = bits + _GUARD + above.bit_length()
    exponent = mpi_div(_whole(above), _whole(below), wide)

    def at(end: Interval) -> Interval:
        if end in (fzero, finf):
            return end, end
        logarithm = mpi_mul(apply("log", (end, end), wide), exponent, wide)
        return mpi_pos(apply("exp", logarithm, wide), bits)

    return at(x[0])[0], at(x[1])[1]


# ----------------------------------------------------------------------------------------------------- parts of the above


def _whole(n: int) -> Interval:
    return from_man_exp(n, 0), from_man_exp(n, 0)


def _end_power(x: Interval, exponent: int, bits: int, *, is_lower: bool) -> Interval:
    toward_zero = is_lower != bool(x[0])
    rounding, wide = (round_down if toward_zero else round_up), bits + _GUARD
    result = fone
    for digit in f"{exponent:b}":
        result = mpf_mul(result, result, wide, rounding)
        result = mpf_mul(result, x, wide, rounding) if digit == "1" else result
    return mpf_mul(result, fone, bits, round_floor if is_lower else round_ceiling)


def _of(point: Point, end: Interval, bits: int) -> Interval:
    sign, man, exponent, _ = end
    return point(-int(man) if sign else int(man), exponent, bits)


def _increasing(point: Point, below: Interval = UNKNOWN, above: Interval = UNKNOWN) -> Function:
    """An increasing function with its limits at -inf and inf."""

    def at(end: Interval, bits: int) -> Interval:
        return below if end == fninf else above if end == finf else _of(point, end, bits)

    def evaluate(x: Interval, bits: int) -> Interval:
        lower = at(x[0], bits)
        return lower if x[0] == x[1] else (lower[0], at(x[1], bits)[1])

    return evaluate


def _above(pole: Interval, function: Function) -> Function:
    """The function where x is certainly above its pole."""
    return lambda x, bits: function(x, bits) if mpf_cmp(x[0], pole) > 0 else UNKNOWN


def _sqrt(x: Interval, bits: int) -> Interval:
    if mpf_sign(x[1]) < 0:
        return UNKNOWN
    return mpi_sqrt(x if mpf_sign(x[0]) >= 0 else (fzero, x[1]), bits)


def _atan(x: Interval, bits: int) -> Interval:
    if x[0] != fninf and x[1] != finf:
        return _increasing(series.atan)(x, bits)
    quarter_turn = mpi_mul(_TWO, series.atan(1, 0, bits), bits)
    return _increasing(series.atan, mpi_neg(quarter_turn), quarter_turn)(x, bits)


def _wave(point: Point) -> Function:
    """sin or cos: the value in the middle, give or take the way from there, as the slope is at most 1; within [-1, 1]."""

    def evaluate(x: Interval, bits: int) -> Interval:
        if x[0] == fninf or x[1] == finf:
            return UNKNOWN
        wide = bits + _GUARD
        middle = mpi_mul(mpi_add((x[0], x[0]), (x[1], x[1]), wide), (fhalf, fhalf), wide)[0]
        reach = mpi_abs(mpi_sub(x, (middle, middle), wide), wide)[1]
        lower, upper = mpi_pos(mpi_add(_of(point, middle, wide), (mpf_neg(reach), reach), wide), bits)
        return max(lower, fnone, key=_by_value), min(upper, fone, key=_by_value)

    return evaluate


_by_value = cmp_to_key(mpf_cmp)


def _tanh(man: int, exponent: int, bits: int) -> Interval:
    """e/(e+2) with e = e^2x - 1 for small x, and 1 - 2/(e^2x+1) beyond."""
    if man < 0:
        return mpi_neg(_tanh(-man, exponent, bits))
    wide = bits + _GUARD
    if man.bit_length() + exponent < 0:
        grown = series.expm1(man, exponent + 1, wide)
        return mpi_pos(mpi_div(grown, mpi_add(grown, _TWO, wide), wide), bits)
    rest = mpi_div(_TWO, mpi_add(series.exp(man, exponent + 1, wide), _ONE, wide), wide)
    return mpi_pos(mpi_sub(_ONE, rest, wide), bits)


def _sigmoid(man: int, exponent: int, bits: int) -> Interval:
    """1/(e^-x+1), and for x >= 0 what that of -x leaves to 1."""
    wide = bits + _GUARD
    rest = mpi_div(_ONE, mpi_add(series.exp(abs(man), exponent, wide), _ONE, wide), wide)
    return mpi_pos(rest if man < 0 else mpi_sub(_ONE, rest, wide), bits)


def _softplus(man: int, exponent: int, bits: int) -> Interval:
    """log(1+e^x), with log1p where e^x <= 1."""
    wide = bits + _GUARD
    grown = series.exp(man, exponent, wide)
    if man <= 0:
        return mpi_pos(_increasing(series.log1p)(grown, wide), bits)
    return mpi_pos(_increasing(series.log)(mpi_add(_ONE, grown, wide), wide), bits)


_NOTHING, _EVERYTHING = (fzero, fzero), (finf, finf)

_FUNCTIONS: dict[str, Function] = {
    "abs": mpi_abs,
    "neg": mpi_neg,
    "sqrt": _sqrt,
    "exp": _increasing(series.exp, _NOTHING, _EVERYTHING),
    "expm1": _increasing(series.expm1, mpi_neg(_ONE), _EVERYTHING),
    "log": _above(fzero, _increasing(series.log, above=_EVERYTHING)),
    "log1p": _above(fnone, _increasing(series.log1p, above=_EVERYTHING)),
    "sin": _wave(series.sin),
    "cos": _wave(series.cos),
    "atan": _atan,
    "tanh": _increasing(_tanh, mpi_neg(_ONE), _ONE),
    "sigmoid": _increasing(_sigmoid, _NOTHING, _ONE),
    "softplus": _increasing(_softplus, _NOTHING, _EVERYTHING),
    "erf": _increasing(series.erf, mpi_neg(_ONE), _ONE),
}
