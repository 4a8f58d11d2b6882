"""Verified singular values and eigenvalues of matrices of balls, in Arb.

The vectors that `jacobi` finds are only a hint: what they give is proved in balls, whatever they are. Three facts do it
(Horn and Johnson, Matrix Analysis, 2nd ed., 4.5.9, 7.3.5 and 7.3.6):

* Ostrowski: for a square V with ‖VᵀV - I‖ <= d < 1 and a symmetric A, λₖ(VᵀAV) = λₖ(A)·θ with θ in [1-d, 1+d]; hence, for any
  A by way of AᵀA, σₖ(AV) = σₖ(A)·θ with θ in [√(1-d), √(1+d)];
* Weyl: |σₖ(B+E) - σₖ(B)| <= ‖E‖, and likewise for eigenvalues of symmetric matrices;
* interlacing: if B' is B without j of its columns, σₖ₊ⱼ(B) <= σₖ(B') <= σₖ(B).

Everything runs at FLINT's precision where it is called, and higher inside. Sizes may be zero.
"""

import sys
from collections.abc import Iterator, Sequence
from operator import mul

from flint import arb, arb_mat, ctx, fmpz_mat

from boundcheck.proof.jacobi import right_vectors

_ZERO, _ONE = arb(0), arb(1)
_GUARD = 32
_LEVELS = 4
"""Of precision, each of four times as many bits as the one before."""
_MOST_BITS = 1 << 14
_SPARE = 10
"""Bits of the precision that a value may have lost before another level is tried."""
_MOST_CUTS = 6
_GAP = arb(2) ** -8
_LARGEST_EXPONENT = 1 << 16
_LARGEST_SPREAD = 1 << 12
_NO_SIZE = -sys.maxsize

Bounds = tuple[arb, arb]


def singular_values(a: arb_mat) -> list[arb]:
    """All min(rows, columns) singular values, decreasing, enclosed for every matrix in `a`; NaN if an entry is not finite.

    Of a matrix of exact numbers the relative error is about 2^-precision however small the value is beside the largest one,
    and those beyond the rank are exactly 0.
    """
    a = a if a.nrows() >= a.ncols() else a.transpose()
    if not all(x.is_finite() for x in a.entries()):
        return [arb.nan()] * a.ncols()
    if a.ncols() <= 1:
        return [norm(a.entries())] * a.ncols()
    bits, vectors, exact, positive = ctx.prec, None, is_exact(a), a.ncols()
    first = bits + _GUARD + _spread(a)
    for level in range(_LEVELS if exact else 1):
        with ctx.workprec(min(first << (2 * level), _MOST_BITS + first)):
            vectors = right_vectors(a.mid(), vectors)
            bounds = _singular_bounds(a, vectors)
        if exact and not all(lower > _ZERO for lower, _ in bounds):
            positive = rank(a)[0]
        bounds[positive:] = [(_ZERO, _ZERO)] * (a.ncols() - positive)
        if all((upper - lower) <= lower * arb(2) ** (_SPARE - bits) for lower, upper in bounds):
            break
    return [_between(*pair) for pair in bounds]


def eigenvalues(a: arb_mat) -> list[arb]:
    """All eigenvalues, ascending, of every symmetric matrix whose lower triangle is in that of `a`; NaN if an entry of it is
    not finite. Of a matrix of exact numbers the relative error is about 2^-precision, and zero eigenvalues are exactly 0."""
    size = a.nrows()
    a = arb_mat([[a[max(i, j), min(i, j)] for j in range(size)] for i in range(size)]) if size else a
    if not all(x.is_finite() for x in a.entries()):
        return [arb.nan()] * size
    if size <= 1:
        return a.entries()
    bits, vectors, exact = ctx.prec, None, is_exact(a)
    for level in range(_LEVELS if exact else 1):
        with ctx.workprec((bits + _GUARD) << (2 * level)):
            # The eigenvectors of A are the singular vectors of a positive definite A + cI.
            vectors = right_vectors((a + arb_mat(size, size, 1) * (2 * norm(a.entries()) + 1).mid()).mid(), vectors)
            found = _eigenvalue_enclosures(a, vectors)
        if exact:
            found = _with_exact_zeros(found, a)
        if all(x.is_zero() or x.rel_accuracy_bits() >= bits - _SPARE for x in found):
            break
    return [+x for x in found]


