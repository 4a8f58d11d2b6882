"""Verified determinants, Cholesky factors, exponentials and ranks of matrices in floating point."""

import math

import torch
from torch import Tensor

from boundcheck.rigor.arithmetic import add, div, mul, sub
from boundcheck.rigor.enclosure import UNDERFLOW, Enclosure, frobenius_upper, widen
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


@rule(aten.linalg_matrix_exp.default)
def matrix_exponential(x: Enclosure) -> Enclosure:
    """exp(A), by scaling and squaring: the series of A/2ˢ with the remainder of the terms left out, squared s times.

    A radius of A goes through the same steps; or it adds ‖E‖·exp(μ(A) + ‖E‖) to what there is without it, since
    ‖exp(tA)‖ <= exp(t·μ) with μ the largest eigenvalue of (A + Aᵀ)/2. The smaller of both counts.
    """
    matrix, finite, good = sane(x)
    norm = largest_row(Enclosure.exactly(matrix))
    power = _scaled_and_squared(Enclosure.exactly(matrix), norm)
    rad = power.rad
    if bool((x.rad > 0).any()):
        spread = torch.where(good[..., None, None], x.rad, 0.0)
        carried = _scaled_and_squared(Enclosure(matrix, spread), norm)
        rad = torch.minimum(widen(rad + _of_perturbation(matrix, frobenius_upper(spread))), carried.rad)
    sure = good[..., None, None] & (norm < 2.0**60)
    return Enclosure(torch.where(finite[..., None, None], power.mid, torch.nan), torch.where(sure, rad, torch.inf))


def _scaled_and_squared(a: Enclosure, norm: Tensor) -> Enclosure:
    exponent = torch.frexp(norm.clamp(max=2.0**62)).exponent  # norm < 2^exponent
    halvings = torch.where(norm > 0, exponent.clamp(min=-1) + 1, 0)
    scaled = a.mid * power_of_two(-halvings)
    lost = torch.where(scaled * power_of_two(halvings) == a.mid, 0.0, UNDERFLOW)
    spread = torch.where(a.rad > 0, widen(a.rad * power_of_two(-halvings) + UNDERFLOW), 0.0)
    power = _series(Enclosure(scaled, lost + spread))
    for step in range(int(halvings.max()) if halvings.numel() else 0):
        squared, still = matmul(power, power), halvings > step
        power = Enclosure(torch.where(still, squared.mid, power.mid), torch.where(still, squared.rad, power.rad))
    return power


def _series(a: Enclosure) -> Enclosure:
    identity = Enclosure.exactly(identity_like(a.mid))
    total = identity
    for k in range(TERMS, 0, -1):
        total = add(identity, div(matmul(a, total), float(k)))
    size = largest_row(a)  # about 1/2 at most; a radius may add to it
    rest = size ** (TERMS + 1) / math.factorial(TERMS + 1) * 1.1 + torch.where(size > 0, 2.0**-1000, 0.0)
    return Enclosure(total.mid, widen(total.rad + torch.where(size < 1, rest, torch.inf)))


def _of_perturbation(matrix: Tensor, spread: Tensor) -> Tensor:
    """How far exp(A + E) may be from exp(A), ‖E‖ <= spread: at most the integral of ‖exp(tA)‖·‖E‖·‖exp((1 - t)(A + E))‖."""
    symmetric = mul(add(Enclosure.exactly(matrix), Enclosure.exactly(matrix.mT)), 0.5)
    largest = eigh(symmetric, compute_v=False)[0].upper[..., -1:, None] if matrix.shape[-1] else spread
    return torch.where(
        spread > 0, widen(spread * (torch.exp(largest + spread) * (1 + 2.0**-40) + SMALLEST_NORMAL)), 0.0
    )


# ---------------------------------------------------------------------------------------------------------------- ranks


@rule(RANK)
def rank(x: Enclosure) -> Enclosure:
    """How many singular values are certainly not 0, and how many rows and columns are exactly nothing new.

    In between, the radius reaches from one to the other: floats cannot certify that a singular value is 0.
    """
    matrix, _, good = sane(x)
    values = singular_values(_equilibrated(known_part(matrix, x.rad, good)))
    least = (values.lower > 0).sum(-1).double()
    most = torch.minimum(_distinct(Enclosure(matrix, x.rad)), _distinct(Enclosure(matrix.mT, x.rad.mT)))
    guess = torch.minimum(torch.maximum(numerical_rank(matrix), least), most)
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
    row, other = x.mid.unsqueeze(-2), x.mid.unsqueeze(-3)
    same = (row == other).all(-1) | (row == -other).all(-1)
    earlier = torch.ones(same.shape[-2:], dtype=torch.bool, device=same.device).tril(-1)
    repeated = (same & earlier & exact.unsqueeze(-2)).any(-1) | (x.mid == 0).all(-1)
    return (~(exact & repeated)).sum(-1).double()
