"""Verified determinants, Cholesky factors, exponentials and ranks of matrices in floating point."""

import math

import torch
from torch import Tensor

from boundcheck.rigor.arithmetic import add, mul, sub
from boundcheck.rigor.enclosure import UNDERFLOW, UNIT_ROUNDOFF, Enclosure, frobenius_upper, gamma, widen
from boundcheck.rigor.functions import SMALLEST_NORMAL
from boundcheck.rigor.linear_algebra import (
    column_major,
    eigh,
    identity_like,
    known_part,
    largest_row,
    near_identity,
    sane,
    singular_values,
    transposed,
)
from boundcheck.rigor.operators import RANK, numerical_rank
from boundcheck.rigor.reductions import matmul
from boundcheck.rigor.registry import aten, rule

# --------------------------------------------------------------------------------------------------------- determinants


@rule(aten._linalg_det.default)
def determinant(x: Enclosure) -> list[Enclosure]:
    """det A = det(P·L·U)·det(I + K), where ‖K‖ <= ε keeps the last factor within (1 ± ε)ⁿ of 1.

    Where A may be singular, |det A| is still at most the product of the largest singular values there may be.
    """
    matrix, _, good = sane(x)
    size = matrix.shape[-1]
    given = known_part(matrix, x.rad, good)
    lu, pivots, _ = torch.linalg.lu_factor_ex(matrix)
    p, lower, upper = torch.lu_unpack(lu, pivots)
    sign = torch.linalg.det(p).round() if size else matrix.new_ones(matrix.shape[:-2])
    product = Enclosure.exactly(sign)
    for k in range(size):
        product = mul(product, Enclosure.exactly(upper[..., k, k]))
    epsilon = _off(given, p @ lower, upper)
    near = widen(product.magnitude * torch.expm1(size * epsilon * (1 + 2.0**-40)) + product.rad)
    rad = torch.where(epsilon < 0.25, near, torch.inf)
    if bool((rad.isinf() & good).any()):
        most = singular_values(given).upper
        far = product.mid.abs()
        bound = torch.ones_like(far)
        for k in range(size):
            bound = widen(bound * most[..., k])
        rad = torch.minimum(rad, widen(far + bound + UNDERFLOW))
    rad = torch.where(good & product.mid.isfinite(), rad, torch.inf)
    unknown = Enclosure(lu, torch.full_like(lu, torch.inf))  # torch's are those of Aᵀ where A is contiguous
    return [Enclosure(product.mid, rad), unknown, Enclosure.exactly(pivots)]


def _off(matrix: Enclosure, lower: Tensor, upper: Tensor) -> Tensor:
    """An upper bound on ‖(LU)⁻¹(A - LU)‖∞: with an approximate inverse C it is ‖C(A - LU)‖ / (1 - ‖I - C·LU‖)."""
    inverse = Enclosure.exactly(torch.linalg.inv_ex(matrix.mid)[0])
    product = matmul(Enclosure.exactly(lower), Enclosure.exactly(upper))
    contraction = largest_row(sub(Enclosure.exactly(identity_like(upper)), matmul(inverse, product)))
    error = largest_row(matmul(inverse, sub(matrix, product)))
    return torch.where(contraction < 0.5, widen(error / (1 - contraction)), torch.inf)[..., 0, 0]


# ------------------------------------------------------------------------------------------------------ Cholesky factors


@rule(aten.linalg_cholesky_ex.default)
def cholesky(x: Enclosure, *, upper: bool = False, check_errors: bool = False) -> list[Enclosure]:
    """L of A = L·Lᵀ: with X about L⁻¹ and X·A·Xᵀ = I + F, L is X⁻¹·(I + T), ‖T‖ as in `near_identity`."""
    matrix, _, good = sane(x)
    if upper:
        matrix = matrix.mT
    rad = torch.nan_to_num(x.rad.mT if upper else x.rad)
    symmetric, rad_in = (torch.tril(part) + torch.tril(part, -1).mT for part in (matrix, rad))
    factor, info = torch.linalg.cholesky_ex(symmetric)
    factor = torch.where(factor.isfinite().all(-1, True).all(-2, True), factor, 0.0)
    identity = Enclosure.exactly(identity_like(factor))
    inverse = Enclosure.exactly(torch.linalg.solve_triangular(factor, identity.mid, upper=False))
    turned = Enclosure(inverse.mid.mT, inverse.rad.mT)
    inner = matmul(matmul(inverse, known_part(symmetric, rad_in, good)), turned)
    t = near_identity(frobenius_upper(sub(inner, identity).magnitude))
    g = frobenius_upper(sub(matmul(inverse, Enclosure.exactly(factor)), identity).magnitude)
    spread = torch.where((t < 0.5) & (g < 0.5), (t + g) / (1 - g), torch.inf)
    lengths = frobenius_upper(factor.abs().unsqueeze(-2))[..., 0]
    sure = good[..., None, None] & spread.isfinite() & (info == 0)[..., None, None]
    result_rad = torch.where(sure, torch.tril(widen(spread * lengths + torch.zeros_like(factor))), torch.inf)
    parts = [part.mT if upper else part for part in (factor, result_rad)]
    return [Enclosure(*map(column_major, parts)), Enclosure.exactly(info)]


