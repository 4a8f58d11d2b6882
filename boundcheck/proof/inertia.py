"""Verified spectra by Sylvester's law of inertia: another formula than that of `spectra`.

A symmetric matrix G - tI = L·D·Lᵀ has as many negative eigenvalues as D has negative entries. So with pivots that are
certainly not 0, enclosed in Arb at several times the precision, a count proves how many eigenvalues of G lie below t. Each
eigenvalue is bracketed between two such t. Where to put them is a hint, taken from `spectra`, and widened until both counts
prove the bracket: a wrong hint costs width, never truth.
"""

from collections.abc import Callable, Iterator
from functools import cache

from flint import arb, arb_mat, ctx

from boundcheck.proof import spectra

_ZERO = arb(0)
_SPARE = 24
"""Bits by which a first bracket is wider than the precision."""
_LARGEST_SPREAD = 1 << 15

Bracket = tuple[arb, arb]
Count = Callable[[arb], int | None]


def eigenvalues(a: arb_mat) -> list[Bracket]:
    """Bounds of all eigenvalues, ascending, of every symmetric matrix in `a` (both triangles given, finite)."""
    center, moved, bits = a.mid(), spectra.norm([x.rad() for x in a.entries()]).upper(), ctx.prec
    hints = [x.mid() for x in spectra.eigenvalues(center)]
    whole = 2 * spectra.norm(center.entries()).upper()
    with ctx.workprec(_enough(bits, hints, 1)):
        count = _counter(center)
        brackets = [_bracket(count, k, hint, whole, bits) for k, hint in enumerate(hints)]
        return [((lower - moved).lower(), (upper + moved).upper()) for lower, upper in brackets]


def singular_values(a: arb_mat) -> list[Bracket]:
    """Bounds of all singular values, decreasing, of every matrix in `a` (finite): from the eigenvalues of A·Aᵀ or AᵀA."""
    a = a if a.nrows() >= a.ncols() else a.transpose()
    center, moved, bits = a.mid(), spectra.norm([x.rad() for x in a.entries()]).upper(), ctx.prec
    hints = [x.mid() for x in reversed(spectra.singular_values(center))]
    whole = 2 * spectra.norm(center.entries()).upper()
    with ctx.workprec(_enough(bits, hints, 2)):
        below_square = _counter(center.transpose() * center)

        def count(t: arb) -> int | None:
            return below_square(t * t) if t > _ZERO else 0 if t.is_exact() else None

        brackets = [_bracket(count, k, hint, whole, bits) for k, hint in enumerate(hints)]
        bounds = [(max((lower - moved).lower(), _ZERO), (upper + moved).upper()) for lower, upper in brackets]
        return bounds[::-1]


# ----------------------------------------------------------------------------------------------------- parts of the above


def _bracket(count: Count, index: int, hint: arb, whole: arb, bits: int) -> Bracket:
    """Bounds of the eigenvalue number `index`, from 0: it is at least t if no more than `index` lie below t, and at most t if
    `index` + 1 do. All lie between -whole and whole."""
    lower = next((t for t in (hint - r for r in _radii(hint, whole, bits)) if _is_at_most(count(t), index)), -whole)
    upper = next((t for t in (hint + r for r in _radii(hint, whole, bits)) if _exceeds(count(t), index)), whole)
    return lower, upper


def _radii(hint: arb, whole: arb, bits: int) -> Iterator[arb]:
    """Ever wider, first relative to the hint and then to the matrix."""
    for scale in (abs(hint), whole):
        width = bits - _SPARE
        while width > 0 and not scale.is_zero():
            yield (scale * arb(2) ** -width).mid()
            width = 3 * width // 4


def _is_at_most(count: int | None, index: int) -> bool:
    return count is not None and count <= index


def _exceeds(count: int | None, index: int) -> bool:
    return count is not None and count > index


def _counter(a: arb_mat) -> Count:
    """How many eigenvalues of the symmetric matrices in `a` lie below t; None if undecided, or if t is not one number."""
    rows = [row[: i + 1] for i, row in enumerate(a.tolist())]

    @cache
    def count_at(mantissa: int, exponent: int) -> int | None:
        shift = arb((mantissa, exponent))
        return _negative_pivots([[*row[:-1], row[-1] - shift] for row in rows])

    return lambda t: count_at(*(int(part) for part in t.man_exp())) if t.is_exact() else None


def _negative_pivots(lower: list[list[arb]]) -> int | None:
    """The number of negative entries in D of L·D·Lᵀ, from the lower triangle; None as soon as a pivot may be 0."""
    count = 0
    for step, row in enumerate(lower):
        pivot = row[step]
        if not (pivot > _ZERO or pivot < _ZERO):
            return None
        count += pivot < _ZERO
        column = [line[step] for line in lower[step + 1 :]]
        for i, line in enumerate(lower[step + 1 :]):
            factor = column[i] / pivot
            line[step + 1 :] = [x - factor * y for x, y in zip(line[step + 1 :], column, strict=False)]
    return count


def _enough(bits: int, hints: list[arb], power: int) -> int:
    """A precision that leaves room for the quotient of the largest and the smallest value, raised to `power`, and for pivots
    that come out small."""
    sizes = [size for size in map(_size, hints) if size is not None]
    spread = 2 * power * (max(sizes) - min(sizes)) if sizes else 0
    return 4 * bits + 64 + min(spread, _LARGEST_SPREAD)


def _size(x: arb) -> int | None:
    mantissa, exponent = (int(part) for part in x.man_exp())
    return mantissa.bit_length() + exponent if mantissa else None
