"""The constant that is needed: for Lemma 6's movement, (15) and Theorem 7 as functions of c and of κ, and for Lemma A.3.

    python -m boundcheck.theorems.local_edits.experiments.constants reports

writes constants.json (every figure with its instance), constants.md and constants.svg. Each point is searched by evolution from
random starts at the edge of the premises (`edge`); its instance refutes, by two routes, the constant that is printed, which is
rounded to the side that it refutes. Points are kept as they are found: an interrupted run is taken up again where it stopped,
another seed or budget starts anew. What is proved stands in `closed_forms`.
Sources: Local Edits, Lemma 6 and Theorem 7; The Geometry of Alignment Collapse, Lemma A.3.
"""

import json
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from math import isinf
from pathlib import Path
from typing import Any

import torch

from boundcheck.claim import Claim
from boundcheck.problem import Problem
from boundcheck.search.certify import Certifier
from boundcheck.theorems.alignment_collapse.experiments import projection_law
from boundcheck.theorems.local_edits.experiments.constants_pages import write_pages
from boundcheck.theorems.local_edits.experiments.edge import Edge, search
from boundcheck.theorems.local_edits.experiments.needed import QUANTITIES, SPILL, WEAKER, Quantity
from boundcheck.verdict import HOLDING, Status

AT = (Fraction(1, 64), Fraction(1, 32), Fraction(1, 16), Fraction(1, 8), Fraction(1, 4), Fraction(1, 2))
CONDITIONS = (1, 2, 4, 8)
STANDARD = Fraction(1, 16)
WEAKER_CONDITIONS = (2, 8, 32)
STIFF = 8
"""With a larger κ and the premise on a weakened, descents are too long to be enclosed."""

DIGITS = 6
SEEDS = (0, 1)
GENERATIONS = 120
"""Of a search with one row; one with two has three times as many."""


@dataclass(frozen=True)
class Point:
    """One figure to find: the constant of a quantity's claim, or of that under weaker premises, at the edge."""

    name: str
    quantity: Quantity
    claim: Claim
    edge: Edge
    c: Fraction
    weaker: str = ""


# ------------------------------------------------------------------------------------------------------------ what is asked


def points() -> Iterator[Point]:
    """Every figure: as a function of c with one row, of κ with two, and under weaker premises."""
    for c in AT:
        for quantity in QUANTITIES:
            claim = quantity.claim.with_constants({"c": c})
            yield Point(
                f"{quantity.name}, c = {c}", quantity, claim, Edge(1, 1.0, float(c), spill=quantity is SPILL), c
            )
    for condition in CONDITIONS:
        for quantity in QUANTITIES:
            edge = Edge(2, float(condition), float(STANDARD), spill=quantity is SPILL)
            yield Point(f"{quantity.name}, kappa = {condition}", quantity, quantity.claim, edge, STANDARD)
    for weaker in WEAKER:
        for condition in (k for k in WEAKER_CONDITIONS if k <= STIFF or not weaker.a):
            powers, quantity = (weaker.a, weaker.b, weaker.d), weaker.quantity
            edge = Edge(2, float(condition), float(STANDARD), powers, spill=quantity is SPILL)
            name = f"{quantity.name}, {weaker.name}, kappa = {condition}"
            yield Point(name, quantity, weaker.claim, edge, STANDARD, weaker.name)


# ------------------------------------------------------------------------------------------------------------ what is found


def find(point: Point) -> dict[str, Any] | None:
    """The best of a few searches at the edge, or a little inside where no descent there has a limit that can be enclosed."""
    confirmed = _confirmed(point) or _confirmed(replace(point, edge=replace(point.edge, share=7 / 8, patience=3)))
    if not confirmed:
        return None
    value, best = (min if point.quantity.lower else max)(confirmed, key=lambda pair: pair[0])
    return {
        "quantity": point.quantity.name,
        "unit": point.quantity.unit,
        "c": str(point.c),
        "kappa": int(point.edge.condition),
        "rows": point.edge.rows,
        "weaker": point.weaker,
        "found": str(value),
        "certified": broken(point.claim, point.quantity, value, best),
        "problem": best.to_json(),
    }


