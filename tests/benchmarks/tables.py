"""The tables of a record, for the terminal and for the page alike."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Speed = Mapping[str, Any]


@dataclass(frozen=True)
class Table:
    """A heading, a sentence, and rows of words."""

    heading: str
    text: str
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]


def tables(speed: Speed) -> list[Table]:
    """Those of which there is something to show."""
    made = (comparisons, accuracy, throughput, memory, whole_claims, screening, runs, ceilings, roofline)
    return [table for table in (make(speed) for make in made) if table.rows]


def comparisons(speed: Speed) -> Table:
    """A line a comparison."""
    rows = []
    for one in speed["comparisons"]:
        for other in one["others"]:
            rows.append(
                [
                    f"{one['key']}: {one['title']}",
                    other["form"],
                    seconds(one["median"]),
                    seconds(other["median"]),
                    f"{other['ratio']:.3g}",
                    f"{other['ratio_of_least']:.3g}",
                    target(other["target"], at_most=other["at_most"]),
                    reached(other["reached"]),
                    f"{other['difference']:.0e}",
                    seconds(other["compile"]) if other["compile"] is not None else "",
                ]
            )
    text = (
        "γ_ov, σ_min and σ_max, unless another quantity is named; float64, all forms in one process, turn by turn, on one thread "
        "where two are not named. The ratio is the median over rounds of (the other's time)/(ours) within a round, or of "
        "(ours)/(the other's) where the target is an upper bound; it is what a target is held against. min/min is that of the "
        "least times; the times shown are medians. Difference: the largest relative one from ours."
    )
    heads = [
        "workload",
        "beside",
        "ours",
        "the other",
        "ratio",
        "min/min",
        "target",
        "reached",
        "difference",
        "compiled in",
    ]
    return Table("Beside other ways", text, heads, rows)


def accuracy(speed: Speed) -> Table:
    """Errors against many digits."""
    rows = [
        [one["key"], one["quantity"], f"{one['condition']:.1e}", f"{one['error']:.2g}", *_judged(one, "{:g}")]
        for one in speed["accuracy"]
    ]
    text = "Relative errors in units of eps·κ(J_S), against 256 bits (Arb balls, mpmath)."
    return Table("Accuracy", text, ["workload", "quantity", "κ", "error", "target", "reached"], rows)


def throughput(speed: Speed) -> Table:
    """Nets a second."""
    rows = [
        [str(one["processes"]), f"{one['per_second']:,.0f}", *_judged(one, "{:,.0f}", at_most=False)]
        for one in speed["throughput"]
    ]
    text = "Nets of W3 a second, in processes of one thread each that start together."
    return Table("Throughput", text, ["processes", "nets/s", "target", "reached"], rows)


def memory(speed: Speed) -> Table:
    """Peaks beyond the inputs."""
    rows = [
        [
            one["key"],
            f"{one['extra'] / 1e6:,.1f}",
            f"{one['hidden'] / 1e6:,.1f}",
            target(None if one["target"] is None else one["target"] / 1e6, at_most=True),
            reached(one["reached"]),
        ]
        for one in speed["memory"]
    ]
    text = (
        "MB at the peak of a fresh process that makes the inputs and one call, less the peak of one that only makes the inputs. "
        "Both have made the same kind of call on a small net before: code that loads on a first call does not count. Hidden: the "
        "most that a figure can be too small by, which a target has to bear as well."
    )
    return Table("Memory", text, ["call", "extra [MB]", "hidden [MB]", "target", "reached"], rows)


def whole_claims(speed: Speed) -> Table:
    """Beside a researcher's script."""
    rows = [
        [
            one["claim"],
            f"{one['ours_per_second']:,.0f}",
            f"{one['script_per_second']:,.3g}",
            f"{one['ratio']:.3g}",
            *_judged(one, "{:g}", at_most=False),
        ]
        for one in speed["scripts"]
    ]
    text = (
        "Instances a second of a whole claim, its gradient descent included, beside a script of one instance at a time."
    )
    return Table("Whole claims", text, ["claim", "ours", "script", "ratio", "target", "reached"], rows)


def screening(speed: Speed) -> Table:
    """What computed error bounds cost."""
    rows = [
        [
            one["claim"],
            *(seconds(one[part]) for part in ("build", "plain", "enclosed")),
            f"{one['instances_per_second']:,.0f}",
            f"{one['ratio']:.2f}",
            *_judged(one, "{:g}"),
        ]
        for one in speed["screening"]
    ]
    text = (
        "A claim on new batches of 1,024 instances of two structures: drawn and built, then judged with computed error bounds, "
        "or only evaluated. The ratio is (build + enclosed)/(build + plain)."
    )
    heads = ["claim", "build", "plain", "enclosed", "instances/s", "ratio", "target", "reached"]
    return Table("Screening with error bounds", text, heads, rows)


def runs(speed: Speed) -> Table:
    """Runs of pytest on claims."""
    rows = [
        [
            f"`{one['command']}`",
            f"{one['claims']}",
            f"{one['instances']:,}",
            seconds(one["seconds"]),
            f"{one['instances_per_second']:,.0f}",
            "yes" if one["passed"] else "no",
        ]
        for one in speed["runs"]
    ]
    text = "In a process of its own, start-up, tracing, mutants, proofs and hunts included."
    return Table("Runs", text, ["command", "claims", "instances", "time", "instances/s", "passed"], rows)


def ceilings(speed: Speed) -> Table:
    """What the processor can do."""
    rows = [
        [f"{one['threads']}", f"{one['flops_per_second'] / 1e9:.1f}", f"{one['bytes_per_second'] / 1e9:.1f}"]
        for one in speed["ceilings"]
    ]
    return Table(
        "Ceilings",
        "Measured in the same run: float64 matrix products, and a triad over 256 MiB buffers.",
        ["threads", "GFLOP/s", "GB/s"],
        rows,
    )


def roofline(speed: Speed) -> Table:
    """Which resource binds."""
    rows = [
        [
            one["key"],
            f"{one['operators']:,}",
            f"{one['flops'] / 1e9:.3g}",
            f"{one['bytes'] / 1e6:.3g}",
            f"{one['intensity']:.2g}",
            f"{one['flops_per_second'] / 1e9:.3g}",
            f"{one['compute']:.0%}",
            f"{one['memory']:.0%}",
            one["binds"],
        ]
        for one in speed["roofline"]
    ]
    text = (
        "Our form of each workload: operators, operations and bytes into and out of operators (an upper bound of the traffic: "
        "caches keep some), and the share of the time that the ceilings of one thread explain. Above 100 % the numbers stayed in "
        "cache."
    )
    heads = ["workload", "operators", "GFLOP", "MB", "FLOP/byte", "GFLOP/s", "compute", "memory", "binds"]
    return Table("Which resource binds", text, heads, rows)


def seconds(value: float) -> str:
    """A time in few characters.

    >>> seconds(0.0123), seconds(12.3)
    ('12.3 ms', '12.3 s')
    """
    return f"{value:.3g} s" if value >= 1 else f"{1e3 * value:.3g} ms"


def target(value: float | None, *, at_most: bool) -> str:
    """A bound on a figure."""
    return "" if value is None else f"{'<=' if at_most else '>='} {value:,g}"


def reached(value: bool | None) -> str:
    """In words."""
    return "" if value is None else "reached" if value else "missed"


def _judged(one: Mapping[str, Any], style: str, *, at_most: bool = True) -> list[str]:
    if one["target"] is None:
        return ["", ""]
    return [f"{'<=' if at_most else '>='} {style.format(one['target'])}", reached(one["reached"])]
