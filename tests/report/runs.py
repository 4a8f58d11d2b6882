"""Runs that no campaign has to make: one entry in full, entries of every kind, and entries whose every text is hostile."""

from typing import Any

from hypothesis import strategies as st

Entry = dict[str, Any]

ENTRY: Entry = {
    "id": "MY-1",
    "form": "proved",
    "stance": "proved",
    "input": "generated",
    "source": "Doe, On Bounds, Lemma 1, equation (2)",
    "statement": "‖a‖² <= b_1·c/2",
    "file": "my/claims.py:12",
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
    "premises": [{"name": "easy", "accepted": 400, "stated": 400}, {"name": "x > 0", "accepted": 150, "stated": 200}],
    "tightness": {"p50": 0.5, "max": 0.99, "histogram": None},
    "attained": True,
    "scatter": [[0.5, 1.0]],
    "hunted": {
        "status": "HOLDS",
        "ratio": [0.999, 0.9991],
        "random": 0.99,
        "attained": False,
        "evaluations": 12,
        "truncated": False,
        "label": "dim=2",
        "instance": "extremes/MY-1.proved.json",
    },
    "constants": [
        {
            "name": "c_prime",
            "at": "1/4",
            "unit": "x",
            "better": "smaller",
            "printed": "1/3",
            "proved": "1/4",
            "found": 0.2,
        }
    ],
    "mutants": {"caught": ["half"], "lived": []},
    "ablations": [],
    "ladder": [],
    "notes": "",
    "counterexample": None,
    "worst_counterexample": None,
    "shown": None,
    "structures": 3,
    "seed": 0,
    "command": "pytest x",
    "device": "cpu",
    "dtype": "float64",
    "evaluations": 500,
    "proofs": 2,
    "seconds": 1.5,
}

SHOWN = {
    "drawn": "Recipe(dim=2)",
    "instance": ["dim: 2", "theta0 = [1, 0]"],
    "routes": [
        {
            "route": "Arb balls at 128 bits",
            "finding": "the premises hold and the statement does not",
            "values": [
                {"name": "smaller side", "value": "= 1.648054273663885 ± 7.1e-38"},
                {"name": "larger side", "value": "= 0.5"},
                {"name": "premise 'x > 0'", "value": "in [1.0, inf]"},
            ],
        },
        {
            "route": "exact rational numbers",
            "finding": "the premises hold and the statement does not",
            "values": [{"name": "smaller side", "value": "= 1.648"}, {"name": "larger side", "value": "= 0.5"}],
        },
    ],
}

FALSE: Entry = ENTRY | {
    "id": "MY-2",
    "form": "printed",
    "stance": "printed",
    "source": "Doe, On Bounds, Theorem 2",
    "statement": "a <= b",
    "verdict": "REFUTED",
    "refuted_by": "ladder",
    "reason": "7 of 400 instances break it",
    "violated": 7,
    "attained": None,
    "hunted": None,
    "tightness": {"p50": 0.1, "max": 3.2961, "histogram": None},
    "counterexample": "counterexamples/MY-2.printed-0123.json",
    "worst_counterexample": "counterexamples/MY-2.printed-4567.json",
    "shown": SHOWN,
    "ladder": [
        {
            "constants": {"c_prime": "1/2"},
            "certified": True,
            "left": 2.5,
            "right": 1e-9,
            "label": "dim=2",
            "counterexample": "counterexamples/MY-2.printed-0123.json",
        },
        {
            "constants": {"c_prime": "1/4"},
            "certified": False,
            "left": None,
            "right": None,
            "label": "",
            "counterexample": None,
        },
    ],
}

RED: Entry = ENTRY | {
    "id": "MY-3",
    "verdict": "TOOTHLESS",
    "reason": "mutants that lived: half",
    "mutants": {"caught": [], "lived": ["half"]},
}
REAL: Entry = ENTRY | {"id": "MY-4", "input": "real", "verdict": "MEASURED", "notes": "It fails by a factor 3."}
EQUATION: Entry = ENTRY | {
    "id": "MY-5",
    "kind": "identity",
    "tightness": {"p50": None, "max": None, "histogram": None},
    "hunted": None,
    "attained": None,
    "constants": [],
}
BROKEN: Entry = ENTRY | {
    "id": "MY-6",
    "verdict": "ERROR",
    "kind": None,
    "reason": "ValueError: no",
    "premises": [],
    "tightness": {"p50": None, "max": None, "histogram": None},
    "hunted": None,
    "attained": None,
    "constants": [],
    "mutants": {"caught": [], "lived": []},
    **dict.fromkeys(("tested", "held", "vacuous", "unverified", "inconclusive"), 0),
}
ABLATED: Entry = ENTRY | {
    "id": "MY-7",
    "ablations": [
        {
            "key": "MY-7:proved without x > 0",
            "premise": "x > 0",
            "needed": False,
            "ratio": None,
            "unbounded": True,
            "ratio_with": 0.5,
            "because": "both sides scale alike",
            "counterexample": None,
            "evaluations": 3,
            "seconds": 0.1,
            "truncated": True,
        }
    ],
}
ALL = (ENTRY, FALSE, RED, REAL, EQUATION, BROKEN, ABLATED)


