"""Textbook linear algebra for any kind of number, a scalar operation at a time.

A matrix is a list of its rows. What comes out encloses the exact result because every step does.
"""

from collections.abc import Sequence
from fractions import Fraction
from math import factorial, inf
from typing import NamedTuple, TypeVar

from boundcheck.proof.arithmetic import Arithmetic

N = TypeVar("N")
Rows = list[list[N]]

_MOST_SQUARINGS = 64


class Pivots(NamedTuple):
    """What `eliminate` did: how many pivots are certainly not 0, whether an odd number of swaps was made, and which column
    came to stand where."""

    certain: int
    is_odd: bool
    order: list[int]


def as_rows(a: Sequence[N], rows: int, columns: int) -> Rows[N]:
    """A flat row-major sequence as rows."""
    return [list(a[row * columns : (row + 1) * columns]) for row in range(rows)]


def flat(rows: Rows[N]) -> list[N]:
    """The opposite."""
    return [x for row in rows for x in row]


def identity(arithmetic: Arithmetic[N], size: int) -> Rows[N]:
    """The identity matrix."""
    zero, one = arithmetic.number(0.0), arithmetic.number(1.0)
    return [[one if i == j else zero for j in range(size)] for i in range(size)]


def gram_schmidt(arithmetic: Arithmetic[N], rows: Rows[N], columns: int) -> tuple[Rows[N], Rows[N]]:
    """Q `[rows, columns]` and R `[columns, columns]`, by the modified process; unknown from the first column on whose rest may
    be 0."""
    zero, infinite = arithmetic.number(0.0), arithmetic.number(inf)
    basis = [[row[column] for row in rows] for column in range(columns)]
    triangle = [[zero] * columns for _ in range(columns)]
    for j, column in enumerate(basis):
        length = norm(arithmetic, column)
        known = arithmetic.compare("gt", length, zero) and arithmetic.compare("lt", length, infinite)
        triangle[j][j] = length = length if known else arithmetic.unknown
        basis[j] = unit = [arithmetic.div(x, length) for x in column]
        for k in range(j + 1, columns):
            triangle[j][k] = overlap = product(arithmetic, unit, basis[k])
            basis[k] = [arithmetic.sub(x, arithmetic.mul(overlap, q)) for x, q in zip(basis[k], unit, strict=True)]
    return [[column[row] for column in basis] for row in range(len(rows))], triangle


def norm(arithmetic: Arithmetic[N], vector: Sequence[N]) -> N:
    """The Euclidean length."""
    return arithmetic.function("sqrt", arithmetic.total([arithmetic.whole_power(x, 2) for x in vector]))


def product(arithmetic: Arithmetic[N], x: Sequence[N], y: Sequence[N]) -> N:
    """The inner product."""
    return arithmetic.total([arithmetic.mul(p, q) for p, q in zip(x, y, strict=True)])


def eliminate(arithmetic: Arithmetic[N], rows: Rows[N], columns: int) -> Pivots:
    """Gaussian elimination with complete pivoting, in place, in the first `columns` columns: what lies below a pivot is left as
    it was and counts as 0. It stops where no entry that remains is certainly not 0."""
    order, odd = list(range(columns)), False
    for step in range(min(len(rows), columns)):
        least, row, column = max(
            (arithmetic.endpoints(arithmetic.function("abs", rows[i][j]))[0], i, j)
            for i in range(step, len(rows))
            for j in range(step, columns)
        )
        if not 0 < least < inf:
            return Pivots(step, odd, order)
        odd ^= (row != step) ^ (column != step)
        rows[step], rows[row] = rows[row], rows[step]
        order[step], order[column] = order[column], order[step]
        for line in rows:
            line[step], line[column] = line[column], line[step]
        for line in rows[step + 1 :]:
            _subtract_multiple(arithmetic, line, rows[step], step)
    return Pivots(min(len(rows), columns), odd, order)


def _subtract_multiple(arithmetic: Arithmetic[N], line: list[N], pivot: list[N], step: int) -> None:
    if arithmetic.compare("eq", line[step], arithmetic.number(0.0)):
        return
    factor = arithmetic.div(line[step], pivot[step])
    for j in range(step + 1, len(line)):
        line[j] = arithmetic.sub(line[j], arithmetic.mul(factor, pivot[j]))


def solution(arithmetic: Arithmetic[N], a: Rows[N], b: Rows[N], columns: int) -> Rows[N]:
    """A⁻¹·B by elimination; unknown entries where A is not shown to be regular."""
    size = len(a)
    rows = [left + right for left, right in zip(a, b, strict=True)]
    pivots = eliminate(arithmetic, rows, size)
    found: Rows[N] = [[arithmetic.unknown] * columns for _ in range(size)]
    if pivots.certain < size:
        return found
    for i in reversed(range(size)):
        for column in range(columns):
            known = [arithmetic.mul(rows[i][j], found[pivots.order[j]][column]) for j in range(i + 1, size)]
            rest = arithmetic.sub(rows[i][size + column], arithmetic.total(known))
            found[pivots.order[i]][column] = arithmetic.div(rest, rows[i][i])
    return found


def determinant(arithmetic: Arithmetic[N], rows: Rows[N]) -> N:
    """The product of the pivots; what elimination could not finish is bounded by Hadamard's inequality."""
    pivots = eliminate(arithmetic, rows, len(rows))
    value = arithmetic.number(-1.0 if pivots.is_odd else 1.0)
    for step in range(pivots.certain):
        value = arithmetic.mul(value, rows[step][step])
    if pivots.certain == len(rows):
        return value
    rest = arithmetic.number(1.0)
    for row in rows[pivots.certain :]:
        rest = arithmetic.mul(rest, norm(arithmetic, row[pivots.certain :]))
    return arithmetic.mul(value, arithmetic.hull(arithmetic.function("neg", rest), rest))


def exponential(arithmetic: Arithmetic[N], a: Sequence[N], size: int, bits: int) -> list[N]:
    """exp(A) = (Σ (A/2ˢ)ᵏ/k!)^(2ˢ), with s such that ‖A/2ˢ‖ <= 1/16 in the greatest row sum; the tail of the sum is at most twice
    16^-(n+1)/(n+1)! in each entry. Unknown where s would be far too large."""
    sums = [arithmetic.total([arithmetic.function("abs", x) for x in row]) for row in as_rows(a, size, size)]
    largest = max((arithmetic.endpoints(x)[1] for x in sums), default=0)
    one = flat(identity(arithmetic, size))
    if largest == 0:
        return one
    if largest > 2.0**_MOST_SQUARINGS:
        return [arithmetic.unknown] * len(a)
    squarings = max(0, int(largest).bit_length() + 4)
    scaled = [arithmetic.mul(x, arithmetic.number(Fraction(1, 2**squarings))) for x in a]
    total, term, count = one, one, 0
    while Fraction(2, 16 ** (count + 1) * factorial(count + 1)) > Fraction(1, 2**bits):
        count += 1
        inverse = arithmetic.number(Fraction(1, count))
        term = [arithmetic.mul(x, inverse) for x in arithmetic.matmul(term, scaled, size, size, size)]
        total = [arithmetic.add(x, y) for x, y in zip(total, term, strict=True)]
    tail = arithmetic.number(Fraction(2, 16 ** (count + 1) * factorial(count + 1)))
    around = arithmetic.hull(arithmetic.function("neg", tail), tail)
    power = [arithmetic.add(x, around) for x in total]
    for _ in range(squarings):
        power = arithmetic.matmul(power, power, size, size, size)
    return power
