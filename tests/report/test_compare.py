"""What changed between two runs: laws that hold for any two, and the definitions at their edges."""

import json
import math
from fractions import Fraction
from importlib import resources
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from boundcheck.errors import BoundcheckError
from boundcheck.outcome import PASSING, Verdict
from boundcheck.report.compare import FORMATS, Comparison, Kind, Limits, compare, figures, light, page
from tests.report.made_runs import HOSTILE, Entry, constant, entry, made_run, ratio, runs, shares

EVERYTHING = Limits.parse("tightness:0%,constant:0%,verdict")


def against(old: Entry, new: Entry, limits: str = "tightness:2%,constant:1%,verdict") -> Comparison:
    return compare(made_run(old), made_run(new), Limits.parse(limits))


def kinds(comparison: Comparison) -> set[Kind]:
    return {kind for one in comparison.changed for kind in one.kinds}


def rules(comparison: Comparison) -> list[str]:
    return [one.rule for one in comparison.regressions]


def of_kind(comparison: Comparison, kind: Kind) -> set[tuple[str, ...]]:
    return {either.key for one in comparison.changed if kind in one.kinds if (either := one.old or one.new)}


# ------------------------------------------------------------------------------------------------------- for any runs


@given(runs)
def test_the_samples_are_runs(run: dict[str, Any]) -> None:
    schema = json.loads(resources.files("boundcheck.record").joinpath("schema.json").read_text())
    jsonschema.validate(run, schema)


@given(runs)
def test_a_run_compared_with_itself_gives_nothing(run: dict[str, Any]) -> None:
    comparison = compare(run, run, EVERYTHING)
    assert not comparison.changed
    assert not comparison.regressions
    assert comparison.upshot().startswith("Nothing changed")


@given(runs, runs)
def test_the_other_way_round_tighter_is_looser_and_new_is_gone(one: dict[str, Any], two: dict[str, Any]) -> None:
    there, back = compare(one, two), compare(two, one)
    for kind, other in ((Kind.TIGHTER, Kind.LOOSER), (Kind.NEW, Kind.GONE)):
        assert of_kind(there, kind) == of_kind(back, other)
        assert of_kind(there, other) == of_kind(back, kind)
    for kind in (Kind.CONSTANTS, Kind.COUNTS, Kind.STATEMENT):
        assert of_kind(there, kind) == of_kind(back, kind)


@given(runs, runs, shares, shares)
def test_a_larger_allowance_never_finds_more(
    one: dict[str, Any], two: dict[str, Any], share: Fraction, more: Fraction
) -> None:
    strict, lax = (Limits(True, part, part) for part in (share, share + more))
    sentences = {found.sentence for found in compare(one, two, strict).regressions}
    assert {found.sentence for found in compare(one, two, lax).regressions} <= sentences
    assert not compare(one, two, Limits()).regressions


@given(runs, runs)
def test_verdicts_are_lost_exactly_where_a_passing_one_is_no_more(one: dict[str, Any], two: dict[str, Any]) -> None:
    def verdicts(run: dict[str, Any]) -> dict[tuple[str, ...], str]:
        return {(e["input"], e["id"], e["form"]): e["verdict"] for e in run["claims"]}

    before, after = verdicts(one), verdicts(two)
    lost = [key for key, verdict in before.items() if Verdict(verdict) in PASSING and after.get(key) != verdict]
    found = compare(one, two, Limits(verdict=True)).regressions
    assert sorted(each.claim for each in found) == sorted(f"{key[1]}:{key[2]}" for key in lost)


@given(runs, runs)
def test_what_crosses_to_a_worker_is_enough(one: dict[str, Any], two: dict[str, Any]) -> None:
    sent = json.loads(json.dumps(light(one)))
    assert compare(sent, two, EVERYTHING) == compare(one, two, EVERYTHING)


@given(runs, runs, st.sampled_from(FORMATS), st.booleans())
def test_every_page_can_be_made_and_stays_in_its_lines(
    one: dict[str, Any], two: dict[str, Any], form: str, everything: bool
) -> None:
    comparison = compare(one, two, EVERYTHING)
    text = page(comparison, form, everything=everything)
    assert all(line.isprintable() for line in text.splitlines())
    rows = len(comparison.changes if everything else comparison.changed)
    if form == "json":
        assert len(json.loads(text)["claims"]) == rows
    elif form == "markdown":
        tokens = MarkdownIt("commonmark").enable("table").parse(text)
        assert [token.type for token in tokens].count("tr_open") == (rows + 1 if rows else 0)
        assert [token.type for token in tokens].count("td_open") == 5 * rows
        assert not any(token.type in ("html_block", "heading_open") for token in tokens)


