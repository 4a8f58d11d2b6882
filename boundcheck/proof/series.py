"""Rigorous elementary functions of one exact number, by power series in whole numbers.

mpmath's own exp, log, atan and erf are accurate, but rounded to the right side only almost always, which is no proof. Here a
real number is enclosed by two whole numbers (low, high), both times 2^-scale, and a step rounds low down and high up. All
series have positive terms, so that a partial sum is a lower bound, and an upper one with the last term added once more.

An argument is man·2^exponent. A result is a pair of mpmath's raw numbers of `bits` bits, about 2^-bits apart relative to the
value (for sin and cos: relative to 1, but for a small argument of sin). Formulas: Abramowitz and Stegun 4.1.27, 4.2.1, 4.3.65,
4.3.66 and 7.1.6; for atan Euler's, 4.4.42.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from mpmath.libmp import finf, fnone, fone, from_man_exp, ftwo, round_ceiling, round_floor
from mpmath.libmp.libmpi import mpi_add, mpi_div, mpi_mul, mpi_neg, mpi_pos, mpi_sqrt, mpi_sub

Pair = tuple[int, int]
Interval = Any
"""A pair of mpmath's raw numbers."""

_GUARD = 40
_HALVINGS = 8
_LARGEST_SIZE = 1 << 12
"""Bits before the point of the largest argument whose exponential is still looked at."""
_ONE = (fone, fone)


def exp(man: int, exponent: int, bits: int) -> Interval:
    """e^x = 2^k·e^r with r in [0, ln 2] but for rounding, and e^r = (e^(r/256))^256."""
    size = man.bit_length() + exponent
    if size > _LARGEST_SIZE:
        far = from_man_exp(1, 1 << (_LARGEST_SIZE - 1)), finf
        return far if man > 0 else mpi_div(_ONE, far, bits)
    scale = bits + _GUARD + max(0, size)
    shift, (low, high) = _remainder(_fixed(man, exponent, scale), _ln2(scale))
    small = low >> _HALVINGS, -(-high >> _HALVINGS)
    power = _series((1 << scale, 1 << scale), small, lambda n: (1, n + 1), scale)
    for _ in range(_HALVINGS):
        power = _product(power, power, scale)
    return _interval(power, scale - shift, bits)


def expm1(man: int, exponent: int, bits: int) -> Interval:
    """e^x - 1; for |x| < 1/2 with T = Σ |x|ⁿ/n! (n >= 1) as T, or for negative x as -T/(1+T)."""
    size = man.bit_length() + exponent
    if size < -bits - _GUARD:
        return _nearly_itself(man, exponent, size, bits)
    if size > -1:
        return mpi_pos(mpi_sub(exp(man, exponent, bits + 8), _ONE, bits + 8), bits)
    scale = bits + _GUARD - size
    x = _fixed(abs(man), exponent, scale)
    total = _interval(_series(x, x, lambda n: (1, n + 2), scale), scale, bits + 8)
    if man < 0:
        total = mpi_neg(mpi_div(total, mpi_add(_ONE, total, bits + 8), bits + 8))
    return mpi_pos(total, bits)


def log(man: int, exponent: int, bits: int) -> Interval:
    """Of a number > 0: log x = k·ln 2 + 2·atanh((m-1)/(m+1)) with x = m·2^k, 3/4 <= m < 3/2."""
    one = man.bit_length() - (4 * man < 3 << man.bit_length())
    shift, above, below = exponent + one, man - (1 << one), man + (1 << one)
    scale = bits + _GUARD + (0 if shift or not above else below.bit_length() - above.bit_length())
    low, high = _twice_atanh(above, below, scale)
    ln2 = _ln2(scale)
    return _interval(
        (low + min(shift * ln2[0], shift * ln2[1]), high + max(shift * ln2[0], shift * ln2[1])), scale, bits
    )


def log1p(man: int, exponent: int, bits: int) -> Interval:
    """log(1+x) for x > -1; 1+x is exact, except where it is nearly 1 or nearly x."""
    size = man.bit_length() + exponent
    if size < -bits - _GUARD:
        return _nearly_itself(man, exponent, size, bits)
    if size > bits + _GUARD:
        return _nearly(log(man, exponent, bits + 8), 1 - size, bits)
    return log((man << exponent) + 1, 0, bits) if exponent >= 0 else log(man + (1 << -exponent), exponent, bits)


