"""Operators that work entry by entry."""

from fractions import Fraction
from typing import Any

from boundcheck.errors import UnknownOperatorError
from boundcheck.proof.arithmetic import COMPARISONS
from boundcheck.rigor.lowering.build import Builder, Value, as_value, aten, lowers
from boundcheck.rigor.lowering.moves import broadcast, counted


def binary(builder: Builder, operation: str, x: Any, y: Any) -> Value:
    """An operation on two numbers, broadcast."""
    a, b = (counted(builder, value) for value in broadcast(builder, x, y))
    return builder.emit(operation, a, b, shape=a.shape)


def function(builder: Builder, name: str, x: Any) -> Value:
    """A function of one number."""
    value = counted(builder, as_value(x))
    return builder.emit("function", value, shape=value.shape, name=name)


@lowers(aten.add.Tensor, aten.add.Scalar)
def add(builder: Builder, x: Any, y: Any, alpha: float = 1) -> Value:
    """x + alpha·y."""
    return binary(builder, "add", x, y if alpha == 1 else binary(builder, "mul", y, alpha))


@lowers(aten.sub.Tensor, aten.sub.Scalar)
def sub(builder: Builder, x: Any, y: Any, alpha: float = 1) -> Value:
    """x - alpha·y."""
    return binary(builder, "sub", x, y if alpha == 1 else binary(builder, "mul", y, alpha))


@lowers(aten.rsub.Tensor, aten.rsub.Scalar)
def rsub(builder: Builder, x: Any, y: Any, alpha: float = 1) -> Value:
    """y - alpha·x."""
    return sub(builder, y, x, alpha)


@lowers(aten.mul.Tensor, aten.mul.Scalar)
def mul(builder: Builder, x: Any, y: Any) -> Value:
    """x·y (of two truth values: both)."""
    if as_value(x).kind == "truth" and as_value(y).kind == "truth":
        return both(builder, x, y)
    return binary(builder, "mul", x, y)


@lowers(aten.div.Tensor, aten.div.Scalar)
def div(builder: Builder, x: Any, y: Any) -> Value:
    """x / y."""
    return binary(builder, "div", x, y)


@lowers(aten.reciprocal.default)
def reciprocal(builder: Builder, x: Value) -> Value:
    """1 / x."""
    return div(builder, 1.0, x)


@lowers(aten.addcmul.default)
def addcmul(builder: Builder, x: Value, y: Value, z: Value, value: float = 1) -> Value:
    """x + value·y·z."""
    return add(builder, x, mul(builder, y, z), value)


@lowers(aten.maximum.default, aten.max.other)
def maximum(builder: Builder, x: Any, y: Any) -> Value:
    """The larger of two."""
    return binary(builder, "maximum", x, y)


@lowers(aten.minimum.default, aten.min.other)
def minimum(builder: Builder, x: Any, y: Any) -> Value:
    """The smaller of two."""
    return binary(builder, "minimum", x, y)


@lowers(aten.clamp.default, aten.clamp_min.default)
def clamp(builder: Builder, x: Value, low: float | None = None, high: float | None = None) -> Value:
    """x brought into [low, high]."""
    result = x if low is None else maximum(builder, x, low)
    return result if high is None else minimum(builder, result, high)


@lowers(aten.relu.default)
def relu(builder: Builder, x: Value) -> Value:
    """max(x, 0)."""
    return maximum(builder, x, 0.0)


FUNCTIONS = {
    aten.neg.default: "neg",
    aten.abs.default: "abs",
    aten.sqrt.default: "sqrt",
    aten.exp.default: "exp",
    aten.expm1.default: "expm1",
    aten.log.default: "log",
    aten.log1p.default: "log1p",
    aten.sin.default: "sin",
    aten.cos.default: "cos",
    aten.atan.default: "atan",
    aten.tanh.default: "tanh",
    aten.sigmoid.default: "sigmoid",
    aten.erf.default: "erf",
}
for _operator, _name in FUNCTIONS.items():
    lowers(_operator)(lambda builder, x, _name=_name: function(builder, _name, x))


@lowers(aten.rsqrt.default)
def rsqrt(builder: Builder, x: Value) -> Value:
    """1 / sqrt(x)."""
    return reciprocal(builder, function(builder, "sqrt", x))


@lowers(aten.erfc.default)
def erfc(builder: Builder, x: Value) -> Value:
    """1 - erf(x): far out it takes a higher precision to know it well."""
    return sub(builder, 1.0, function(builder, "erf", x))