@pytest.mark.parametrize("name", [name for name in HOSTILE if name.isprintable() and name == name.strip() and name])
def test_markdown_shows_a_hostile_name_as_it_is(name: str) -> None:
    text = page(against(entry(id=name), entry(id=name, verdict="VACUOUS")), "markdown")
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    inline = [token.children or [] for token in tokens if token.type == "inline"]
    assert all(
        child.type in ("text", "text_special", "strong_open", "strong_close") for part in inline for child in part
    )
    assert f"{name}:proved" in ["".join(child.content for child in part) for part in inline]


# ----------------------------------------------------------------------------------------------------------- verdicts


@pytest.mark.parametrize(
    ("old", "new", "kind", "worse"),
    [
        ("HOLDS", "UNDECIDED", Kind.FAILING, True),
        ("HOLDS", "VIOLATED", Kind.FAILING, True),
        ("HOLDS", "REFUTED", Kind.REFUTED, True),
        ("REFUTED", "HOLDS", Kind.VERDICT, True),
        ("REFUTED", "UNREFUTED", Kind.FAILING, True),
        ("MEASURED", "HOLDS", Kind.VERDICT, True),
        ("UNREFUTED", "REFUTED", Kind.REFUTED, False),
        ("ERROR", "HOLDS", Kind.FIXED, False),
        ("ERROR", "INVALID", Kind.VERDICT, False),
    ],
)
def test_verdicts(old: str, new: str, kind: Kind, worse: bool) -> None:
    comparison = against(entry(verdict=old), entry(verdict=new))
    assert kinds(comparison) == {kind}
    assert rules(comparison) == (["verdict"] if worse else [])
    assert f"{old} → {new}" in page(comparison, "terminal")


def test_gone_and_new() -> None:
    comparison = compare(made_run(entry()), made_run(entry(id="MY-2")), Limits(verdict=True))
    assert kinds(comparison) == {Kind.GONE, Kind.NEW}
    assert [one.sentence for one in comparison.regressions] == ["MY-1:proved was HOLDS and is gone"]
    failing = compare(made_run(entry(verdict="ERROR")), made_run(), Limits(verdict=True))
    assert not failing.regressions, "it did not pass before"


def test_a_part_of_a_run_loses_nothing() -> None:
    comparison = compare(made_run(entry(), entry(id="MY-2")), made_run(entry()), EVERYTHING, partial=True)
    assert not comparison.changed
    assert not comparison.regressions
    assert comparison.notes == ("1 claim of the old run was not run: MY-2:proved.",)


# -------------------------------------------------------------------------------------------------------------- ratios


@pytest.mark.parametrize(
    ("old", "new", "kind", "worse"),
    [
        (ratio(0.5, 0.9), ratio(0.9), None, False),  # drawn or hunted, the larger counts
        (ratio(0.9), ratio(0.5), Kind.LOOSER, True),
        (ratio(0.5), ratio(0.9), Kind.TIGHTER, False),
        (ratio(1.0), ratio(0.981), Kind.LOOSER, False),  # by less than 2 %
        (ratio(1.0), ratio(0.979), Kind.LOOSER, True),
        (ratio(1.0), ratio(1.0 - 1e-9), None, False),  # the last bits
        (ratio(0.9, None), ratio(0.9, None), None, False),  # the larger side is 0 or less: infinite, twice
        (ratio(0.9, None), ratio(1e300), Kind.LOOSER, True),
        (ratio(0.9), ratio(None, None), Kind.TIGHTER, False),
        (ratio(0.9), ratio(None), Kind.LOOSER, True),  # nothing found any more
        (ratio(None), ratio(0.9), Kind.TIGHTER, False),
        (ratio(0.0), ratio(None), None, False),
        (ratio(None, -1.0), ratio(None, -2.0), None, False),  # no bound is further away than one that is not approached
        (ratio(0.9), ratio(None, -1.0), Kind.LOOSER, True),
        (ratio(5e-324), ratio(0.0), Kind.LOOSER, True),
    ],
)
def test_ratios(old: Entry, new: Entry, kind: Kind | None, worse: bool) -> None:
    comparison = against(old, new)
    assert kinds(comparison) == ({kind} if kind else set())
    assert rules(comparison) == (["tightness"] if worse else [])


def test_a_fall_by_the_limit_and_no_more_is_none() -> None:
    assert not rules(against(ratio(1.0), ratio(0.75), "tightness:25%"))
    assert rules(against(ratio(1.0), ratio(0.75 - 1e-15), "tightness:25%")) == ["tightness"]


