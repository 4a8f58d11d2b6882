"""Runs a program over any kind of number.

A register holds a list of numbers, or of truth values (True, False, None where undecided). Each operation below is written
once, for all kinds of numbers; what differs between them is in their `Arithmetic`.
"""

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

from boundcheck.proof.arithmetic import Arithmetic, Truth
from boundcheck.proof.program import Input, Instruction, Program

Values = list[Any]
Operation = Callable[..., Values]
_OPERATIONS: dict[str, Operation] = {}


def run(program: Program, inputs: Sequence[Input], arithmetic: Arithmetic[Any]) -> list[Any]:
    """The outputs of a program whose outputs are one number each.

    Raises:
        NotSupportedError: where this kind of number cannot do an operation of the program.

    """
    return [values[0] for values in run_whole(program, inputs, arithmetic)]


def run_whole(program: Program, inputs: Sequence[Input], arithmetic: Arithmetic[Any]) -> list[Values]:
    """The outputs of a program, every entry of each; raises as `run` does."""
    registers: dict[int, Values] = {index: _loaded(value, arithmetic) for index, value in enumerate(inputs)}
    if len(registers) != program.inputs:
        raise ValueError(f"{len(registers)} inputs for a program of {program.inputs}")
    spent = program.last_uses()
    for position, step in enumerate(program.instructions):
        registers[program.inputs + position] = _perform(step, [registers[r] for r in step.inputs], arithmetic)
        for register in spent[position]:
            del registers[register]
    return [registers[register] for register in program.outputs]


def _loaded(value: Input, arithmetic: Arithmetic[Any]) -> Values:
    if value.rad is None:
        return [arithmetic.number(x) for x in value.mid]
    return [
        arithmetic.ball(float(x), r) if r else arithmetic.number(x) for x, r in zip(value.mid, value.rad, strict=True)
    ]


def _perform(step: Instruction, operands: list[Values], arithmetic: Arithmetic[Any]) -> Values:
    return _OPERATIONS[step.operation](arithmetic, *operands, **step.parameters)


def operations() -> list[str]:
    """The names of all operations."""
    return sorted(_OPERATIONS)


def _operation(function: Operation) -> Operation:
    _OPERATIONS[function.__name__.strip("_")] = function
    return function


# ------------------------------------------------------------------------------------------------ making and moving


@_operation
def _numbers(arithmetic: Arithmetic[Any], *, values: Sequence[str], radii: Sequence[str] = ()) -> Values:
    mids, rads = map(float.fromhex, values), map(float.fromhex, radii or ["0x0p0"] * len(values))
    return [arithmetic.ball(mid, rad) if rad else arithmetic.number(mid) for mid, rad in zip(mids, rads, strict=True)]


@_operation
def _truths(arithmetic: Arithmetic[Any], *, values: Sequence[bool]) -> Values:
    return list(values)


@_operation
def _gather(arithmetic: Arithmetic[Any], *sources: Values, index: Sequence[int]) -> Values:
    """Position 0 is an exact zero; the entries of the sources follow one after another."""
    pool = [arithmetic.number(0.0)]
    for source in sources:
        pool.extend(source)
    return [pool[position] for position in index]


@_operation
def _gather_truths(arithmetic: Arithmetic[Any], *sources: Values, index: Sequence[int]) -> Values:
    """Position 0 is False."""
    pool: Values = [False]
    for source in sources:
        pool.extend(source)
    return [pool[position] for position in index]


# ------------------------------------------------------------------------------------------------ entry by entry


def _entrywise(name: str) -> None:
    def apply(arithmetic: Arithmetic[Any], x: Values, y: Values) -> Values:
        operate = getattr(arithmetic, name)
        return [operate(a, b) for a, b in zip(x, y, strict=True)]

    _OPERATIONS[name] = apply


for _name in ("add", "sub", "mul", "div", "maximum", "minimum"):
    _entrywise(_name)


@_operation
def _function(arithmetic: Arithmetic[Any], x: Values, *, name: str) -> Values:
    return [arithmetic.function(name, value) for value in x]


@_operation
def _whole_power(arithmetic: Arithmetic[Any], x: Values, *, exponent: int) -> Values:
    return [arithmetic.whole_power(value, exponent) for value in x]


@_operation
def _real_power(arithmetic: Arithmetic[Any], x: Values, *, exponent: str) -> Values:
    fixed = Fraction(exponent)
    return [arithmetic.real_power(value, fixed) for value in x]


# ------------------------------------------------------------------------------------------------ truth values


@_operation
def _compare(arithmetic: Arithmetic[Any], x: Values, y: Values, *, operator: str) -> Values:
    return [arithmetic.compare(operator, a, b) for a, b in zip(x, y, strict=True)]


@_operation
def _undefined(arithmetic: Arithmetic[Any], x: Values) -> Values:
    """Whether each number is NaN where torch computes it: certainly not, or open."""
    return [False if arithmetic.is_number(value) else None for value in x]


@_operation
def _both(arithmetic: Arithmetic[Any], x: Values, y: Values) -> Values:
    return [_all((a, b)) for a, b in zip(x, y, strict=True)]


