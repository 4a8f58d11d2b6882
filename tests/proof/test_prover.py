"""The child process: proofs come back; crashes, hangs and missing operations are told, and hurt nothing that follows."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from fractions import Fraction

import pytest

from boundcheck.proof.finding import Standing
from boundcheck.proof.program import Input, Instruction, Program
from boundcheck.proof.prover import ProofFailedError, Prover, Route

SQUARES = Program(2, (Instruction("mul", (0, 0)),), (2, 1))
"""x² <= y."""

LOGARITHM = Program(2, (Instruction("function", (0,), {"name": "log"}),), (2, 1))
"""log x <= y."""


@pytest.fixture
def prover() -> Iterator[Prover]:
    made = Prover(seconds=20)
    yield made
    made.close()


def test_both_routes(prover: Prover) -> None:
    third = Input([Fraction(1, 3)])
    routes: list[tuple[Route, str]] = [("first", "Arb balls at 128 bits"), ("second", "exact rational numbers")]
    for route, name in routes:
        finding = prover.prove(SQUARES, [third, Input([0.125])], identity=False, route=route)
        assert finding.route == name
        assert finding.standing is Standing.HOLDS
        finding = prover.prove(SQUARES, [third, Input([0.1])], identity=False, route=route)
        assert finding.standing is Standing.VIOLATED
    exact = prover.prove(SQUARES, [third, Input([Fraction(1, 9)])], identity=True, route="second")
    assert exact.standing is Standing.HOLDS


def test_what_is_not_algebraic_goes_to_intervals(prover: Prover) -> None:
    finding = prover.prove(LOGARITHM, [Input([3.0]), Input([1.0])], identity=False, route="second")
    assert finding.standing is Standing.VIOLATED
    assert "interval" in finding.route
    assert finding.left[0] < finding.left[1]


def test_the_precision_rises_as_far_as_needed(prover: Prover) -> None:
    """1/3 and a dyadic number 2^-200 above it."""
    near = Fraction((2**200 // 3) + 1, 2**200)
    program = Program(2, (), (0, 1))
    finding = prover.prove(program, [Input([near]), Input([Fraction(1, 3)])], identity=False)
    assert finding.bits == 256
    assert finding.standing is Standing.VIOLATED
    blunt = prover.prove(program, [Input([near]), Input([Fraction(1, 3)])], identity=False, precisions=[64])
    assert blunt.standing is Standing.OPEN


def test_a_radius_is_part_of_the_input(prover: Prover) -> None:
    program = Program(2, (), (0, 1))
    assert prover.prove(program, [Input([1.0], [0.25]), Input([1.5])], identity=False).standing is Standing.HOLDS
    assert prover.prove(program, [Input([1.0], [0.75]), Input([1.5])], identity=False).standing is Standing.OPEN


def test_a_killed_child_is_told_and_replaced(prover: Prover) -> None:
    inputs = [Input([0.5]), Input([1.0])]
    prover.prove(SQUARES, inputs, identity=False)
    child = prover._child
    assert child is not None
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    assert prover.prove(SQUARES, inputs, identity=False).standing is Standing.HOLDS


def test_a_child_that_dies_over_a_proof(prover: Prover) -> None:
    """A matrix exponential that asks for more memory than the child may have, or dies of it: told, and the next proof works."""
    deep = Program(1, (Instruction("no such operation", (0,)),), (1, 1))
    with pytest.raises(ProofFailedError, match="no such operation"):
        prover.prove(deep, [Input([1.0])], identity=False)
    assert prover.prove(SQUARES, [Input([0.5]), Input([1.0])], identity=False).standing is Standing.HOLDS


def test_a_proof_that_takes_too_long() -> None:
    impatient = Prover(seconds=0.3)
    size = 220
    steps = (
        Instruction("gather", (0,), {"index": [1] * size * size}),
        Instruction("determinant", (1,), {"batch": 1, "size": size}),
        Instruction("singular_values", (1,), {"batch": 1, "rows": size, "columns": size}),
    )
    slow = Program(1, steps, (2, 2))
    try:
        with pytest.raises(ProofFailedError, match=r"longer than 0\.3 s"):
            impatient.prove(slow, [Input([1.0])], identity=False)
        assert impatient._child is None
    finally:
        impatient.close()


def test_the_child_needs_no_torch() -> None:
    code = "import sys, boundcheck.proof.worker; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
