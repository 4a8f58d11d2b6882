"""What a run's entries say, as tables: verdicts, constants, premises, statements, real data."""

from collections.abc import Sequence

from boundcheck.exact import exact, symbol
from boundcheck.report.counterexamples import side
from boundcheck.report.findings import drawn_ratio, papers, place, worst_ratio
from boundcheck.report.table import Column, Entry, Kind, Table, name, number, percent, ratio, share, table
from boundcheck.report.tightness import shown

CLAIM = Column("claim", Kind.KEY)
STATEMENT = Column("statement", Kind.FORMULA, share=3)
PLACE = Column("place", share=1)


def _number(header: str, meaning: str = "") -> Column:
    return Column(header, Kind.NUMBER, "right", meaning=meaning)


VERDICTS = (
    CLAIM,
    Column("verdict"),
    _number("holds", "premises verified and the inequality decided, both by computed error bounds"),
    _number("broken"),
    _number("vacuous", "a premise is false"),
    _number("unverif.", "a premise is undecided or rests on an estimate"),
    _number("inconcl.", "the sides are closer than their error bounds"),
    _number("at equality", "that, on structures where the claim says its sides can be equal"),
    _number("median", "smaller side / larger side of the median instance"),
    Column(
        "tightest",
        Kind.NUMBER,
        meaning="the largest such ratio drawn (1: attained; inf: an instance whose larger side is 0 or less breaks it; "
        "a trailing = or not = says whether the declared equality case was seen to be one, within error bounds below 1e-9 "
        "of the sides)",
    ),
    Column(
        "hunted",
        Kind.NUMBER,
        meaning="the ratio of the worst instance that a climb found, confirmed in ball arithmetic (=: attained)",
    ),
    Column("mutants", Kind.NUMBER, meaning="wrong neighbours caught / tried"),
    Column("hardest premise", share=1, meaning="the one met least often, and by how many instances"),
)

SURPRISE = (
    "Of a claim about a probability that samples judge, the smaller side is how surprising their failures would be, "
    "were it true, the larger how surprising they may be."
)


def verdict_table(entries: Sequence[Entry]) -> Table | None:
    """One row a claim: verdict, counts, rates, the premise most often missed, tightness, mutants."""
    rows = [
        [
            name(e),
            e["verdict"],
            f"{e['held']:,}",
            f"{e['violated'] + e['violated_uncertified']:,}",
            share(e, e["vacuous"]),
            share(e, e["unverified"]),
            share(e, e["inconclusive"] - e["at_equality"]),
            share(e, e["at_equality"]),
            ratio(e["tightness"]["p50"]),
            ratio(drawn_ratio(e)) + {True: " =", False: " not =", None: ""}[e["attained"]],
            _hunted(e),
            _mutants(e),
            _hardest_premise(e),
        ]
        for e in entries
    ]
    counted = any("probability" in e["statement"] for e in entries)
    return table("Verdicts", VERDICTS, rows, SURPRISE if counted else "")


def statement_tables(entries: Sequence[Entry]) -> list[Table]:
    """What each claim says, where, and how near its sides come to each other; a table for each paper."""
    columns = (CLAIM, STATEMENT, PLACE, _number("tightest"))
    return [
        Table(paper, columns, tuple((name(e), e["statement"], place(e, paper), tightest(e)) for e in group))
        for paper, group in papers(entries).items()
    ]


def refuted_tables(entries: Sequence[Entry]) -> list[Table]:
    """What each claim that fell says, both sides of its simplest instance, and how it falls; a table for each paper."""
    columns = (
        CLAIM,
        STATEMENT,
        PLACE,
        _number("smaller", "the smaller side of the simplest instance, to four digits"),
        _number("larger", "its larger side"),
        Column("falls by"),
    )
    return [
        Table(
            paper,
            columns,
            tuple(
                (
                    name(e),
                    e["statement"],
                    place(e, paper),
                    side(e, "smaller side"),
                    side(e, "larger side"),
                    e["refuted_by"] or "",
                )
                for e in group
            ),
        )
        for paper, group in papers(entries).items()
    ]


def tightest(entry: Entry) -> str:
    """The largest ratio that was seen, drawn or climbed to; of an equation, which has none, the word."""
    if entry["kind"] == "identity":
        return "equation"
    return ratio(worst_ratio(entry))


def _hardest_premise(entry: Entry) -> str:
    stated = [p for p in entry["premises"] if p["stated"]]
    if not stated:
        return "none stated"
    hardest = min(stated, key=lambda p: p["accepted"] / p["stated"])
    return f"{percent(hardest['accepted'], hardest['stated'], decimals=0):>5}  {hardest['name']}"


def _hunted(entry: Entry) -> str:
    found = entry["hunted"]
    return "-" if found is None else shown(found) + (" =" if found["attained"] else "")


def _mutants(entry: Entry) -> str:
    caught, lived = entry["mutants"]["caught"], entry["mutants"]["lived"]
    if not caught and not lived:
        return "-"
    return f"{len(caught)}/{len(caught) + len(lived)}" + (f" lived: {', '.join(lived)}" if lived else "")


CONSTANTS = (
    CLAIM,
    Column("constant", Kind.FORMULA),
    Column("of", Kind.FORMULA, share=1),
    Column("printed", Kind.FORMULA),
    Column("checked", Kind.FORMULA),
    _number("found", "what the tightest instance would still allow, whether it was drawn or climbed to"),
    _number("gap", "how far that is from what was checked"),
    Column("stronger if"),
)


def constants_table(entries: Sequence[Entry]) -> Table | None:
    """Printed, used and found for each constant that scales a side."""
    rows = [
        [name(e), symbol(c["name"]), c["unit"], c["printed"] or "-", c["at"], number(c["found"]), _gap(c), c["better"]]
        for e in entries
        for c in e["constants"]
        if c["better"]
    ]
    return table("Constants", CONSTANTS, rows)


def _gap(constant: Entry) -> str:
    """How far a constant could move, in per cent of it."""
    at, found = float(exact(constant["at"])), constant["found"]
    if found is None or at == 0:
        return "-"
    gap = 100 * abs(found / at - 1)
    return f"{gap:,.0f} %" if 99.5 <= gap < 1e7 else f"{gap:.2g} %"


def premise_table(entries: Sequence[Entry]) -> Table | None:
    """How many of the instances that stated a premise met it, for the premises that not all met."""
    rows = [
        [name(e), p["name"], f"{p['accepted']:,}", f"{p['stated']:,}", percent(p["accepted"], p["stated"])]
        for e in entries
        for p in e["premises"]
        if p["accepted"] < p["stated"]
    ]
    columns = (CLAIM, Column("premise", Kind.FORMULA, share=1), _number("met"), _number("of"), _number("rate"))
    remark = "Every instance that stated any other premise was seen to meet it."
    return table("Premises that not every instance met", columns, rows, remark)


def real_table(entries: Sequence[Entry]) -> Table | None:
    """Measured on real data: informs, never gates."""
    rows = [
        [
            name(e),
            e["verdict"],
            e["reason"],
            _hardest_premise(e),
            ratio(e["tightness"]["p50"]),
            ratio(drawn_ratio(e)),
        ]
        for e in entries
    ]
    columns = (
        CLAIM,
        Column("verdict"),
        Column("instances", share=1),
        Column("hardest premise", share=1),
        _number("median"),
        _number("tightest"),
    )
    return table("Real data (these rows inform and never gate)", columns, rows)
