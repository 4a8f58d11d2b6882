"""Entries of a run of each kind, as small as they can be, and a run around them."""

from typing import Any

Entry = dict[str, Any]

EDGES = [0.0, 0.1, 0.5, 0.9, 0.99, 1.0, 2.0, 4.0]

HOLDS: Entry = {
    "id": "MY-1",
    "form": "proved",
    "stance": "proved",
    "input": "generated",
    "source": "Doe et al., On Bounds, Lemma 1",
    "statement": "‖x‖² <= c·y for c = 1/4.",
    "file": "my_claims/lemma_1.py:12",
    "kind": "inequality",
    "refuted_by": None,
    "verdict": "HOLDS",
    "reason": "200 instances, 0 violations",
    "tested": 400,
    "held": 200,
    "vacuous": 100,
    "unverified": 60,
    "inconclusive": 40,
    "at_equality": 0,
    "violated": 0,
    "violated_uncertified": 0,
    "invalid": 0,
    "premises": [{"name": "easy", "accepted": 390, "stated": 400}, {"name": "hard", "accepted": 150, "stated": 200}],
    "tightness": {"p50": 0.5, "max": 0.99, "histogram": {"edges": EDGES, "counts": [1, 9, 100, 80, 10, 0, 0]}},
    "attained": None,
    "scatter": [[0.5, 1.0], [1e-3, 1e-2], [0.25, 0.3]],
    "hunted": {
        "status": "HOLDS",
        "ratio": [0.999, 0.9991],
        "random": 0.98,
        "attained": False,
        "evaluations": 1000,
        "truncated": False,
        "label": "Linear n=2",
        "instance": "extremes/MY-1.proved.json",
    },
    "constants": [
        {"name": "c", "at": "1/4", "unit": "y", "better": "smaller", "printed": "1/3", "proved": "1/4", "found": 0.2475}
    ],
    "mutants": {"caught": ["half"], "lived": []},
    "ablations": [],
    "ladder": [],
    "notes": "",
    "counterexample": None,
    "worst_counterexample": None,
    "shown": None,
    "structures": 6,
    "seed": 0,
    "command": "pytest my_claims",
    "device": "cpu",
    "dtype": "float64",
    "evaluations": 500,
    "proofs": 3,
    "seconds": 2.5,
}

ROUTE = {
    "route": "Arb balls at 128 bits",
    "finding": "the premises hold and the statement does not",
    "values": [
        {"name": "smaller side", "value": "= 1.5"},
        {"name": "larger side", "value": "= 0.25 ± 7.1e-38"},
        {"name": "premise 'easy'", "value": "= 1.0"},
    ],
}

REFUTED: Entry = HOLDS | {
    "id": "MY-2",
    "form": "printed",
    "stance": "printed",
    "source": "Doe et al., On Bounds, Lemma 2, equation (3)",
    "refuted_by": "instance",
    "verdict": "REFUTED",
    "reason": "7 of 400 instances break it; proved twice for 4 of them",
    "held": 193,
    "violated": 4,
    "violated_uncertified": 3,
    "tightness": {"p50": 0.5, "max": 6.0, "histogram": {"edges": [*EDGES[:-1], 6.0], "counts": [0, 0, 3, 5, 0, 2, 5]}},
    "scatter": [[1.5, 0.25], [0.5, 1.0], [0.0, 1.0], [-1.0, 2.0]],
    "hunted": None,
    "mutants": {"caught": [], "lived": []},
    "counterexample": "counterexamples/MY-2.printed-1.json",
    "worst_counterexample": "counterexamples/MY-2.printed-2.json",
    "shown": {
        "drawn": "PointsRecipe(dim=1, seed=3), simplified",
        "instance": ["x = [1.5]", "y = [1]"],
        "routes": [ROUTE, ROUTE | {"route": "exact rational numbers"}],
    },
}

CORRECTED: Entry = HOLDS | {"id": "MY-2", "form": "corrected", "stance": "corrected"}

LADDER: Entry = REFUTED | {
    "id": "MY-3",
    "refuted_by": "ladder",
    "ladder": [
        {
            "constants": {"c": "1/2"},
            "certified": True,
            "left": 8.0,
            "right": 1e-9,
            "label": "PointsRecipe(dim=1)",
            "counterexample": "counterexamples/MY-3.printed-3.json",
        },
        {
            "constants": {"c": "1/4"},
            "certified": False,
            "left": None,
            "right": None,
            "label": "",
            "counterexample": None,
        },
    ],
}

IDENTITY: Entry = HOLDS | {
    "id": "MY-4",
    "kind": "identity",
    "tightness": {"p50": None, "max": None, "histogram": None},
    "hunted": None,
    "scatter": [[2.0, 2.0], [1e-300, 1e-300], [1e300, 1e300]],
}

REAL: Entry = HOLDS | {
    "id": "MY-1",
    "form": "digits",
    "input": "real",
    "verdict": "MEASURED",
    "reason": "8 holds, 8 premise_unverified",
    "notes": "The premise fails by a factor of 156.",
    "scatter": [[1.0, 2.0]],
}

ERROR: Entry = HOLDS | {
    "id": "MY-5",
    "kind": None,
    "verdict": "ERROR",
    "reason": "ValueError: no",
    **dict.fromkeys(("tested", "held", "vacuous", "unverified", "inconclusive"), 0),
    "premises": [],
    "tightness": {"p50": None, "max": None, "histogram": None},
    "scatter": [],
    "hunted": None,
    "constants": [],
    "mutants": {"caught": [], "lived": []},
    "file": "",
}

ABLATED: Entry = HOLDS | {
    "id": "MY-6",
    "ablations": [
        {
            "key": "MY-6:proved-without-easy",
            "premise": "easy",
            "needed": True,
            "ratio": None,
            "unbounded": True,
            "ratio_with": 0.99,
            "because": "",
            "counterexample": "ablations/MY-6.json",
            "evaluations": 10,
            "seconds": 0.5,
            "truncated": True,
        }
    ],
}

TOOTHLESS: Entry = HOLDS | {
    "id": "MY-7",
    "verdict": "TOOTHLESS",
    "reason": "mutants that lived: half",
    "mutants": {"caught": [], "lived": ["half"]},
}

UNDRAWN: Entry = {
    "scatter": [],
    "hunted": None,
    "tightness": {"p50": None, "max": None, "histogram": None},
    "kind": "identity",
}
"""An entry with this has no figure: what is asked is of its text."""

KINDS = [HOLDS, REFUTED, CORRECTED, LADDER, IDENTITY, REAL, ERROR, ABLATED, TOOTHLESS]


def run_of(*entries: Entry, **changes: Any) -> dict[str, Any]:
    """A run with these claims."""
    run = {
        "schema_version": 5,
        "version": "0.1.0",
        "datetime": "2026-01-02T03:04:05+00:00",
        "machine_info": {"machine": "x86_64", "system": "Linux", "cpu_count": 2, "versions": {"torch": "2.6.0"}},
        "commit_info": {"id": "0123456789", "dirty": True, "time": "2026-01-01T00:00:00+00:00"},
        "command": "pytest my_claims --boundcheck-profile fast",
        "profile": "fast",
        "seconds": 75.0,
        "finished": True,
        "claims": list(entries),
    }
    return run | changes
