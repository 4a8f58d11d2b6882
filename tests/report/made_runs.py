"""Runs made by hand or drawn by Hypothesis, as the schema has them: nothing here has to be true."""

from typing import Any

from hypothesis import strategies as st

from boundcheck.outcome import Verdict

Entry = dict[str, Any]

COUNTED = (
    "tested",
    "held",
    "vacuous",
    "unverified",
    "inconclusive",
    "at_equality",
    "violated",
    "violated_uncertified",
    "invalid",
)


def entry(**changes: Any) -> Entry:
    """A claim that holds."""
    return {
        "id": "MY-1",
        "form": "proved",
        "stance": "proved",
        "input": "generated",
        "source": "my paper, Lemma 1",
        "statement": "a <= c·b",
        "file": "my_claims/lemma.py:7",
        "kind": "inequality",
        "refuted_by": None,
        "verdict": "HOLDS",
        "reason": "300 instances, 0 violations",
        **dict.fromkeys(COUNTED, 0),
        "tested": 400,
        "held": 300,
        "vacuous": 100,
        "premises": [{"name": "easy", "accepted": 300, "stated": 400}],
        "tightness": {"p50": 0.5, "max": 0.9, "histogram": None},
        "attained": None,
        "scatter": [[1.0, 2.0]],
        "hunted": None,
        "constants": [constant()],
        "mutants": {"caught": ["halved"], "lived": []},
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
        "evaluations": 400,
        "proofs": 0,
        "seconds": 1.5,
    } | changes


def constant(**changes: Any) -> dict[str, Any]:
    """c = 1/2 on the larger side, of which 0.45 would do."""
    return {
        "name": "c",
        "at": "1/2",
        "unit": "b",
        "better": "smaller",
        "printed": "",
        "proved": "1/2",
        "found": 0.45,
    } | changes


def hunted(low: float | None) -> dict[str, Any]:
    """What a climb found; None: the larger side is 0 or less."""
    return {
        "status": "HOLDS",
        "ratio": [low, low],
        "random": None,
        "attained": False,
        "evaluations": 9,
        "truncated": False,
        "label": "dim=2",
        "instance": "extremes/MY-1.proved.json",
    }


def ratio(drawn: float | None, low: float | str | None = "no hunt") -> Entry:
    """A claim whose worst ratios these are."""
    found = None if low == "no hunt" else hunted(low)  # type: ignore[arg-type]
    return entry(tightness={"p50": None, "max": drawn, "histogram": None}, hunted=found)


def made_run(*claims: Entry, **changes: Any) -> dict[str, Any]:
    """A run of these claims."""
    return {
        "schema_version": 5,
        "version": "0.1.0",
        "datetime": "2026-01-02T03:04:05+00:00",
        "machine_info": {"machine": "x86_64", "system": "Linux", "versions": {"torch": "2.13.0"}},
        "commit_info": {"id": "0123456789abcdef", "dirty": False, "time": "2026-01-01T00:00:00+00:00"},
        "command": "pytest my_claims",
        "profile": "fast",
        "seconds": 2.0,
        "finished": True,
        "claims": list(claims),
    } | changes


HOSTILE = [
    "c|d",
    "<script>alert(1)</script>",
    "a\nb",
    "`&amp;` %n {} $x$ \\",
    "*_#[x](javascript:1)",
    "\x1b[2J",
    "",
    "γ²",
]

names = st.sampled_from(["c", "k", *HOSTILE])
ratios = st.none() | st.sampled_from([0.0, -1.0, 1.0, 5e-324, 1e308]) | st.floats(-2, 4)
shares = st.fractions(0, 3, max_denominator=1000)

constants = st.builds(
    constant,
    name=names,
    at=st.sampled_from(["1/2", "1/4", "0", "-3", "2^-64", "87/100", "2^-9999"]),
    better=st.sampled_from(["smaller", "larger", None]),
    found=ratios,
)
premises = st.builds(
    lambda name, met, more: {"name": name, "accepted": met, "stated": met + more},
    names,
    st.integers(0, 9),
    st.integers(0, 9),
)


@st.composite
def entries(draw: st.DrawFn) -> Entry:
    """Any claim: the same name may come with another input, constants and premises may stand twice."""
    counts = {name: draw(st.integers(0, 5)) for name in COUNTED}
    return entry(
        id=draw(st.sampled_from(["A", "B", *HOSTILE[:4]])),
        form=draw(st.sampled_from(["proved", "U"])),
        input=draw(st.sampled_from(["generated", "real"])),
        verdict=str(draw(st.sampled_from(list(Verdict)))),
        tightness={"p50": None, "max": draw(ratios), "histogram": None},
        hunted=draw(st.none() | st.builds(hunted, ratios)),
        constants=draw(st.lists(constants, max_size=3)),
        premises=draw(st.lists(premises, max_size=3)),
        mutants={"caught": [], "lived": draw(st.lists(names, max_size=2))},
        **counts,
    )


runs = st.builds(
    lambda claims, profile, finished: made_run(*claims, profile=profile, finished=finished),
    st.lists(entries(), max_size=5),
    st.sampled_from(["fast", "deep"]),
    st.booleans(),
)
