"""What a kind of exact or enclosing number must be able to do, so that a claim's program can be run over it.

Three kinds exist: Arb balls (`balls`), exact rationals (`rationals`) and mpmath's intervals (`intervals`). A number is opaque
to whoever runs a program. The contract of every operation: **the exact result lies in what is returned**. Where nothing can be
said (a quotient whose divisor may be 0) the number `unknown` is returned, which encloses everything; where the kind cannot
do the operation at all it raises `NotSupportedError`.

Torch is not imported anywhere in this package: it has to start fast, in a process of its own.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from fractions import Fraction
from math import inf
from typing import Generic, TypeVar

from boundcheck.errors import BoundcheckError

N = TypeVar("N")
Truth = bool | None
"""A comparison's outcome: None where the enclosures do not decide it."""

Endpoint = Fraction | float
"""An exact rational, or ±inf (a float) where there is no finite bound."""

FUNCTIONS = (
    "abs", "neg", "sqrt", "exp", "expm1", "log", "log1p", "sin", "cos", "atan", "tanh", "sigmoid", "softplus", "erf",
)  # fmt: skip
"""Names of the functions of one number that `Arithmetic.function` may be asked for."""

COMPARISONS = ("gt", "ge", "lt", "le", "eq", "ne")


class NotSupportedError(BoundcheckError):
    """This kind of number cannot do an operation (a rational number has no logarithm, say)."""

    def __init__(self, operation: str, kind: str) -> None:
        super().__init__(f"{operation} is not to be had in {kind}")
        self.operation = operation


class Arithmetic(ABC, Generic[N]):
    """A kind of number. Matrices are flat row-major sequences with their sizes beside them."""

    name: str
    """In words, for the record: "Arb balls at 128 bits"."""

    bits: int | None = None
    """Working precision; None for exact numbers."""

    unknown: N
    """Encloses every real number and both infinities."""

    # ------------------------------------------------------------------------------------------------ making, reading

    @abstractmethod
    def number(self, value: Fraction | float) -> N:
        """An exact rational (a double is one), or ±inf. NaN gives `unknown`."""

    @abstractmethod
    def ball(self, mid: float, rad: float) -> N:
        """Every number within `rad` of `mid` (rad >= 0; +inf gives `unknown`)."""

    @abstractmethod
    def endpoints(self, x: N) -> tuple[Endpoint, Endpoint]:
        """A lower and an upper bound, exactly as rationals where finite; (-inf, inf) for `unknown`."""

    # ------------------------------------------------------------------------------------------------- scalars

    @abstractmethod
    def add(self, x: N, y: N) -> N:
        """x + y; inf + finite is inf, inf - inf is unknown."""

    @abstractmethod
    def sub(self, x: N, y: N) -> N:
        """x - y."""

    @abstractmethod
    def mul(self, x: N, y: N) -> N:
        """x·y; 0·inf is unknown."""

    @abstractmethod
    def div(self, x: N, y: N) -> N:
        """x/y; unknown where y may be 0; finite/±inf is 0."""

    @abstractmethod
    def whole_power(self, x: N, exponent: int) -> N:
        """x to a whole power (a negative one is the reciprocal's); an even power is never below 0."""

    @abstractmethod
    def real_power(self, x: N, exponent: Fraction) -> N:
        """x to a power that is not whole; unknown where x may be negative."""

    @abstractmethod
    def function(self, name: str, x: N) -> N:
        """One of `FUNCTIONS`. sqrt encloses √max(x, 0) where x may be but is not certainly negative, and is unknown where x
        certainly is; log is unknown where x may be <= 0; log1p likewise of 1 + x."""

    @abstractmethod
    def maximum(self, x: N, y: N) -> N:
        """The larger of two."""

    @abstractmethod
    def minimum(self, x: N, y: N) -> N:
        """The smaller of two."""

    @abstractmethod
    def hull(self, x: N, y: N) -> N:
        """A number that encloses both."""

    def is_number(self, x: N) -> bool:
        """Whether x certainly is a number (an exact infinity is one): False for what may be undefined."""
        low, high = self.endpoints(x)
        return low == high or not {low, high} & {inf, -inf}

    @abstractmethod
    def compare(self, operator: str, x: N, y: N) -> Truth:
        """One of `COMPARISONS`; None where undecided. `eq` is True only for two exact equal numbers."""

    # ------------------------------------------------------------------------------------------------- many at once

    def total(self, terms: Sequence[N]) -> N:
        """The sum; of nothing, 0."""
        result = self.number(0.0)
        for term in terms:
            result = self.add(result, term)
        return result

    def matmul(self, a: Sequence[N], b: Sequence[N], rows: int, inner: int, columns: int) -> list[N]:
        """A·B of A `[rows, inner]` and B `[inner, columns]`."""
        right = [b[column::columns] for column in range(columns)]
        left = [a[row * inner : (row + 1) * inner] for row in range(rows)]
        return [
            self.total([self.mul(x, y) for x, y in zip(line, other, strict=True)]) for line in left for other in right
        ]

    # ------------------------------------------------------------------------------------------------- heavy steps

    @abstractmethod
    def singular_values(self, a: Sequence[N], rows: int, columns: int) -> list[N]:
        """All min(rows, columns) singular values, decreasing."""

    @abstractmethod
    def eigenvalues(self, a: Sequence[N], size: int) -> list[N]:
        """All eigenvalues, ascending, of the symmetric matrix whose lower triangle is given."""

    @abstractmethod
    def orthonormal_basis(self, a: Sequence[N], rows: int, columns: int) -> tuple[list[N], list[N]]:
        """Q `[rows, columns]` and R `[columns, columns]` of a Gram-Schmidt factorisation A = Q·R (positive diagonal of R) of A
        `[rows, columns]`, rows >= columns; unknown entries where A may be rank-deficient."""

    @abstractmethod
    def solve(self, a: Sequence[N], b: Sequence[N], size: int, columns: int) -> list[N]:
        """A⁻¹·B of A `[size, size]` and B `[size, columns]`; unknown entries where A may be singular."""

    @abstractmethod
    def determinant(self, a: Sequence[N], size: int) -> N:
        """det A."""

    @abstractmethod
    def matrix_exponential(self, a: Sequence[N], size: int) -> list[N]:
        """exp(A)."""

    @abstractmethod
    def rank(self, a: Sequence[N], rows: int, columns: int) -> N:
        """The rank: a whole number where it is certain, else a number that encloses all that are possible. A matrix of exact
        numbers always has a certain rank."""