def atan(man: int, exponent: int, bits: int) -> Interval:
    """Euler's series z/(1+z²)·Σ Π 2kw/(2k+1) with w = z²/(1+z²) for z <= 1, and π/2 - atan(1/x) beyond."""
    if man < 0:
        return mpi_neg(atan(-man, exponent, bits))
    size = man.bit_length() + exponent
    if size < -bits - _GUARD:
        return _nearly_itself(man, exponent, size, bits)
    scale = bits + _GUARD + abs(size)
    if size > bits + _GUARD:
        return _nearly(_interval(_half_pi(bits + _GUARD), bits + _GUARD, bits + 8), 1 - size, bits)
    above, below = (man << exponent, 1) if exponent >= 0 else (man, 1 << -exponent)
    if above <= below:
        return _interval(_atan(above, below, scale), scale, bits)
    low, high = _atan(below, above, scale)
    half_pi = _half_pi(scale)
    return _interval((half_pi[0] - high, half_pi[1] - low), scale, bits)


def sin(man: int, exponent: int, bits: int) -> Interval:
    """x = k·π/2 + r with r in [0, π/2] but for rounding; then ± sin r or ± cos r."""
    size = man.bit_length() + exponent
    if size < -bits - _GUARD:
        return _nearly_itself(man, exponent, size, bits)
    return mpi_neg(_wave(-man, exponent, 0, bits)) if man < 0 else _wave(man, exponent, 0, bits)


def cos(man: int, exponent: int, bits: int) -> Interval:
    """As sin, a quarter turn on."""
    if man.bit_length() + exponent < -bits - _GUARD:
        return _nearly(_ONE, -bits, bits)
    return _wave(abs(man), exponent, 1, bits)


def erf(man: int, exponent: int, bits: int) -> Interval:
    """2/√π·e^(-x²)·Σ 2ⁿx²ⁿ⁺¹/(1·3·5···(2n+1)), and between 1 - e^(-x²) and 1 for x² >= bits + 1."""
    if man < 0:
        return mpi_neg(erf(-man, exponent, bits))
    size, wide = man.bit_length() + exponent, bits + 16
    half_pi = _interval(_half_pi(wide + _GUARD), wide + _GUARD, wide)
    scale_to_erf = mpi_sqrt(mpi_div((ftwo, ftwo), half_pi, wide), wide)
    if size < -bits - _GUARD:
        return mpi_pos(mpi_mul(_nearly_itself(man, exponent, size, wide), scale_to_erf, wide), bits)
    if size > bits.bit_length() or _fixed(man * man, 2 * exponent, 0)[0] > bits:
        return from_man_exp((2 << bits) - 1, -bits - 1, bits, round_floor), fone
    tail = exp(-man * man, 2 * exponent, wide)
    scale = wide + _GUARD - min(size, 0)
    low, high = _fixed(man, exponent, scale)
    total = _series((low, high), _product((2 * low, 2 * high), (low, high), scale), lambda n: (1, 2 * n + 3), scale)
    return mpi_pos(mpi_mul(mpi_mul(_interval(total, scale, wide), tail, wide), scale_to_erf, wide), bits)


# ----------------------------------------------------------------------------------------------------- parts of the above