def rank(a: arb_mat) -> tuple[int, int]:
    """The least and the greatest rank that a matrix in `a` may have: the same for exact numbers."""
    if not is_exact(a):
        return sum(1 for x in singular_values(a) if x > _ZERO), min(a.nrows(), a.ncols())
    exact = fmpz_mat(a.nrows(), a.ncols(), [x for row in a.tolist() for x in _whole_numbers(row)])
    return exact.rank(), exact.rank()


def is_exact(a: arb_mat) -> bool:
    """Whether all entries are finite numbers without a radius, and of a size that can be written out."""
    return all(x.is_exact() and x.is_finite() and abs(int(x.man_exp()[1])) < _LARGEST_EXPONENT for x in a.entries())


def norm(entries: Sequence[arb]) -> arb:
    """√(Σ x²), at least 0."""
    square = _dot(entries, entries)
    if square.is_exact() or square > _ZERO or square.is_nan():
        return square.sqrt()
    return zero_to(sum((x.abs_upper() * x.abs_upper() for x in entries), _ZERO).sqrt())


def zero_to(upper: arb) -> arb:
    """[0, u] with u barely above the upper end of `upper` (>= 0), and a lower end that is exactly 0: a midpoint of many bits
    with a radius of 30 would reach below it."""
    around = arb(0, (upper / 2).upper())
    return around.rad() + around if around.is_finite() else around


# ----------------------------------------------------------------------------------------------------- parts of the above


def _spread(a: arb_mat) -> int:
    """By how many bits the columns differ in length: V needs as many more."""
    columns = a.mid().transpose().tolist()
    sizes = [size for size in (max(map(_size, column)) for column in columns) if size > _NO_SIZE]
    return min(max(sizes) - min(sizes), _LARGEST_SPREAD) if sizes else 0


def _size(x: arb) -> int:
    mantissa, exponent = (int(part) for part in x.man_exp())
    return mantissa.bit_length() + exponent if mantissa else _NO_SIZE


def _singular_bounds(a: arb_mat, vectors: arb_mat) -> list[Bounds]:
    """Lower and upper bounds, decreasing, from the hint `vectors`. Where entries have radii, both from the balls as they are
    (small values keep their relative error) and from the midpoints by Weyl (nothing is lost to clusters)."""
    bounds = _bounds_by_cuts(a, vectors)
    if all(x.is_exact() for x in a.entries()):
        return bounds
    moved = norm([x.rad() for x in a.entries()])
    around = _bounds_by_cuts(a.mid(), vectors)
    return [
        _both(b, ((lower - moved).lower(), (upper + moved).upper()))
        for b, (lower, upper) in zip(bounds, around, strict=True)
    ]


def _bounds_by_cuts(a: arb_mat, vectors: arb_mat) -> list[Bounds]:
    """B = A·V is cut into its g longest columns B₁ and the others B₂, at a few places g. Let s be exact numbers near the lengths
    of B's columns, decreasing, S₁ = diag(s₁…s_g), δ >= ‖S₁⁻¹B₁ᵀB₁S₁⁻¹ - I‖ and t = ‖B₂‖. Ostrowski for B₁ = (B₁S₁⁻¹)·S₁ gives
    σₖ(B₁) in sₖ·[√(1-δ), √(1+δ)]. Let P project onto B₁'s range. Then ‖PB₂‖ <= x = ‖S₁⁻¹B₁ᵀB₂‖/√(1-δ), and the singular values
    of [B₁, B₂-PB₂] are those of its parts. Hence, by interlacing and Weyl, for k <= g:

        sₖ√(1-δ) <= σₖ(B₁) <= σₖ(B) <= max(σₖ(B₁), t) + x,

    and σₖ(B) <= t for k > g. Finally σₖ(A) is in σₖ(B)·[1/√(1+d), 1/√(1-d)].
    """
    size, defect = a.ncols(), _defect(vectors)
    if not 2 * defect < _ONE:
        return [(_ZERO, norm(a.entries()).upper())] * size
    down, up = _ONE / (_ONE + defect).sqrt(), _ONE / (_ONE - defect).sqrt()
    lengths, gram = _sorted_gram(a * vectors)
    bounds = [(_ZERO, (_tail(gram, 0) * up).upper())] * size
    for cut in _cuts(lengths):
        skew = norm([(gram[i][j] - (s * s if i == j else 0)) / (s * t) for i, s, j, t in _square(lengths, cut)])
        if not skew < _ONE:
            continue
        shrink, grow, tail = (_ONE - skew).sqrt(), (_ONE + skew).sqrt(), _tail(gram, cut)
        crossing = norm([x / s for s, row in zip(lengths[:cut], gram, strict=False) for x in row[cut:]]) / shrink
        found = [((s * shrink * down).lower(), (((s * grow).max(tail) + crossing) * up).upper()) for s in lengths[:cut]]
        found += [(_ZERO, (tail * up).upper())] * (size - cut)
        bounds = [_both(x, y) for x, y in zip(bounds, found, strict=True)]
    return bounds


