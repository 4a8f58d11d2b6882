"""The two routes by which an instance is proved.

First Arb balls at 128, 256 and 512 bits, as far as needed. Then, for what is to be reported, a second proof by other code:
exact rationals where the claim is algebraic on this instance, else mpmath's intervals with other formulas.
"""

from collections.abc import Sequence

from boundcheck.proof.arithmetic import NotSupportedError
from boundcheck.proof.balls import Balls
from boundcheck.proof.finding import Finding, Standing, find
from boundcheck.proof.intervals import Intervals
from boundcheck.proof.machine import run
from boundcheck.proof.program import Input, Program
from boundcheck.proof.rationals import Rationals

PRECISIONS = (128, 256, 512)
SECOND_PRECISION = 333
"""Bits of the second route's intervals: none of the first route's."""

UNDECIDED = (Standing.UNVERIFIED, Standing.OPEN)


def by_balls(
    program: Program, inputs: Sequence[Input], *, identity: bool, precisions: Sequence[int] = PRECISIONS
) -> Finding:
    """The first route: the precision rises until everything is decided."""
    for bits in precisions:
        arithmetic = Balls(bits)
        with arithmetic.working():
            finding = find(run(program, inputs, arithmetic), arithmetic, identity=identity)
        if finding.standing not in UNDECIDED:
            break
    return finding


def by_other_means(program: Program, inputs: Sequence[Input], *, identity: bool) -> Finding:
    """The second route.

    Raises:
        NotSupportedError: where neither rationals nor intervals can do an operation of the program.

    """
    exact = Rationals()
    try:
        return find(run(program, inputs, exact), exact, identity=identity)
    except NotSupportedError:
        intervals = Intervals(SECOND_PRECISION)
        with intervals.working():
            return find(run(program, inputs, intervals), intervals, identity=identity)