def test_an_infinite_ratio_is_said_to_be() -> None:
    comparison = against(ratio(1.0), ratio(None, None))
    assert "1 → inf" in page(comparison, "terminal")
    assert json.loads(page(comparison, "json"))["claims"][0]["new"]["ratio"] == "inf"
    assert figures(ratio(None, None)).ratio == math.inf


# ----------------------------------------------------------------------------------------------------------- constants


def with_constants(*them: dict[str, Any], **changes: Any) -> Entry:
    return entry(constants=list(them), **changes)


@pytest.mark.parametrize(
    ("old", "new", "worse"),
    [
        ({"at": "1/2", "better": "smaller"}, {"at": "3/4", "better": "smaller"}, 1),
        ({"at": "1/2", "better": "smaller"}, {"at": "1/4", "better": "smaller"}, 0),
        ({"at": "1/2", "better": "larger"}, {"at": "1/4", "better": "larger"}, 1),
        ({"at": "1/2", "better": "larger"}, {"at": "3/4", "better": "larger"}, 0),
        ({"at": "1/2", "better": None}, {"at": "3/4", "better": None}, 0),  # which is weaker nobody says
        ({"at": "1"}, {"at": "101/100"}, 0),  # by 1 % and no more
        ({"at": "1"}, {"at": "1011/1000"}, 1),
        ({"at": "0"}, {"at": "2^-9999"}, 1),  # of nothing anything is more than 1 %
        ({"at": "2^-9999"}, {"at": "1"}, 1),  # a share that no double holds
        ({"at": "-1"}, {"at": "-1/2"}, 1),
        ({"found": 0.45}, {"found": 0.4}, 1),  # a smaller constant would do now: the tightest instance is less tight
        ({"found": 0.4}, {"found": 0.45}, 0),
        ({"found": 0.5, "better": "larger"}, {"found": 0.6, "better": "larger"}, 1),
        ({"found": 0.6, "better": "larger"}, {"found": 0.5, "better": "larger"}, 0),
        ({"found": 0.0, "better": "larger"}, {"found": 1e-9, "better": "larger"}, 1),
        ({"found": 0.4}, {"found": None}, 1),
        ({"found": None}, {"found": 0.4}, 0),
        ({"at": "1/2", "found": 0.45}, {"at": "1", "found": 0.4}, 2),
    ],
)
def test_constants(old: dict[str, Any], new: dict[str, Any], worse: int) -> None:
    comparison = against(with_constants(constant(**old)), with_constants(constant(**new)))
    assert kinds(comparison) == {Kind.CONSTANTS}
    assert rules(comparison) == ["constant"] * worse


def test_no_value_is_found_where_no_value_would_do() -> None:
    """An infinite ratio leaves nothing to find, and is no weaker search."""
    broken = ratio(None, None) | {"constants": [constant(found=None)]}
    assert not rules(against(with_constants(constant(found=0.45)), broken, "constant:1%"))


def test_other_sets_of_constants_and_names_that_stand_twice() -> None:
    comparison = against(with_constants(constant()), with_constants(constant(name="k"), constant(name="k", at="1")))
    assert comparison.changed[0].also == ("c is gone", "k is new")
    (regression,) = comparison.regressions
    assert (regression.rule, regression.sentence) == ("constant", "MY-1:proved: its constant c is gone")


def test_another_stance_is_told() -> None:
    comparison = against(entry(), entry(stance="conjectured"))
    assert kinds(comparison) == {Kind.STANCE}
    assert comparison.changed[0].also == ("proved → conjectured",)


def test_how_badly_a_counterexample_breaks_a_false_claim_is_no_regression() -> None:
    def fallen(worst: float, at: str = "1/4") -> dict[str, Any]:
        constants = with_constants(constant(at=at))["constants"]
        return entry(
            verdict="REFUTED",
            refuted_by="instance",
            violated=1,
            constants=constants,
            tightness={"p50": 0.5, "max": worst, "histogram": None},
            hunted=None,
        )

    milder = against(fallen(1870.0), fallen(133.0))
    assert Kind.MILDER in kinds(milder)
    assert not milder.regressions
    assert Kind.WORSE in kinds(against(fallen(133.0), fallen(1870.0)))
    assert Kind.LOOSER not in kinds(milder)


def test_a_claim_that_falls_where_the_larger_side_is_0_has_an_infinite_ratio() -> None:
    below = {"p50": 1e-16, "max": 2.5e-15, "histogram": None}
    order = entry(verdict="REFUTED", refuted_by="order", violated=1, tightness=below, hunted=None)
    assert figures(order).ratio == math.inf