@lowers(aten.softplus.default)
def softplus(builder: Builder, x: Value, beta: float = 1, threshold: float = 20) -> Value:
    """log(1 + exp(beta·x)) / beta, without torch's threshold."""
    if beta == 1:
        return function(builder, "softplus", x)
    return div(builder, function(builder, "softplus", mul(builder, x, beta)), beta)


@lowers(aten.tanh_backward.default)
def tanh_backward(builder: Builder, gradient: Value, output: Value) -> Value:
    """gradient·(1 - output²)."""
    return mul(builder, gradient, sub(builder, 1.0, power(builder, output, 2)))


@lowers(aten.sigmoid_backward.default)
def sigmoid_backward(builder: Builder, gradient: Value, output: Value) -> Value:
    """gradient·output·(1 - output)."""
    return mul(builder, gradient, mul(builder, output, sub(builder, 1.0, output)))


@lowers(aten.threshold_backward.default)
def threshold_backward(builder: Builder, gradient: Value, x: Value, threshold: float) -> Value:
    """The gradient where x is above the threshold, 0 elsewhere."""
    return where(builder, compare(builder, "gt", x, threshold), gradient, 0.0)


@lowers(aten.pow.Tensor_Scalar)
def power(builder: Builder, x: Value, exponent: float) -> Value:
    """x to a fixed power."""
    if exponent == 0.5:
        return function(builder, "sqrt", x)
    value = counted(builder, x)
    if float(exponent).is_integer():
        return builder.emit("whole_power", value, shape=value.shape, exponent=int(exponent))
    return builder.emit("real_power", value, shape=value.shape, exponent=str(Fraction(float(exponent))))


@lowers(aten.pow.Tensor_Tensor)
def power_of_two_tensors(builder: Builder, x: Value, y: Value) -> Value:
    """x^y = exp(y·log x) for x > 0; nothing is known elsewhere."""
    return function(builder, "exp", mul(builder, y, function(builder, "log", x)))


# ------------------------------------------------------------------------------------------------ truth values


def compare(builder: Builder, operator: str, x: Any, y: Any) -> Value:
    """A comparison."""
    if isinstance(x, Value) and x is y and operator in ("eq", "ne"):  # x == x: how torch spells "not NaN"
        return isnan(builder, x) if operator == "ne" else opposite(builder, isnan(builder, x))
    a, b = (counted(builder, value) for value in broadcast(builder, x, y))
    return builder.emit("compare", a, b, shape=a.shape, kind="truth", operator=operator)


for _comparison in COMPARISONS:
    for _overload in ("Tensor", "Scalar"):
        lowers(getattr(getattr(aten, _comparison), _overload))(
            lambda builder, x, y, _operator=_comparison: compare(builder, _operator, x, y)
        )


def _truths(builder: Builder, operation: str, *operands: Any) -> Value:
    values = broadcast(builder, *operands)
    if any(value.kind != "truth" for value in values):
        raise UnknownOperatorError(f"aten.logical ({operation}) on numbers")
    return builder.emit(operation, *values, shape=values[0].shape, kind="truth")


@lowers(aten.logical_and.default, aten.bitwise_and.Tensor)
def both(builder: Builder, x: Any, y: Any) -> Value:
    """Both."""
    return _truths(builder, "both", x, y)


@lowers(aten.logical_or.default, aten.bitwise_or.Tensor)
def either(builder: Builder, x: Any, y: Any) -> Value:
    """Either."""
    return _truths(builder, "either", x, y)


@lowers(aten.logical_not.default, aten.bitwise_not.default)
def opposite(builder: Builder, x: Any) -> Value:
    """The opposite truth value."""
    return _truths(builder, "opposite", x)


@lowers(aten.isnan.default)
def isnan(builder: Builder, x: Value) -> Value:
    """Whether a value is NaN: certainly not where it is a number, else open."""
    return builder.emit("undefined", counted(builder, x), shape=x.shape, kind="truth")


@lowers(aten.isinf.default)
def isinf(builder: Builder, x: Value) -> Value:
    """|x| = inf."""
    return compare(builder, "eq", function(builder, "abs", x), float("inf"))


@lowers(aten.where.self)
def where(builder: Builder, condition: Any, x: Any, y: Any) -> Value:
    """x where the condition is true, else y."""
    chosen, a, b = broadcast(builder, condition, x, y)
    if chosen.kind != "truth":
        raise UnknownOperatorError("aten.where with numbers as its condition")
    return builder.emit("where", chosen, counted(builder, a), counted(builder, b), shape=a.shape)
