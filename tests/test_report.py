"""The closing page from entries alone."""

from boundcheck.outcome import MEANING, PASSING, Verdict
from boundcheck.report import closing_page, failure

ENTRY = {
    "id": "MY-1",
    "form": "proved",
    "stance": "proved",
    "input": "generated",
    "source": "paper, Lemma 1",
    "statement": "a <= b",
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
    "tightness": {"p50": 0.5, "max": 0.99, "histogram": None},
    "attained": True,
    "ladder": [],
    "hunted": {"status": "HOLDS", "ratio": [0.999, 0.999], "attained": False, "truncated": False, "label": "dim=2"},
    "constants": [
        {"name": "c", "at": "1/4", "unit": "x", "better": "smaller", "printed": "1/3", "proved": "1/4", "found": 0.2475}
    ],
    "mutants": {"caught": ["half"], "lived": []},
    "counterexample": None,
    "worst_counterexample": None,
    "notes": "",
}


def test_rates_premises_constants_and_mutants_are_in_the_page() -> None:
    page = closing_page([ENTRY])
    row = next(line for line in page.splitlines() if line.startswith("MY-1:proved"))
    for words in ("HOLDS", "200", "25.0 %", "15.0 %", "10.0 %", "0.5", "0.99 =", "0.999", "1/1", "75 %  hard"):
        assert words in row, words
    assert "1/3" in page
    assert "0.2475" in page
    assert " 1 % " in page, "from 1/4 to 0.2475"
    assert "1 claim: 1 HOLDS; 400 instances judged" in page
    assert "400 instances, 0 broken; inconclusive 10.00 % outside the 0" in page


def test_a_living_mutant_a_refutation_and_a_failure_are_named() -> None:
    toothless = ENTRY | {
        "verdict": "TOOTHLESS",
        "reason": "mutants that lived: half",
        "mutants": {"caught": [], "lived": ["half"]},
    }
    fallen = ENTRY | {"id": "MY-2", "verdict": "REFUTED", "counterexample": "counterexamples/x.json"}
    page = closing_page([toothless, fallen])
    assert "0/1 lived: half" in page
    assert "MY-2:proved REFUTED: a <= b" in page
    assert "counterexamples/x.json" in page
    assert "MY-1:proved is TOOTHLESS: mutants that lived: half. (a wrong neighbour" in page


def test_real_rows_are_apart_and_never_in_the_verdict_table() -> None:
    real = ENTRY | {"input": "real", "verdict": "MEASURED", "notes": "It fails by a factor 3."}
    page = closing_page([real])
    assert page.startswith("Real data")
    assert "It fails by a factor 3." in page


def test_no_instances_do_not_divide_by_zero() -> None:
    empty = ENTRY | dict.fromkeys(("tested", "held", "vacuous", "unverified", "inconclusive", "at_equality"), 0)
    assert "-" in closing_page([empty | {"verdict": "ERROR", "premises": [], "tightness": {"p50": None, "max": None}}])


def test_every_verdict_has_a_meaning_and_every_failure_names_it() -> None:
    assert set(MEANING) == set(Verdict)
    for verdict in set(Verdict) - PASSING:
        assert MEANING[verdict] in failure(ENTRY | {"verdict": str(verdict)})


def test_claims_are_ranked_by_what_was_hunted() -> None:
    def hunted(name: str, **changes: object) -> dict[str, object]:
        return ENTRY | {"id": name, "hunted": ENTRY["hunted"] | changes}  # type: ignore[operator]

    page = closing_page(
        [
            hunted("LOOSE", ratio=[0.25, 0.25], truncated=True),
            hunted("FALSE", ratio=[None, None], status="VIOLATED"),
            hunted("SHARP", ratio=[1 - 1e-12, 1 + 1e-12], attained=True, status="INCONCLUSIVE"),
            ENTRY | {"id": "NONE", "hunted": None},
        ]
    )
    table = page[page.index("How tight") :].splitlines()[3:6]
    assert [row.split(":")[0] for row in table] == ["FALSE", "SHARP", "LOOSE"]
    assert "inf" in table[0]
    assert "violated, proved by two routes" in table[0]
    assert "tight, attained" in table[1]
    assert "cut short" in table[2]
