"""One instance and what was proved of it, as plain text."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from boundcheck.exact import symbol

if TYPE_CHECKING:
    from boundcheck.claim import Claim


def instance_page(claim: "Claim", shown: Mapping[str, Any]) -> str:
    """What the claim says, the numbers of the instance, and each route's enclosures of margins and sides.

    Args:
        claim: with the constants it was judged with.
        shown: the instance as `boundcheck.record.readable` tells it.

    """
    lines = [f"{claim.key} ({claim.stance}; {claim.source})", f"    {claim.statement}"]
    lines += [f"    with {symbol(name)} = {exact}" for name, exact in claim.constants.items()]
    return "\n".join([*lines, "Instance", *(f"    {line}" for line in shown["instance"]), *route_lines(shown)])


def route_lines(shown: Mapping[str, Any]) -> list[str]:
    """What each route proves, with its enclosures below it."""
    lines = []
    for route in shown["routes"]:
        width = max(len(value["name"]) for value in route["values"])
        lines.append(f"By {route['route']}: {route['finding']}")
        lines += [f"    {value['name']:{width}}  {value['value']}" for value in route["values"]]
    return lines