@_operation
def _either(arithmetic: Arithmetic[Any], x: Values, y: Values) -> Values:
    return [_any((a, b)) for a, b in zip(x, y, strict=True)]


@_operation
def _opposite(arithmetic: Arithmetic[Any], x: Values) -> Values:
    return [None if a is None else not a for a in x]


@_operation
def _every(arithmetic: Arithmetic[Any], x: Values, *, groups: int, size: int) -> Values:
    return [_all(part) for part in _parts(x, groups, size)]


@_operation
def _some(arithmetic: Arithmetic[Any], x: Values, *, groups: int, size: int) -> Values:
    return [_any(part) for part in _parts(x, groups, size)]


def _all(truths: Sequence[Truth]) -> Truth:
    if any(truth is False for truth in truths):
        return False
    return None if any(truth is None for truth in truths) else True


def _any(truths: Sequence[Truth]) -> Truth:
    if any(truth is True for truth in truths):
        return True
    return None if any(truth is None for truth in truths) else False


@_operation
def _counted(arithmetic: Arithmetic[Any], x: Values) -> Values:
    """Truth values as the numbers 0 and 1."""
    zero, one = arithmetic.number(0.0), arithmetic.number(1.0)
    either = arithmetic.hull(zero, one) if None in x else one
    return [either if truth is None else one if truth else zero for truth in x]


@_operation
def _where(arithmetic: Arithmetic[Any], condition: Values, x: Values, y: Values) -> Values:
    return [
        arithmetic.hull(a, b) if truth is None else a if truth else b
        for truth, a, b in zip(condition, x, y, strict=True)
    ]


# ------------------------------------------------------------------------------------------------ many at once


def _parts(x: Values, groups: int, size: int) -> list[Values]:
    return [x[group * size : (group + 1) * size] for group in range(groups)]


@_operation
def _total(arithmetic: Arithmetic[Any], x: Values, *, groups: int, size: int) -> Values:
    return [arithmetic.total(part) for part in _parts(x, groups, size)]


@_operation
def _largest(arithmetic: Arithmetic[Any], x: Values, *, groups: int, size: int) -> Values:
    return [_folded(arithmetic.maximum, part) for part in _parts(x, groups, size)]


@_operation
def _smallest(arithmetic: Arithmetic[Any], x: Values, *, groups: int, size: int) -> Values:
    return [_folded(arithmetic.minimum, part) for part in _parts(x, groups, size)]


def _folded(choose: Callable[[Any, Any], Any], part: Values) -> Any:
    result = part[0]
    for value in part[1:]:
        result = choose(result, value)
    return result


@_operation
def _matmul(
    arithmetic: Arithmetic[Any], a: Values, b: Values, *, batch: int, rows: int, inner: int, columns: int
) -> Values:
    result: Values = []
    for left, right in zip(_parts(a, batch, rows * inner), _parts(b, batch, inner * columns), strict=True):
        result += arithmetic.matmul(left, right, rows, inner, columns)
    return result


# ------------------------------------------------------------------------------------------------ heavy steps


@_operation
def _singular_values(arithmetic: Arithmetic[Any], a: Values, *, batch: int, rows: int, columns: int) -> Values:
    return _joined(arithmetic.singular_values(part, rows, columns) for part in _parts(a, batch, rows * columns))


@_operation
def _eigenvalues(arithmetic: Arithmetic[Any], a: Values, *, batch: int, size: int) -> Values:
    return _joined(arithmetic.eigenvalues(part, size) for part in _parts(a, batch, size * size))


@_operation
def _orthonormal_basis(arithmetic: Arithmetic[Any], a: Values, *, batch: int, rows: int, columns: int) -> Values:
    """Q of each matrix, then R of each."""
    factors = [arithmetic.orthonormal_basis(part, rows, columns) for part in _parts(a, batch, rows * columns)]
    return _joined(q for q, _ in factors) + _joined(r for _, r in factors)


@_operation
def _solve(arithmetic: Arithmetic[Any], a: Values, b: Values, *, batch: int, size: int, columns: int) -> Values:
    pairs = zip(_parts(a, batch, size * size), _parts(b, batch, size * columns), strict=True)
    return _joined(arithmetic.solve(left, right, size, columns) for left, right in pairs)


@_operation
def _determinant(arithmetic: Arithmetic[Any], a: Values, *, batch: int, size: int) -> Values:
    return [arithmetic.determinant(part, size) for part in _parts(a, batch, size * size)]


@_operation
def _matrix_exponential(arithmetic: Arithmetic[Any], a: Values, *, batch: int, size: int) -> Values:
    return _joined(arithmetic.matrix_exponential(part, size) for part in _parts(a, batch, size * size))


@_operation
def _rank(arithmetic: Arithmetic[Any], a: Values, *, batch: int, rows: int, columns: int) -> Values:
    return [arithmetic.rank(part, rows, columns) for part in _parts(a, batch, rows * columns)]


def _joined(lists: Any) -> Values:
    return [value for part in lists for value in part]
