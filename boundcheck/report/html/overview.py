"""What the summary says: sentences, and the claims that each of them is about."""

from collections.abc import Sequence
from dataclasses import dataclass

from boundcheck.report.html.claims import Section
from boundcheck.report.html.groups import FAILS, GROUPS, HOLDS, INFORMS, OPEN, REFUTED, Group


@dataclass(frozen=True)
class Overview:
    """The run in a few figures and lists."""

    totals: list[tuple[Group, int]]
    holds: list[Section]
    refuted: list[Section]
    failing: list[Section]
    informs: list[Section]
    true_tested: int
    true_broken: int


def overview(sections: Sequence[Section]) -> Overview:
    """Sort the claims by what their verdicts come to, and count what was judged."""

    def among(*groups: object) -> list[Section]:
        return [section for section in sections if section.group in groups]

    generated = [section for section in sections if section.entry["input"] == "generated"]
    true = [section for section in generated if section.entry["stance"] in ("proved", "corrected")]
    return Overview(
        totals=[(group, len(among(group))) for group in GROUPS],
        holds=among(HOLDS),
        refuted=among(REFUTED),
        failing=among(OPEN, FAILS),
        informs=among(INFORMS),
        true_tested=sum(section.entry["tested"] for section in true),
        true_broken=sum(section.broken for section in true),
    )