def run(*entries: Entry, **changes: Any) -> dict[str, Any]:
    """A run of these entries."""
    return {
        "schema_version": 5,
        "version": "0.1.0",
        "datetime": "2026-01-02T03:04:05+00:00",
        "machine_info": {
            "machine": "x86_64",
            "system": "Linux",
            "python_version": "3.11.7",
            "versions": {"torch": "2.6"},
        },
        "commit_info": {"id": "c9e4567e72933e1fad51ed2202514934e1782633", "dirty": True},
        "command": "pytest my_claims",
        "profile": "fast",
        "seconds": 12.5,
        "finished": True,
        "claims": list(entries),
    } | changes


NASTY = [
    "",
    " ",
    "|",
    "a|b||",
    "\\",
    "\\\\|",
    "`",
    "``` `` `",
    "<script>alert(1)</script>",
    "</td>&amp;&#124;<br>",
    "*a* _b_ **c** ~~d~~",
    "[x](javascript:alert(1))",
    "![x](y)",
    "# no heading",
    "- no list",
    "1. no list",
    "> no quotation",
    "---",
    "===",
    "+",
    "$x$ and $$y$$",
    "100 % & #1 ~ ^ { } \\end{document} %",
    "\\input{/etc/passwd}",
    "^^41 ]]> --> -- ``quoted'' ,, <<>> ?` !`",
    "[1] * [2]",
    "line\nline\r\n\n\tline",
    "\x00\x1b[31m\u2028\u202e\ud800",
    "‖θ̂‖² ≤ ½ · Σ_i x_i, 漢字 🙂 ﬁ “q”",
    "x" * 300,
    "-1e-300 ± 2.5e+19",
]
texts = st.sampled_from(NASTY) | st.text(max_size=40)
paths = st.none() | texts
ratios = st.none() | st.sampled_from([0.0, 5e-324, 1e-300, 0.25, 1.0, 1e19, 1e308]) | st.floats(0, 1e308)
counts = st.integers(0, 10**7)


@st.composite
def entries(draw: st.DrawFn) -> Entry:
    """An entry that the schema allows, in which every text is anything at all."""
    entry = dict(draw(st.sampled_from(ALL)))
    entry |= {field: draw(texts) for field in ("source", "statement", "reason", "notes", "file", "command")}
    entry |= {field: draw(texts.filter(bool)) for field in ("id", "form")}
    entry["premises"] = [{"name": draw(texts), "accepted": draw(counts), "stated": draw(counts)} for _ in range(2)]
    entry["tightness"] = {"p50": draw(ratios), "max": draw(ratios), "histogram": None}
    entry["constants"] = [constant | {"name": draw(texts), "unit": draw(texts)} for constant in entry["constants"]]
    entry["mutants"] = {"caught": [draw(texts)], "lived": [draw(texts)]}
    entry["counterexample"] = draw(paths)
    if entry["hunted"]:
        entry["hunted"] = entry["hunted"] | {"ratio": [draw(ratios), None], "label": draw(texts)}
    if entry["shown"]:
        instance, routes = draw(st.lists(texts, max_size=4)), draw(st.lists(_routes, max_size=3))
        entry["shown"] = {"drawn": "", "instance": instance, "routes": routes}
        entry["ladder"] = [rung | {"constants": {draw(texts): draw(texts)}} for rung in entry["ladder"]]
    return entry


_values = st.fixed_dictionaries({"name": texts | st.sampled_from(["smaller side", "larger side"]), "value": texts})
_routes = st.fixed_dictionaries({"route": texts, "finding": texts, "values": st.lists(_values, max_size=4)})
hostile_runs = st.lists(entries(), max_size=4).flatmap(
    lambda found: st.builds(
        lambda command, finished: run(*found, command=command, finished=finished), texts, st.booleans()
    )
)