def _sorted_gram(columns: arb_mat) -> tuple[list[arb], list[list[arb]]]:
    """Exact numbers near the lengths of the columns, decreasing, and BᵀB in that order."""
    gram = (columns.transpose() * columns).tolist()
    lengths = [gram[i][i].mid().sqrt().mid() for i in range(len(gram))]
    order = sorted(range(len(gram)), key=lambda i: lengths[i], reverse=True)
    return [lengths[i] for i in order], [[gram[i][j] for j in order] for i in order]


def _cuts(lengths: list[arb]) -> list[int]:
    """Where the lengths fall most; behind the last that is positive in any case."""
    last = sum(1 for s in lengths if s > _ZERO)
    falls = sorted((lengths[g] / lengths[g - 1], g) for g in range(1, last))
    return [g for ratio, g in falls[:_MOST_CUTS] if ratio < _GAP] + ([last] if last else [])


def _square(lengths: list[arb], cut: int) -> Iterator[tuple[int, arb, int, arb]]:
    return ((i, lengths[i], j, lengths[j]) for i in range(cut) for j in range(cut))


def _tail(gram: list[list[arb]], cut: int) -> arb:
    """The Frobenius norm of the columns from `cut` on."""
    return sum((gram[j][j] for j in range(cut, len(gram))), _ZERO).upper().sqrt()


def _eigenvalue_enclosures(a: arb_mat, vectors: arb_mat) -> list[arb]:
    """Of C = VᵀMV for the midpoints M: Weyl between C and the midpoints of its diagonal, Ostrowski between C and M, Weyl
    between M and A."""
    defect = _defect(vectors)
    if not 2 * defect < _ONE:
        return [arb(0, norm(a.entries()).upper())] * a.nrows()
    form = vectors.transpose() * (a.mid() * vectors)
    centers = [form[i, i].mid() for i in range(a.nrows())]
    moved = norm([x - (centers[i] if i == j else 0) for i, row in enumerate(form.tolist()) for j, x in enumerate(row)])
    scale, radius = _ONE + arb(0, defect.upper()), norm([x.rad() for x in a.entries()])
    return [(x + arb(0, moved.upper())) / scale + arb(0, radius.upper()) for x in sorted(centers)]


def _with_exact_zeros(found: list[arb], a: arb_mat) -> list[arb]:
    """As many eigenvalues are 0 as the rank says: if no more enclosures than that are open, it is those."""
    missing = sum(1 for x in found if x.contains(_ZERO))
    if missing and missing == len(found) - rank(a)[0]:
        return [_ZERO if x.contains(_ZERO) else x for x in found]
    return found


def _defect(vectors: arb_mat) -> arb:
    return norm((vectors.transpose() * vectors - arb_mat(vectors.ncols(), vectors.ncols(), 1)).entries())


def _both(x: Bounds, y: Bounds) -> Bounds:
    return max(x[0], y[0]), min(x[1], y[1])


def _between(lower: arb, upper: arb) -> arb:
    if lower == upper:
        return +lower
    hull = lower.union(upper)
    return hull if lower > _ZERO and hull > _ZERO else zero_to(upper)


def _dot(x: Sequence[arb], y: Sequence[arb]) -> arb:
    return sum(map(mul, x, y), _ZERO)


def _whole_numbers(row: list[arb]) -> list[int]:
    """The row times a power of two, which changes no rank."""
    parts = [tuple(map(int, x.man_exp())) for x in row]
    lowest = min(exponent for _, exponent in parts)
    return [mantissa << (exponent - lowest) for mantissa, exponent in parts]