def power_of_two(exponent: Tensor) -> Tensor:
    """2^exponent, exactly, of whole numbers from -1022 to 1023."""
    return ((exponent.to(torch.int64) + 1023) << 52).view(torch.float64)


# ---------------------------------------------------------------------------------------------------------- exponentials

TERMS = 16
"""Terms of the exponential series beside the first: ½¹⁷/17! is below 2⁻⁶⁵."""


BLUR = 2.0**-40
"""Where a bound in norm is wider than this, relative to the exponential, entries are bounded one by one."""


@rule(aten.linalg_matrix_exp.default)
def matrix_exponential(x: Enclosure) -> Enclosure:
    """exp(A), by scaling and squaring: the series of A/2ˢ, of norm at most ½, squared s times; its error is bounded in norm.

    A radius of A is carried through the same steps; or it adds ‖E‖·exp(μ(A) + ‖E‖) to what there is without it, since
    ‖exp(tA)‖ <= exp(t·μ) with μ the largest eigenvalue of (A + Aᵀ)/2. The smaller of both counts.
    """
    matrix, finite, good = sane(x)
    norm = largest_row(Enclosure.exactly(matrix))
    exponent = torch.frexp(norm.clamp(max=2.0**62)).exponent  # norm < 2^exponent
    halvings = torch.where(norm > 0, exponent.clamp(min=-1) + 1, 0)
    scale = power_of_two(-halvings)
    scaled = matrix * scale
    value = _series(scaled)
    half, rounding = _series_rounding(matrix.shape[-1]), norm * scale
    # Off the diagonal the series is at most about the scaled norm in size, and so is its rounding; on it there is 1.
    rad = widen(rounding * half + 2 * UNIT_ROUNDOFF * identity_like(matrix))
    n = matrix.shape[-1]
    rad = torch.where(norm > 0, rad + 8 * n * UNDERFLOW, 0.0)
    error = widen(n**0.5 * (rounding * half + 2 * UNIT_ROUNDOFF) + 8 * n * n * UNDERFLOW)  # now as a Frobenius norm
    spread = torch.zeros_like(norm) if x.exact else frobenius_upper(torch.where(good[..., None, None], x.rad, 0.0))
    small = widen(spread * scale) + torch.where(spread > 0, UNDERFLOW, 0.0)
    first = torch.where(
        small < 1, widen(small * (torch.exp(small + frobenius_upper(scaled)) * (1 + 2.0**-40))), torch.inf
    )
    power, (error, carried) = _squared(value, halvings[..., 0, 0], [error, widen(error + first)])
    alone = torch.where(halvings > 0, error, rad)
    total = torch.where(halvings > 0, carried, widen(rad + first))
    if not x.exact:
        total = torch.minimum(widen(alone + _of_perturbation(matrix, spread)), total)
    total = total.expand_as(matrix).clone()
    wide = frobenius_upper(total) > BLUR * frobenius_upper(power)
    blurred = (wide & (halvings > 0) & good[..., None, None])[..., 0, 0]
    if bool(blurred.any()):  # of those alone, entry by entry
        times, start = halvings[..., 0, 0][blurred], value[blurred]
        entries = _squared_entrywise(Enclosure(start, rad[blurred]), times)
        sharp = entries.rad
        if not x.exact:
            through = _squared_entrywise(Enclosure(start, widen(rad + first)[blurred]), times)
            sharp = torch.minimum(widen(sharp + _of_perturbation(matrix[blurred], spread[blurred])), through.rad)
        off = (power[blurred] - entries.mid).abs()  # products of matrices need not round alike in another batch
        total[blurred] = torch.minimum(total[blurred], widen(sharp + off))
    sure = good[..., None, None] & (norm < 2.0**60)
    return Enclosure(torch.where(finite[..., None, None], power, torch.nan), torch.where(sure, total, torch.inf))


def _series(a: Tensor) -> Tensor:
    """1 + A·(1 + A/2·(1 + …)), in floating point."""
    identity = identity_like(a)
    total = identity
    for k in range(TERMS, 0, -1):
        total = identity + a @ total / k
    return total


def _series_rounding(size: int) -> float:
    """How far `_series` may be from exp(A), as a multiple of ‖A‖ <= ½, but for the last addition of 1 (norms by rows).

    Each partial sum T is at most exp(½) < 1.7 in norm. A step multiplies its error by ‖A‖/k, adds γ·‖A‖·‖T‖/k for the product,
    as much as two roundings of that for the quotient and the sum, and one of 1. What the series leaves out is below
    1.1·‖A‖·½ⁿ/(n + 1)! with n terms; scaling A loses no more than underflow.
    """
    error = 0.0
    step = 0.0
    for k in range(TERMS, 0, -1):
        step = (error + 1.7 * gamma(size + 4)) / k
        error = 0.5 * step + 2 * UNIT_ROUNDOFF
    return 1.01 * (step + 1.1 * 0.5**TERMS / math.factorial(TERMS + 1))