def _series(first: Pair, factor: Pair, ratio: Callable[[int], Pair], scale: int) -> Pair:
    """Σ tₙ with t₀ = first >= 0 and tₙ₊₁ = tₙ·factor·p/q, where (p, q) = ratio(n). Once factor·p/q is at most 1/2 it has to stay
    so: then what is left out is at most the last term."""
    low, high = first
    total_low, total_high, n = low, high, 0
    while True:
        p, q = ratio(n)
        low = (low * factor[0] >> scale) * p // q
        high = -((-high * factor[1] >> scale) * p // q)
        total_low, total_high, n = total_low + low, total_high + high, n + 1
        if high <= 1 and 2 * factor[1] * p <= q << scale:
            return total_low, total_high + high


def _wave(man: int, exponent: int, quarters: int, bits: int) -> Interval:
    """sin(x + quarters·π/2), x >= 0."""
    size = man.bit_length() + exponent
    if size > _LARGEST_SIZE:
        return fnone, fone
    scale = bits + _GUARD + abs(size)
    shift, r = _remainder(_fixed(man, exponent, scale), _half_pi(scale))
    turn = (shift + quarters) % 4
    square = _product(r, r, scale)
    fourth = _product(square, square, scale)
    first = (1 << scale, 1 << scale) if turn % 2 else r
    start = 0 if turn % 2 else 1
    second = _product(first, square, scale)
    divisor = (start + 1) * (start + 2)
    second = second[0] // divisor, -(-second[1] // divisor)
    even = _series(first, fourth, lambda n: (1, _rising(4 * n + start + 1)), scale)
    odd = _series(second, fourth, lambda n: (1, _rising(4 * n + start + 3)), scale)
    value = _interval((even[0] - odd[1], even[1] - odd[0]), scale, bits)
    return mpi_neg(value) if turn >= 2 else value


def _rising(n: int) -> int:
    return n * (n + 1) * (n + 2) * (n + 3)


def _remainder(x: Pair, step: Pair) -> tuple[int, Pair]:
    """k and x - k·step, the least that is certainly >= 0 in its lower end."""
    shift = x[0] // step[1] if x[0] >= 0 else -(-x[0] // step[0]) - 1
    multiples = shift * step[0], shift * step[1]
    return shift, (x[0] - max(multiples), x[1] - min(multiples))


def _twice_atanh(above: int, below: int, scale: int) -> Pair:
    """2·atanh(above/below), |above/below| <= 1/3."""
    z = _quotient(abs(above), below, scale)
    low, high = _series(z, _product(z, z, scale), lambda n: (2 * n + 1, 2 * n + 3), scale)
    return (2 * low, 2 * high) if above >= 0 else (-2 * high, -2 * low)


def _atan(above: int, below: int, scale: int) -> Pair:
    """atan(above/below), 0 <= above/below <= 1."""
    square, other = above * above, above * above + below * below
    first = _quotient(above * below, other, scale)
    return _series(first, _quotient(square, other, scale), lambda n: (2 * n + 2, 2 * n + 3), scale)


@lru_cache(maxsize=256)
def _ln2(scale: int) -> Pair:
    return _twice_atanh(1, 3, scale)


@lru_cache(maxsize=256)
def _half_pi(scale: int) -> Pair:
    """Machin: π/4 = 4·atan(1/5) - atan(1/239)."""
    fifth, other = _atan(1, 5, scale), _atan(1, 239, scale)
    return 8 * fifth[0] - 2 * other[1], 8 * fifth[1] - 2 * other[0]


def _fixed(man: int, exponent: int, scale: int) -> Pair:
    shift = exponent + scale
    if shift >= 0:
        return man << shift, man << shift
    dropped = min(-shift, man.bit_length() + 1)
    return man >> dropped, -(-man >> dropped)


def _quotient(above: int, below: int, scale: int) -> Pair:
    return (above << scale) // below, -((-above << scale) // below)


def _product(x: Pair, y: Pair, scale: int) -> Pair:
    return x[0] * y[0] >> scale, -(-x[1] * y[1] >> scale)


def _interval(pair: Pair, scale: int, bits: int) -> Interval:
    return from_man_exp(pair[0], -scale, bits, round_floor), from_man_exp(pair[1], -scale, bits, round_ceiling)


def _nearly(value: Interval, size: int, bits: int) -> Interval:
    """value·(1 + θ) for all |θ| <= 2^size."""
    unit = -(bits + 8)
    size = max(size, unit)
    factor = _interval(((1 << -unit) - (1 << (size - unit)), (1 << -unit) + (1 << (size - unit))), -unit, bits + 9)
    return mpi_pos(mpi_mul(value, factor, bits + 9), bits)


def _nearly_itself(man: int, exponent: int, size: int, bits: int) -> Interval:
    """x·(1 + θ), |θ| <= |x| <= 2^size <= 1: encloses sin, atan, expm1 and log1p of x."""
    x = from_man_exp(man, exponent)
    return _nearly((x, x), size, bits)
