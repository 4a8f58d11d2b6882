"""A claim of one instance as a straight-line program over flat lists of numbers: data, with nothing of torch in it.

`boundcheck.rigor.lowering` makes programs from ATen graphs; `machine` runs them over any `Arithmetic`. Every shape is resolved:
broadcasting, transposing, slicing and the like have become gathers with known positions.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

Register = int


@dataclass(frozen=True)
class Instruction:
    """One step: `operation` on registers, with fixed parameters (sizes, positions, exponents); it fills one register."""

    operation: str
    inputs: tuple[Register, ...] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Program:
    """Registers 0 … inputs - 1 are the inputs; instruction i fills register inputs + i.

    Attributes:
        inputs: how many inputs there are.
        instructions: in order; each reads registers that are already filled.
        outputs: registers of one number each.

    """

    inputs: int
    instructions: tuple[Instruction, ...]
    outputs: tuple[Register, ...]

    def to_json(self) -> dict[str, Any]:
        """For another process."""
        steps = [[s.operation, list(s.inputs), dict(s.parameters)] for s in self.instructions]
        return {"inputs": self.inputs, "instructions": steps, "outputs": list(self.outputs)}

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> "Program":
        """What `to_json` wrote."""
        steps = tuple(Instruction(name, tuple(inputs), parameters) for name, inputs, parameters in data["instructions"])
        return Program(data["inputs"], steps, tuple(data["outputs"]))

    def last_uses(self) -> list[list[Register]]:
        """For each instruction the registers that nobody reads after it."""
        last: dict[Register, int] = {}
        for position, step in enumerate(self.instructions):
            for register in step.inputs:
                last[register] = position
        spent: list[list[Register]] = [[] for _ in self.instructions]
        for register, position in last.items():
            if register not in self.outputs:
                spent[position].append(register)
        return spent


@dataclass(frozen=True)
class Input:
    """The numbers of one input.

    Attributes:
        mid: exact values (a constant that is no double is a `Fraction`).
        rad: radii beside them where the input is itself only an enclosure.

    """

    mid: Sequence[float | Fraction]
    rad: Sequence[float] | None = None

    def to_json(self) -> dict[str, Any]:
        """Exactly: doubles as hexadecimal floats, other rationals as p/q."""
        return {
            "mid": [str(x) if isinstance(x, Fraction) else x.hex() for x in self.mid],
            "rad": None if self.rad is None else [x.hex() for x in self.rad],
        }

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> "Input":
        """What `to_json` wrote."""
        rad = data["rad"]
        return Input([_number(text) for text in data["mid"]], None if rad is None else list(map(float.fromhex, rad)))


def _number(text: str) -> float | Fraction:
    return float.fromhex(text) if "x" in text or text in ("inf", "-inf", "nan") else Fraction(text)
