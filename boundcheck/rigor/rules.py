"""One error rule for each ATen operator: elementwise functions, sums, products of matrices, shapes.

A rule takes the arguments of its operator, tensors as `Enclosure`s, and returns enclosures. The accuracy assumed of
each elementary function of torch (in units of 2^-53, relative) is in `ULPS`; the tests hold it against mpmath.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from boundcheck.errors import UnknownOperatorError
from boundcheck.rigor.enclosure import UNDERFLOW, UNIT_ROUNDOFF, Enclosure, gamma, rounding, widen

aten = torch.ops.aten
Rule = Callable[..., Any]
_RULES: dict[Any, Rule] = {}

SMALLEST_NORMAL = 2.0**-1022

ULPS = {
    "tanh": 4.0,
    "exp": 4.0,
    "expm1": 4.0,
    "log": 4.0,
    "log1p": 4.0,
    "sin": 4.0,
    "cos": 4.0,
    "atan": 4.0,
    "erf": 8.0,
    "pow": 4.0,
    "sigmoid": 8.0,
    "sqrt": 2.0,  # MKL's vector routine does not round correctly: 1 % of its roots are off by up to 1.1 units
}


def rule(*operators: Any) -> Callable[[Rule], Rule]:
    """Register an error rule for ATen operators (overloads such as `torch.ops.aten.add.Tensor`)."""

    def register(function: Rule) -> Rule:
        for operator in operators:
            _RULES[operator] = function
        return function

    return register


def lookup(operator: Any) -> Rule:
    """The rule of an operator. Raises UnknownOperatorError, naming it, where there is none."""
    try:
        return _RULES[operator]
    except KeyError:
        raise UnknownOperatorError(str(operator)) from None


def vocabulary() -> list[str]:
    """The operators that have a rule."""
    return sorted(str(operator) for operator in _RULES)


def enclosed(value: Any, like: Enclosure) -> Enclosure:
    """A Python number or a tensor as an exact enclosure."""
    if isinstance(value, Enclosure):
        return value
    if isinstance(value, Tensor):
        return Enclosure.exactly(value)
    return Enclosure.exactly(torch.tensor(float(value), dtype=torch.float64, device=like.mid.device))


def _pair(x: Any, y: Any) -> tuple[Enclosure, Enclosure]:
    like = x if isinstance(x, Enclosure) else y
    return enclosed(x, like), enclosed(y, like)


def _in_double(value: Tensor) -> Tensor:
    """A tensor whose rounding the rules know: float64 for any floating type (the numbers stay as they are)."""
    return value.to(torch.float64) if value.dtype.is_floating_point else value


def _infinite(x: Enclosure) -> Tensor:
    """Where x is exactly an infinity (a ball of infinite radius, say), and not a number that overflowed."""
    return x.mid.isinf() & (x.rad == 0)


def _nonzero(x: Enclosure) -> Tensor:
    """Where x is certainly not 0."""
    return x.mid.abs() > x.rad


# ---------------------------------------------------------------------------------------------------- arithmetic


@rule(aten.add.Tensor, aten.add.Scalar)
def add(x: Any, y: Any, *, alpha: float = 1) -> Enclosure:
    """x + alpha·y."""
    x, y = _pair(x, y)
    if alpha != 1:
        y = mul(y, alpha)
    mid = x.mid + y.mid
    rad = widen(x.rad + y.rad + mid.abs() * UNIT_ROUNDOFF)
    if bool(mid.isinf().any()):  # an exact infinity stays one beside a number; an overflow is unknown
        known = (_infinite(x) | x.rad.isfinite() & x.mid.isfinite()) & (
            _infinite(y) | y.rad.isfinite() & y.mid.isfinite()
        )
        rad = torch.where(mid.isinf() & known & (_infinite(x) | _infinite(y)), 0.0, rad)
    return Enclosure(mid, rad)


@rule(aten.sub.Tensor, aten.sub.Scalar)
def sub(x: Any, y: Any, *, alpha: float = 1) -> Enclosure:
    """x - alpha·y."""
    x, y = _pair(x, y)
    return add(x, Enclosure(-y.mid, y.rad), alpha=alpha)


@rule(aten.rsub.Tensor, aten.rsub.Scalar)
def rsub(x: Any, y: Any, alpha: float = 1) -> Enclosure:
    """y - alpha·x."""
    return sub(y, x, alpha=alpha)


# A radius is never shared by two results: a trace may overwrite one of them in place.


@rule(aten.neg.default)
def neg(x: Enclosure) -> Enclosure:
    """-x, exactly."""
    return Enclosure(-x.mid, x.rad.clone())


@rule(aten.abs.default)
def absolute(x: Enclosure) -> Enclosure:
    """|x|, exactly."""
    return Enclosure(x.mid.abs(), x.rad.clone())


@rule(aten.mul.Tensor, aten.mul.Scalar)
def mul(x: Any, y: Any) -> Enclosure:
    """x·y (of two truth values: both)."""
    x, y = _pair(x, y)
    if x.mid.dtype == torch.bool and y.mid.dtype == torch.bool:
        return logical_and(x, y)
    x, y = _counted(x), _counted(y)
    mid = x.mid * y.mid
    # Four products may underflow, by 2^-1075 each: the value, two of the radius, and its rounding.
    rad = widen(x.mid.abs() * y.rad + x.rad * (y.mid.abs() + y.rad) + rounding(mid) + UNDERFLOW)
    if bool(mid.isinf().any()):
        certain = _infinite(x) & (_infinite(y) | _nonzero(y)) | _infinite(y) & _nonzero(x)
        rad = torch.where(mid.isinf() & certain, 0.0, rad)
    return Enclosure(mid, rad)


def _counted(x: Enclosure) -> Enclosure:
    """Truth values as the numbers 0 and 1."""
    return Enclosure(x.mid.to(torch.int64), x.rad) if x.mid.dtype == torch.bool else x


@rule(aten.div.Tensor, aten.div.Scalar)
def div(x: Any, y: Any) -> Enclosure:
    """x / y; nothing is known where y may be 0."""
    x, y = _pair(x, y)
    mid = x.mid.to(torch.float64) / y.mid
    least = y.mid.abs() - y.rad
    # |x/y| <= |mid| + underflow; the ratios are taken first, since the product |mid|·rad may vanish where they do not.
    rad = x.rad / least + (mid.abs() + UNDERFLOW) * (y.rad / least)
    rad = widen(torch.where(least > 0, rad + rounding(mid) + 2 * UNDERFLOW, torch.inf))
    if bool(mid.isinf().any()):
        rad = torch.where(mid.isinf() & _infinite(x) & y.mid.isfinite() & (least > 0), 0.0, rad)
    return Enclosure(mid, rad)


@rule(aten.reciprocal.default)
def reciprocal(x: Enclosure) -> Enclosure:
    """1 / x."""
    return div(1.0, x)


@rule(aten.addcmul.default)
def addcmul(x: Enclosure, y: Enclosure, z: Enclosure, *, value: float = 1) -> Enclosure:
    """x + value·y·z."""
    return add(x, mul(y, z), alpha=value)


@rule(aten.pow.Tensor_Scalar)
def power(x: Enclosure, exponent: float) -> Enclosure:
    """x to a fixed power: whole powers by products, others at both ends of a positive x."""
    if exponent == 0.5:
        return sqrt(x)
    result = _whole_power(x, int(exponent)) if float(exponent).is_integer() else _real_power(x, exponent)
    if exponent > 0 and bool(result.mid.isinf().any()):
        return Enclosure(result.mid, torch.where(_infinite(x), 0.0, result.rad))
    return result


def _whole_power(x: Enclosure, exponent: int) -> Enclosure:
    whole = abs(exponent)
    result = Enclosure.exactly(torch.ones_like(x.mid)) if whole == 0 else x
    for digit in bin(whole)[3:]:
        result = square(result)
        if digit == "1":
            result = mul(result, x)
    mid = x.mid.pow(whole)
    result = Enclosure(mid, widen(result.rad + (mid - result.mid).abs()))
    return reciprocal(result) if exponent < 0 else result


def _real_power(x: Enclosure, exponent: float) -> Enclosure:
    # The ends mid ± rad are rounded, by one ulp of each: |exponent| ulps of the power.
    return _monotone(lambda t: torch.where(t > 0, t, torch.nan).pow(exponent), x, ULPS["pow"] + abs(exponent))


def square(x: Enclosure) -> Enclosure:
    """x², never below 0."""
    mid = x.mid * x.mid
    return Enclosure(mid, widen(2 * x.mid.abs() * x.rad + x.rad * x.rad + rounding(mid) + UNDERFLOW))


@rule(aten.sqrt.default)
def sqrt(x: Enclosure) -> Enclosure:
    """The square root, of the part of x that is not negative."""
    mid = x.mid.clamp(min=0).sqrt()
    low = (x.mid - x.rad).clamp(min=0).sqrt()
    away = x.rad / (mid + low)
    near_zero = (x.mid.clamp(min=0) + x.rad).sqrt()
    rad = torch.where(x.rad == 0, 0.0, torch.minimum(torch.nan_to_num(away, nan=torch.inf), near_zero))
    mid = torch.where(x.mid + x.rad < 0, torch.nan, mid)
    return Enclosure(mid, widen(rad + rounding(mid, ULPS["sqrt"])))


@rule(aten.rsqrt.default)
def rsqrt(x: Enclosure) -> Enclosure:
    """1 / sqrt(x)."""
    return reciprocal(sqrt(x))


# ---------------------------------------------------------------------------------------------------- functions


def _lipschitz(function: Callable[[Tensor], Tensor], x: Enclosure, constant: float, ulps: float) -> Enclosure:
    mid = function(x.mid)
    return Enclosure(mid, widen(constant * x.rad + rounding(mid, ulps)))


def _monotone(function: Callable[[Tensor], Tensor], x: Enclosure, ulps: float) -> Enclosure:
    mid, low, high = function(x.mid), function(x.mid - x.rad), function(x.mid + x.rad)
    spread = torch.maximum((mid - low).abs(), (high - mid).abs()) * (1 + 2.0**-20)
    size = torch.maximum(torch.maximum(low.abs(), high.abs()), mid.abs())
    rad = torch.where(x.rad == 0, 0.0, spread) + rounding(size, 2 * ulps)
    return Enclosure(mid, widen(rad))


@rule(aten.tanh.default)
def tanh(x: Enclosure) -> Enclosure:
    """tanh, of slope at most 1."""
    return _lipschitz(torch.tanh, x, 1.0, ULPS["tanh"])


@rule(aten.sigmoid.default)
def sigmoid(x: Enclosure) -> Enclosure:
    """The logistic function, of slope at most 1/4. (torch's is 0 already where its exact value becomes subnormal.)"""
    value = _lipschitz(torch.sigmoid, x, 0.25, ULPS["sigmoid"])
    return Enclosure(value.mid, value.rad + 2 * SMALLEST_NORMAL)


def _stable_softplus(t: Tensor) -> Tensor:
    return t.clamp(min=0) + torch.log1p(torch.exp(-t.abs()))


@rule(aten.softplus.default)
def softplus(x: Enclosure, beta: float = 1, threshold: float = 20) -> Enclosure:
    """log(1 + exp(beta·x)) / beta, by our own formula: torch's is the identity above its threshold."""
    inner = mul(x, beta)
    return div(_lipschitz(_stable_softplus, inner, 1.0, 16.0), beta)


@rule(aten.erf.default)
def erf(x: Enclosure) -> Enclosure:
    """The error function, of slope at most 2/sqrt(pi) < 1.13."""
    return _lipschitz(torch.erf, x, 1.13, ULPS["erf"])


@rule(aten.sin.default)
def sin(x: Enclosure) -> Enclosure:
    """sin, of slope at most 1."""
    return _lipschitz(torch.sin, x, 1.0, ULPS["sin"])


@rule(aten.cos.default)
def cos(x: Enclosure) -> Enclosure:
    """cos, of slope at most 1."""
    return _lipschitz(torch.cos, x, 1.0, ULPS["cos"])


@rule(aten.atan.default)
def atan(x: Enclosure) -> Enclosure:
    """arctan, of slope at most 1."""
    return _lipschitz(torch.atan, x, 1.0, ULPS["atan"])


@rule(aten.exp.default)
def exp(x: Enclosure) -> Enclosure:
    """exp: |e^(m+r) - e^m| <= e^m·expm1(r), where a computed e^m below 2^-1022 has lost its relative accuracy."""
    mid = x.mid.exp()
    spread = (mid + SMALLEST_NORMAL) * torch.expm1(x.rad) * (1 + 2.0**-40)
    return Enclosure(mid, widen(spread + rounding(mid, ULPS["exp"])))


@rule(aten.expm1.default)
def expm1(x: Enclosure) -> Enclosure:
    """exp(x) - 1."""
    mid = torch.expm1(x.mid)
    spread = (x.mid.exp() + SMALLEST_NORMAL) * torch.expm1(x.rad) * (1 + 2.0**-40)
    return Enclosure(mid, widen(spread + rounding(mid, ULPS["expm1"])))


@rule(aten.log.default)
def log(x: Enclosure) -> Enclosure:
    """The natural logarithm; nothing is known where x may be <= 0."""
    mid = x.mid.log()
    spread = -torch.log1p(-(x.rad / x.mid) * (1 + 2.0**-50))
    return Enclosure(
        mid, widen(torch.where(x.mid > x.rad, spread * (1 + 2.0**-40), torch.inf) + rounding(mid, ULPS["log"]))
    )


@rule(aten.log1p.default)
def log1p(x: Enclosure) -> Enclosure:
    """log(1 + x)."""
    shifted = 1 + x.mid
    mid = torch.log1p(x.mid)
    spread = -torch.log1p(-(x.rad / shifted) * (1 + 2.0**-50))
    rad = torch.where(shifted > x.rad, spread * (1 + 2.0**-40), torch.inf)
    return Enclosure(mid, widen(rad + rounding(mid, ULPS["log1p"])))


@rule(aten.tanh_backward.default)
def tanh_backward(gradient: Enclosure, output: Enclosure) -> Enclosure:
    """gradient·(1 - output²)."""
    return mul(gradient, rsub(square(output), 1.0))


@rule(aten.sigmoid_backward.default)
def sigmoid_backward(gradient: Enclosure, output: Enclosure) -> Enclosure:
    """gradient·output·(1 - output)."""
    return mul(gradient, mul(output, rsub(output, 1.0)))


@rule(aten.relu.default)
def relu(x: Enclosure) -> Enclosure:
    """max(x, 0), of slope at most 1; exactly 0 where x is certainly not above it (its derivative is decided by that)."""
    return Enclosure(x.mid.clamp(min=0), torch.where(x.mid + x.rad <= 0, 0.0, x.rad))


@rule(aten.threshold_backward.default)
def threshold_backward(gradient: Enclosure, x: Enclosure, threshold: float) -> Enclosure:
    """The gradient where x is above the threshold, 0 elsewhere."""
    zero = Enclosure.exactly(torch.zeros_like(gradient.mid))
    return where(compare(torch.gt, x, threshold), gradient, zero)


@rule(aten.maximum.default, aten.max.other)
def maximum(x: Any, y: Any) -> Enclosure:
    """The larger of two."""
    x, y = _pair(x, y)
    return Enclosure(torch.maximum(x.mid, y.mid), torch.maximum(x.rad, y.rad))


@rule(aten.minimum.default, aten.min.other)
def minimum(x: Any, y: Any) -> Enclosure:
    """The smaller of two."""
    x, y = _pair(x, y)
    return Enclosure(torch.minimum(x.mid, y.mid), torch.maximum(x.rad, y.rad))


@rule(aten.clamp.default, aten.clamp_min.default)
def clamp(x: Enclosure, low: float | None = None, high: float | None = None) -> Enclosure:
    """x brought into [low, high]; of slope at most 1, exactly."""
    return Enclosure(torch.clamp(x.mid, low, high), x.rad.clone())


# ---------------------------------------------------------------------------------------------------- decisions


def compare(function: Callable[[Tensor, Tensor], Tensor], x: Any, y: Any) -> Enclosure:
    """A comparison; its radius is infinite where the enclosures do not decide it."""
    x, y = _pair(x, y)
    if x is y:  # x == x: how torch spells "not NaN"
        return _about_the_float(function(x.mid, y.mid), x)
    apart = (x.mid - y.mid).abs() > widen(x.rad + y.rad)
    exact = (x.rad == 0) & (y.rad == 0)
    beside_infinity = x.mid.isfinite() & _infinite(y)  # |x| != inf: the other half of torch's isfinite
    undecided = ~(apart | exact | beside_infinity)
    return Enclosure(function(x.mid, y.mid), torch.where(undecided, torch.inf, 0.0).to(torch.float64))


def _about_the_float(truth: Tensor, x: Enclosure) -> Enclosure:
    """A truth about computed values that are NaN or infinite: it says nothing of an exact value that is not known."""
    return Enclosure(truth, torch.where(~x.mid.isfinite() & (x.rad > 0), torch.inf, 0.0).to(torch.float64))


for _name, _function in {
    "gt": torch.gt,
    "ge": torch.ge,
    "lt": torch.lt,
    "le": torch.le,
    "eq": torch.eq,
    "ne": torch.ne,
}.items():
    for _overload in ("Tensor", "Scalar"):
        rule(getattr(getattr(aten, _name), _overload))(lambda x, y, _f=_function: compare(_f, x, y))


def _truths(name: str, *operands: Enclosure) -> None:
    for operand in operands:
        if operand.mid.dtype != torch.bool:
            raise UnknownOperatorError(f"aten.{name} on {operand.mid.dtype}")


@rule(aten.logical_and.default, aten.bitwise_and.Tensor)
def logical_and(x: Enclosure, y: Enclosure) -> Enclosure:
    """Both; undecided where either is."""
    _truths("logical_and", x, y)
    return Enclosure(torch.logical_and(x.mid, y.mid), x.rad + y.rad)


@rule(aten.logical_or.default, aten.bitwise_or.Tensor)
def logical_or(x: Enclosure, y: Enclosure) -> Enclosure:
    """Either; undecided where one of them is."""
    _truths("logical_or", x, y)
    return Enclosure(torch.logical_or(x.mid, y.mid), x.rad + y.rad)


@rule(aten.all.dim, aten.all.default)
def every(x: Enclosure, dim: int | None = None, keepdim: bool = False) -> Enclosure:
    """All of them; undecided where one is."""
    if dim is None:
        return Enclosure(x.mid.all(), x.rad.sum())
    return Enclosure(x.mid.all(dim, keepdim), x.rad.sum(dim, keepdim))


@rule(aten.any.dim, aten.any.default)
def some(x: Enclosure, dim: int | None = None, keepdim: bool = False) -> Enclosure:
    """Any of them; undecided where one is."""
    if dim is None:
        return Enclosure(x.mid.any(), x.rad.sum())
    return Enclosure(x.mid.any(dim, keepdim), x.rad.sum(dim, keepdim))


@rule(aten.isnan.default)
def isnan(x: Enclosure) -> Enclosure:
    """Whether a value is NaN; undecided where an unknown value was computed as one."""
    return _about_the_float(x.mid.isnan(), x)


@rule(aten.isinf.default)
def isinf(x: Enclosure) -> Enclosure:
    """Whether a value is infinite; undecided where an unknown value overflowed."""
    return _about_the_float(x.mid.isinf(), x)


@rule(aten.logical_not.default, aten.bitwise_not.default)
def logical_not(x: Enclosure) -> Enclosure:
    """The opposite truth value."""
    _truths("logical_not", x)
    return Enclosure(torch.logical_not(x.mid), x.rad.clone())


@rule(aten.where.self)
def where(condition: Any, x: Any, y: Any) -> Enclosure:
    """x where the condition is true, else y; the hull of both where it is undecided."""
    x, y = _pair(x, y)
    condition = enclosed(condition, x)
    mid = torch.where(condition.mid, x.mid, y.mid)
    rad = torch.where(condition.mid, x.rad, y.rad)
    hull = torch.maximum((x.mid - mid).abs() + x.rad, (y.mid - mid).abs() + y.rad)
    return Enclosure(mid, widen(torch.where(condition.rad > 0, hull, rad)))


# ---------------------------------------------------------------------------------------------------- reductions


def _count(x: Enclosure, dim: Any) -> int:
    if dim is None or (isinstance(dim, Sequence) and len(dim) == 0):
        return x.mid.numel()
    axes = [dim] if isinstance(dim, int) else list(dim)
    return math.prod(x.mid.shape[axis] for axis in axes)


@rule(aten.sum.default, aten.sum.dim_IntList)
def total(x: Enclosure, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Enclosure:
    """The sum, over axes; its rounding is bounded for any order of summation."""
    x = _counted(x)
    n = _count(x, dim)
    over = tuple(range(x.mid.dim())) if dim is None or (isinstance(dim, Sequence) and not dim) else dim
    mid = x.mid.sum(over, keepdim=keepdim) if x.mid.dim() else x.mid.clone()
    rad = (x.rad + gamma(n) * x.mid.abs()).sum(over, keepdim=keepdim) if x.mid.dim() else x.rad
    return Enclosure(mid, widen(rad, n))


@rule(aten.mean.default, aten.mean.dim)
def mean(x: Enclosure, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Enclosure:
    """The mean, over axes."""
    return div(total(x, dim, keepdim), float(_count(x, dim)))


@rule(aten.cumsum.default)
def cumsum(x: Enclosure, dim: int, *, dtype: Any = None) -> Enclosure:
    """Running sums."""
    n = x.mid.shape[dim]
    rad = (x.rad + gamma(n) * x.mid.abs()).cumsum(dim)
    return Enclosure(x.mid.cumsum(dim), widen(rad, n))


@rule(aten.amax.default)
def amax(x: Enclosure, dim: Any = (), keepdim: bool = False) -> Enclosure:
    """The largest entry over axes."""
    return Enclosure(x.mid.amax(dim, keepdim), x.rad.amax(dim, keepdim))


@rule(aten.amin.default)
def amin(x: Enclosure, dim: Any = (), keepdim: bool = False) -> Enclosure:
    """The smallest entry over axes."""
    return Enclosure(x.mid.amin(dim, keepdim), x.rad.amax(dim, keepdim))


@rule(aten.max.default)
def max_all(x: Enclosure) -> Enclosure:
    """The largest of all entries."""
    return Enclosure(x.mid.max(), x.rad.max())


@rule(aten.min.default)
def min_all(x: Enclosure) -> Enclosure:
    """The smallest of all entries."""
    return Enclosure(x.mid.min(), x.rad.max())


@rule(aten.linalg_vector_norm.default)
def vector_norm(
    x: Enclosure, ord: float = 2, dim: Any = None, keepdim: bool = False, *, dtype: Any = None
) -> Enclosure:
    """The 1-, 2- or infinity-norm over axes: within the norm of the radii, by the triangle inequality."""
    if ord not in (1, 2, math.inf):
        raise UnknownOperatorError(f"aten.linalg_vector_norm with ord={ord}")
    n = _count(x, dim)
    mid = torch.linalg.vector_norm(x.mid, ord, dim, keepdim)
    rad = torch.linalg.vector_norm(x.rad, ord, dim, keepdim)
    own = gamma(n + 4) * mid + math.sqrt(n) * 2.0**-536  # squares below 2^-1074 vanish, of values and of radii
    zero = (x.mid == 0) & (x.rad == 0)
    axes = (dim,) if isinstance(dim, int) else tuple(dim or ())
    vacant = zero.all(axes, keepdim) if axes else zero.all()
    return Enclosure(mid, widen(rad + torch.where(vacant, 0.0, own), n))


# ---------------------------------------------------------------------------------------------------- matrices


def matmul(a: Enclosure, b: Enclosure) -> Enclosure:
    """A·B (any batch shapes): three products, one for the values and two for the radii."""
    k = a.mid.shape[-1]
    mid = a.mid @ b.mid
    size_a, size_b = a.mid.abs(), b.mid.abs()
    rad = size_a @ (b.rad + gamma(k) * size_b + UNDERFLOW)  # gamma·|b| may underflow, and |a| be huge
    if bool((a.rad > 0).any()):
        rad = rad + a.rad @ (size_b + b.rad)
    return Enclosure(mid, widen(rad + 2 * k * UNDERFLOW, 2 * k))  # three products may underflow, by 2^-1075 a term


rule(aten.bmm.default, aten.mm.default, aten.matmul.default, aten.mv.default, aten.dot.default)(matmul)


@rule(aten.addmm.default, aten.baddbmm.default)
def addmm(x: Enclosure, a: Enclosure, b: Enclosure, *, beta: float = 1, alpha: float = 1) -> Enclosure:
    """beta·x + alpha·A·B."""
    return add(mul(x, beta) if beta != 1 else x, matmul(a, b), alpha=alpha)


# ---------------------------------------------------------------------------------------------------- shapes


def _both(operator: Any) -> Rule:
    """An operator that only moves entries: applied to the values and to the radii alike."""

    def apply(*args: Any, **kwargs: Any) -> Any:
        def pick(part: str) -> Any:
            def get(value: Any) -> Any:
                if isinstance(value, Enclosure):
                    return getattr(value, part)
                if isinstance(value, list | tuple):
                    return type(value)(get(item) for item in value)
                return value

            return operator(*get(args), **{key: get(value) for key, value in kwargs.items()})

        mid, rad = pick("mid"), pick("rad")
        if isinstance(mid, Tensor):
            return Enclosure(mid, rad)
        return [Enclosure(m, r) for m, r in zip(mid, rad, strict=True)]

    return apply


MOVES = [
    "view.default",
    "reshape.default",
    "_unsafe_view.default",
    "_reshape_alias.default",
    "expand.default",
    "permute.default",
    "transpose.int",
    "t.default",
    "unsqueeze.default",
    "squeeze.dim",
    "squeeze.dims",
    "squeeze.default",
    "select.int",
    "slice.Tensor",
    "cat.default",
    "stack.default",
    "clone.default",
    "alias.default",
    "detach.default",
    "contiguous.default",
    "diagonal.default",
    "split.Tensor",
    "split_with_sizes.default",
    "unbind.int",
    "flip.default",
    "repeat.default",
    "roll.default",
    "tril.default",
    "triu.default",
    "lift_fresh_copy.default",
    "lift_fresh.default",
    "movedim.int",
    "diag_embed.default",
    "select_backward.default",
    "slice_backward.default",
    "unfold.default",
]
for _move in MOVES:
    _packet, _overload = _move.split(".")
    if hasattr(aten, _packet) and _overload in getattr(aten, _packet).overloads():
        _operator = getattr(getattr(aten, _packet), _overload)
        rule(_operator)(_both(_operator))
rule(aten.squeeze_.dim)(_both(aten.squeeze.dim))  # how torch ends vector @ matrix; what follows uses the result


@rule(aten.constant_pad_nd.default)
def pad(x: Enclosure, padding: Sequence[int], value: float = 0) -> Enclosure:
    """x with a border of one number, which is exact."""
    return Enclosure(
        aten.constant_pad_nd.default(x.mid, padding, value), aten.constant_pad_nd.default(x.rad, padding, 0)
    )


def _indices(value: Any) -> Any:
    if isinstance(value, Enclosure):
        return value.mid
    return [_indices(item) for item in value] if isinstance(value, list | tuple) else value


def _undecided(indices: Any) -> bool:
    """Whether a position depends on rounding (an undecided comparison turned into a number)."""
    if isinstance(indices, Enclosure):
        return bool((indices.rad > 0).any())
    return isinstance(indices, list | tuple) and any(map(_undecided, indices))


@rule(aten.index.Tensor)
def index(x: Enclosure, indices: Any) -> Enclosure:
    """x[indices]."""
    rad = aten.index.Tensor(x.rad, _indices(indices))
    return Enclosure(
        aten.index.Tensor(x.mid, _indices(indices)), torch.full_like(rad, torch.inf) if _undecided(indices) else rad
    )


@rule(aten.gather.default, aten.index_select.default)
def gather(x: Enclosure, dim: int, indices: Any, *, sparse_grad: bool = False) -> Enclosure:
    """Entries picked along an axis."""
    picked = _indices(indices)
    pick = torch.gather if picked.dim() == x.mid.dim() else torch.index_select
    rad = pick(x.rad, dim, picked)
    return Enclosure(pick(x.mid, dim, picked), torch.full_like(rad, torch.inf) if _undecided(indices) else rad)


def _created(operator: Any) -> Rule:
    def apply(*args: Any, **kwargs: Any) -> Enclosure:
        plain = [arg.mid if isinstance(arg, Enclosure) else arg for arg in args]
        return Enclosure.exactly(_in_double(operator(*plain, **kwargs)))

    return apply


CREATIONS = [
    "zeros.default",
    "ones.default",
    "full.default",
    "scalar_tensor.default",
    "eye.default",
    "eye.m",
    "arange.default",
    "arange.start",
    "arange.start_step",
    "zeros_like.default",
    "ones_like.default",
    "full_like.default",
    "new_zeros.default",
    "new_ones.default",
    "new_full.default",
    "empty.memory_format",
    "empty_like.default",
    "new_empty.default",
]
for _creation in CREATIONS:
    _packet, _overload = _creation.split(".")
    rule(getattr(getattr(aten, _packet), _overload))(_created(getattr(getattr(aten, _packet), _overload)))


@rule(aten.fill_.Scalar, aten.zero_.default)
def fill(x: Enclosure, value: float = 0.0) -> Enclosure:
    """Overwrite in place (seen where torch builds the rows of an identity)."""
    x.mid.fill_(value)
    x.rad.zero_()
    return x


@rule(aten.copy_.default)
def copy(x: Enclosure, y: Enclosure) -> Enclosure:
    """Overwrite in place by another tensor."""
    x.mid.copy_(y.mid)
    x.rad.copy_(y.rad)
    return x


@rule(aten._to_copy.default, aten.to.dtype)
def cast(x: Any, dtype: Any = None, **kwargs: Any) -> Enclosure:
    """A change of type; to a narrower one it rounds. (make_fx also casts bare Python numbers this way.)"""
    if not isinstance(x, Enclosure):
        x = Enclosure.exactly(_in_double(torch.as_tensor(x, dtype=torch.float64 if isinstance(x, float) else None)))
    narrow = x.mid if dtype is None else x.mid.to(dtype)
    mid = _in_double(narrow).clone()
    if x.mid.dtype.is_floating_point and not mid.dtype.is_floating_point:  # a truncation: exact or unknown
        return Enclosure(mid, torch.where(x.rad > 0, torch.inf, 0.0).to(torch.float64))
    if narrow.dtype != x.mid.dtype and mid.dtype.is_floating_point:
        return Enclosure(mid, widen(x.rad + (mid - x.mid.to(torch.float64)).abs()))
    return Enclosure(mid, x.rad.clone())