def _confirmed(point: Point) -> list[tuple[Fraction, Problem]]:
    generations = GENERATIONS * (3 if point.edge.rows > 1 else 1)
    edges = [point.edge]
    if max(point.edge.powers) > 1:  # the main term may be cancelled: a narrow valley, far from where random starts lead
        edges.append(replace(point.edge, weakest=True))
    tried = (search(point.claim, edge, seed=seed, generations=generations) for edge in edges for seed in SEEDS)
    return [(room, p) for p in tried if (room := refuted(point, p)) is not None]


def refuted(point: Point, p: Problem) -> Fraction | None:
    """The decimal that the instance refutes: just above what it leaves a lower bound's constant, just below an upper one's."""
    certificate = Certifier(point.claim).certify(p, 0)
    if certificate.status not in (*HOLDING, Status.VIOLATED, Status.INCONCLUSIVE):
        return None
    first = certificate.findings[0]
    if any(isinf(end) for end in (*first.left, *first.right)):
        return None  # of a descent whose limit could not be enclosed
    left, right = ([Fraction(end) for end in side] for side in (first.left, first.right))
    stated = point.claim.constants[point.quantity.constant].value
    if point.quantity.lower:
        return Fraction(int(stated * right[1] / left[0] * 10**DIGITS) + 1, 10**DIGITS) if left[0] > 0 else None
    return Fraction(int(stated * left[0] / right[1] * 10**DIGITS), 10**DIGITS) if right[1] > 0 else None


def broken(claim: Claim, quantity: Quantity, value: Fraction, p: Problem) -> bool:
    """Whether the instance refutes the claim with this constant, by both routes."""
    return Certifier(claim.with_constants({quantity.constant: value})).certify(p, 0).status is Status.VIOLATED


def lemma_a3() -> list[dict[str, Any]]:
    """The table of Lemma A.3."""
    rows = projection_law.table()
    return [asdict(row) | {"epsilon": str(row.epsilon), "proved": projection_law.PROVED[row.side]} for row in rows]


# ------------------------------------------------------------------------------------------------------------------ program


def main(folder: Path) -> None:
    """Find what is not there yet, and write the pages."""
    torch.set_num_threads(1)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "constants.json"
    head = {
        "command": f"python -m {__spec__.name if __spec__ else __name__} reports",
        "seeds": list(SEEDS),
        "generations": GENERATIONS,
    }
    data = earlier(path, head)
    try:
        if "lemma_a3" not in data:
            data["lemma_a3"] = lemma_a3()
            _keep(path, data)
        for point in points():
            if point.name in data["points"]:
                continue
            began = time.perf_counter()
            data["points"][point.name] = find(point)
            _keep(path, data)
            _say(point.name, data["points"][point.name], time.perf_counter() - began)
    except KeyboardInterrupt:
        print("interrupted: what was found is kept; the same command goes on from here")
    write_pages(data, folder)
    print(f"{folder / 'constants.md'}, {folder / 'constants.svg'} and {path}")


def earlier(path: Path, head: Mapping[str, Any]) -> dict[str, Any]:
    """What an earlier run with the same budget and seed left there."""
    if path.exists():
        data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if {key: data.get(key) for key in head} == dict(head):
            return data
    return {**head, "points": {}}


def _keep(path: Path, data: Mapping[str, Any]) -> None:
    beside = path.with_suffix(".json.new")
    beside.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
    beside.replace(path)  # never half a file, whenever the run is interrupted


def _say(name: str, found: Mapping[str, Any] | None, seconds: float) -> None:
    said = "nothing confirmed" if found is None else f"{float(Fraction(found['found'])):.6f} {found['unit']}"
    print(f"{name}: {said} ({seconds:.0f} s)", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "reports"))