# ------------------------------------------------------------------------------------------------- counts, words, notes


def test_counts_premises_mutants_and_the_statement_are_told_and_are_no_regressions() -> None:
    new = entry(
        held=290,
        invalid=7,
        statement="a < b",
        premises=[{"name": "hard", "accepted": 1, "stated": 2}],
        mutants={"caught": [], "lived": ["halved"]},
    )
    comparison = against(entry(), new)
    assert kinds(comparison) == {Kind.STATEMENT, Kind.COUNTS}
    assert comparison.changed[0].also == (
        "the statement reads differently",
        "premise 'easy' met by 300 of 400 → none (not stated)",
        "premise 'hard' met by none (not stated) → 1 of 2",
        "holds 300 → 290",
        "invalid 0 → 7",
        "mutants that lived: none → halved",
    )
    assert not comparison.regressions


def test_premises_of_one_name_are_counted_together() -> None:
    one, two = ({"name": "p", "accepted": met, "stated": 5} for met in (1, 3))
    assert figures(entry(premises=[one, two])).premises == {"p": (4, 10)}


def test_a_claim_that_stands_twice_counts_as_it_stood_last() -> None:
    again = made_run(entry(verdict="ERROR"), entry())
    comparison = compare(made_run(entry()), again, EVERYTHING, names=("a.json", "b.json"))
    assert not comparison.changed
    assert comparison.notes == ("MY-1:proved stands 2 times in b.json: its last entry is compared.",)


def test_circumstances_that_differ_are_noted() -> None:
    other = made_run(
        entry(seed=7, device="cuda"),
        profile="deep",
        version="0.2.0",
        finished=False,
        machine_info={"machine": "arm64", "versions": {"torch": "3.0", "numpy": "2.0"}},
    )
    notes = "\n".join(compare(made_run(entry()), other).notes)
    for words in (
        "profile: fast before, deep now",
        "seed: 0 before, 7 now",
        "device: cpu before, cuda now",
        "boundcheck: 0.1.0 before, 0.2.0 now",
        "version of torch: 2.13.0 before, 3.0 now",
        "version of numpy: none before, 2.0 now",
        "machine: x86_64 before, arm64 now",
        "the new run did not come to its end",
    ):
        assert words in notes, words


def test_the_upshot_counts_each_kind() -> None:
    old = made_run(entry(), entry(id="MY-2"), entry(id="MY-3"))
    new = made_run(entry(), entry(id="MY-2", verdict="ERROR"), entry(id="MY-4"))
    assert compare(old, new, Limits(verdict=True)).upshot() == (
        "Of 4 claims 1 is as before: 1 newly failing, 1 gone, 1 new. 2 regressions by verdict."
    )
    assert compare(made_run(), made_run()).upshot() == (
        "Nothing changed: 0 claims with the same verdicts, ratios, constants and counts."
    )


@pytest.mark.parametrize(
    "broken",
    [
        {"tightness": None},
        {"hunted": {"ratio": []}},
        {"constants": [{"name": "c", "at": "π", "better": None, "found": None}]},
        {"constants": {"c": 1}},
        {"held": "many"},
        {"premises": [{"name": "p", "accepted": None, "stated": 1}]},
        {"mutants": []},
    ],
)
def test_an_entry_that_is_none_is_one_sentence(broken: Entry) -> None:
    with pytest.raises(BoundcheckError):
        compare(made_run(entry()), made_run(entry(**broken)))


# -------------------------------------------------------------------------------------------------------------- limits


@given(shares, shares, st.booleans())
def test_limits_are_read_as_they_are_written(tightness: Fraction, loss: Fraction, verdict: bool) -> None:
    words = [f"tightness:{float(100 * tightness):.4f}%", f" constant:{float(100 * loss):.4f}%", *["verdict"] * verdict]
    limits = Limits.parse(",".join(words))
    assert limits.verdict is verdict
    assert limits.tightness == pytest.approx(tightness, abs=1e-6)
    assert limits.constant == pytest.approx(loss, abs=1e-6)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            ",",
            "verdict,",
            "verdict,verdict",
            "verdict:1%",
            "seconds:1%",
            "TIGHTNESS:2%",
            "tightness",
            "tightness:2",
        ),
        *("tightness:-2%", "tightness:nan%", "tightness:٢%", "tightness:2%,tightness:2%", "constant:1e3%"),
    ],
)
def test_limits_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(BoundcheckError, match=r"expected verdict, tightness:X% and constant:X%"):
        Limits.parse(text)