def _squared_entrywise(power: Enclosure, times: Tensor) -> Enclosure:
    """The same with a radius for each entry, which keeps the zeros of a triangular matrix, for twice as many products."""
    mid, rad = power.mid.clone(), power.rad.clone()
    for step in range(int(times.max()) if times.numel() else 0):
        still = torch.nonzero(times > step)[:, 0]
        part = Enclosure(mid[still], rad[still])
        squared = matmul(part, part)
        mid[still], rad[still] = squared.mid, squared.rad
    return Enclosure(mid, rad)


def _squared(power: Tensor, times: Tensor, errors: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
    """Matrices squared so many times each, with upper bounds `[..., 1, 1]` on how far they are off, in the Frobenius norm.

    (P + D)² - P² is at most (2·‖P‖₂ + ‖D‖)·‖D‖, and the product's rounding γ·‖P‖².
    """
    batch, size = times.shape, power.shape[-1]
    exact, power, times = Enclosure.exactly, power.reshape(times.numel(), size, size).clone(), times.reshape(-1)
    flat = [error.reshape(-1, 1, 1).clone() for error in errors]
    for step in range(int(times.max()) if times.numel() else 0):
        still = torch.nonzero(times > step)[:, 0]
        part = power[still]
        length = frobenius_upper(part)
        spectral = torch.minimum(length, widen((largest_row(exact(part)) * largest_row(exact(part.mT))).sqrt()))
        own = gamma(size) * length * length + size * size * UNDERFLOW
        for error in flat:
            before = error[still]
            error[still] = widen(before * (2 * spectral + before) + own)
        power[still] = part @ part
    return power.reshape(*batch, size, size), [error.reshape(*batch, 1, 1) for error in flat]


def _of_perturbation(matrix: Tensor, spread: Tensor) -> Tensor:
    """How far exp(A + E) may be from exp(A), ‖E‖ <= spread: at most the integral of ‖exp(tA)‖·‖E‖·‖exp((1 - t)(A + E))‖."""
    result, some = torch.zeros_like(spread), (spread > 0)[..., 0, 0]
    part, away = matrix[some], spread[some]
    if part.numel():
        symmetric = mul(add(Enclosure.exactly(part), Enclosure.exactly(part.mT)), 0.5)
        largest = eigh(symmetric, compute_v=False)[0].upper[..., -1:, None]
        result[some] = widen(away * (torch.exp(largest + away) * (1 + 2.0**-40) + SMALLEST_NORMAL))
    return result


# ---------------------------------------------------------------------------------------------------------------- ranks


@rule(RANK)
def rank(x: Enclosure) -> Enclosure:
    """How many singular values are certainly not 0, and how many rows and columns are exactly nothing new.

    In between, the radius reaches from one to the other: floats cannot certify that a singular value is 0.
    """
    matrix, _, good = sane(x)
    values = singular_values(_equilibrated(known_part(matrix, x.radius, good)))
    least = (values.lower > 0).sum(-1).double()
    most = torch.minimum(_distinct(Enclosure(matrix, x.radius)), _distinct(transposed(Enclosure(matrix, x.radius))))
    settled = bool((least == most).all())  # else what a float computation says, between both
    guess = least if settled else torch.minimum(torch.maximum(numerical_rank(matrix), least), most)
    rad = torch.where(good, torch.maximum(most - guess, guess - least), torch.inf)
    return Enclosure(guess, rad)


def _equilibrated(x: Enclosure) -> Enclosure:
    """Rows, then columns, multiplied by powers of two so that none is much larger than another: that keeps the rank."""
    for axis in (-1, -2):
        if x.mid.shape[axis]:
            exponent = torch.frexp(x.mid.abs().amax(axis, True)).exponent.clamp(-1000, 1000)
            scale, back = power_of_two(-exponent), power_of_two(exponent)
            mid = x.mid * scale
            lost = torch.where(mid * back == x.mid, 0.0, UNDERFLOW)
            x = Enclosure(mid, torch.where(x.rad > 0, widen(x.rad * scale + UNDERFLOW), 0.0) + lost)
    return x


def _distinct(x: Enclosure) -> Tensor:
    """The number of rows, without those that are exactly 0 or ± an earlier one."""
    exact = (x.rad == 0).all(-1)
    if not bool(exact.any()):
        return exact.sum(-1).double() + x.mid.shape[-2]
    row, other = x.mid.unsqueeze(-2), x.mid.unsqueeze(-3)
    same = (row == other).all(-1) | (row == -other).all(-1)
    earlier = torch.ones(same.shape[-2:], dtype=torch.bool, device=same.device).tril(-1)
    repeated = (same & earlier & exact.unsqueeze(-2)).any(-1) | (x.mid == 0).all(-1)
    return (~(exact & repeated)).sum(-1).double()
