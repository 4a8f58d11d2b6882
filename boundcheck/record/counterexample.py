"""A counterexample as it is stored: the instance, what the floats said of it, and what was proved.

A file is believed only as far as it goes: everything in it is checked before anything is made of it, its text must be the very
text that its content is written as, its digest is of that content, and what it claims must follow from the numbers beside it.
Whether those numbers are right is for a replay to find out. Nothing in a file is imported, executed or used as a path.
"""

import hashlib
import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import Any, Literal, cast, get_args

import torch

import boundcheck
from boundcheck.errors import BoundcheckError
from boundcheck.problem import Problem, shown
from boundcheck.record.store import json_bytes, name_of, one_line, parse_json, read_bytes, require_size

SCHEMA_VERSION = 2

Endpoint = Fraction | float
"""An exact rational, or ±inf (a float) where there is no finite bound."""

Interval = tuple[Endpoint, Endpoint]
Kind = Literal["simplest", "worst"]
Certainty = Literal["VIOLATED", "VIOLATED_UNCERTIFIED"]

_CLAIM = r"[A-Za-z0-9][\w.+-]*:[\w.+-]+"
_RATIONAL = r"-?(0|[1-9][0-9]*)(/[1-9][0-9]*)?"
_PROVENANCE = ("version", "torch", "python_flint")
"""No time of day: the same instance, found again, is the same file."""

_MOST_BITS = 13_000  # under the 4,300 digits beyond which Python refuses to turn text into a whole number
_MOST_CHARACTERS = 10_000
_MOST_OBJECTS = 10_000


def plain(text: str) -> str:
    """A text on one line, cut where it gets long: what cannot be printed (a terminal's control codes, say) is escaped."""
    if not isinstance(text, str):
        raise BoundcheckError(f"a text that is {shown(text)}", expected="a string")
    return one_line(text[:_MOST_CHARACTERS])[:_MOST_CHARACTERS]


def storable(lower: Endpoint, upper: Endpoint) -> Interval:
    """The interval, or one around it where its endpoints take too many digits for a file (rounded outward to 512 bits)."""
    return _rounded_down(lower), -_rounded_down(-upper)


def _rounded_down(x: Endpoint) -> Endpoint:
    if isinstance(x, float) and not math.isfinite(x):
        return x
    x = Fraction(x)
    if _bits(x) <= _MOST_BITS:
        return x
    exponent = x.numerator.bit_length() - x.denominator.bit_length()
    if exponent > 8000:
        return Fraction(2) ** 8000 if x > 0 else -math.inf
    shift = min(512 - exponent, 8000)
    return Fraction(math.floor(x * Fraction(2) ** shift)) / Fraction(2) ** shift


def _bits(x: Fraction) -> int:
    return max(x.numerator.bit_length(), x.denominator.bit_length())


# --------------------------------------------------------------------------------------------------------- what it holds


@dataclass(frozen=True)
class Ball:
    """A float with a radius, as the screen computed it."""

    mid: float
    rad: float

    def __post_init__(self) -> None:
        for number in (self.mid, self.rad):
            _require(isinstance(number, float), "a screened number", number, "a float")
        _require(self.rad >= 0, "a radius", self.rad, "a number >= 0")

    @property
    def interval(self) -> Interval:
        """Its ends, exactly."""
        if self.rad == 0 and not math.isnan(self.mid):
            return (Fraction(self.mid),) * 2 if math.isfinite(self.mid) else (self.mid, self.mid)
        if not math.isfinite(self.mid) or math.isinf(self.rad):
            return -math.inf, math.inf
        return Fraction(self.mid) - Fraction(self.rad), Fraction(self.mid) + Fraction(self.rad)

    def to_json(self) -> dict[str, str]:
        """Hexadecimal floats."""
        return {"mid": self.mid.hex(), "rad": self.rad.hex()}


@dataclass(frozen=True)
class Screening:
    """What floats with error bounds said: both sides (smaller and larger of an inequality) and every premise's margin."""

    left: Ball
    right: Ball
    premises: Mapping[str, Ball]

    def __post_init__(self) -> None:
        for ball in (self.left, self.right, *_names(self, "premises").values()):
            _require(isinstance(ball, Ball), "a screened number", ball, "a Ball")

    def shows(self, identity: bool) -> bool:
        """Whether these numbers show premises that hold and a statement that does not."""
        margins = [ball.interval for ball in self.premises.values()]
        return _breaks(self.left.interval, self.right.interval, margins, identity)

    def to_json(self) -> dict[str, Any]:
        """As stored."""
        premises = {name: ball.to_json() for name, ball in self.premises.items()}
        return {"left": self.left.to_json(), "right": self.right.to_json(), "premises": premises}


@dataclass(frozen=True)
class Route:
    """One proof.

    Attributes:
        name: the kind of number, in words.
        bits: its precision; None where it has none (exact rationals).
        left, right: enclosures of the sides (smaller and larger of an inequality); premises: of the margins.

    """

    name: str
    bits: int | None
    left: Interval
    right: Interval
    premises: Mapping[str, Interval]

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", plain(self.name))
        _require(self.bits is None or (_is_whole(self.bits) and self.bits > 0), "bits", self.bits, "a whole number > 0")
        for interval in (self.left, self.right, *_names(self, "premises").values()):
            _check_interval(interval)

    def shows(self, identity: bool) -> bool:
        """Whether these numbers show premises that hold and a statement that does not."""
        return _breaks(self.left, self.right, list(self.premises.values()), identity)

    def to_json(self) -> dict[str, Any]:
        """As stored: endpoints are exact rationals."""
        return {
            "name": self.name,
            "bits": self.bits,
            "left": [str(end) for end in self.left],
            "right": [str(end) for end in self.right],
            "premises": {name: [str(end) for end in margin] for name, margin in self.premises.items()},
        }


@dataclass(frozen=True, eq=False)
class Counterexample:
    """One instance that breaks one claim. What cannot be stored and read again is refused when it is made.

    Attributes:
        claim: its key, `id:form`. constants: their exact values.
        problem: the instance, a batch of one lane.
        kind: the simplest instance that was found, or the worst.
        status: VIOLATED where two routes proved it.
        certificate: what each route found; None where none was run.
        screening: what floats with error bounds found.
        identity: whether the statement is an equality.
        drawn: what the strategy drew, as text; seed: of the campaign.
        reason: why it is not certified; "" where it is. What is not certified must at least be shown once, or have a reason.
        provenance: versions of who wrote it, see `written_by`.

    """

    claim: str
    constants: Mapping[str, Fraction]
    problem: Problem
    kind: Kind
    status: Certainty
    certificate: tuple[Route, ...] | None
    screening: Screening
    identity: bool
    drawn: str
    seed: int
    reason: str
    provenance: Mapping[str, str]

    def __post_init__(self) -> None:
        keyed = isinstance(self.claim, str) and len(self.claim) <= 1000
        _require(keyed and re.fullmatch(_CLAIM, self.claim, flags=re.ASCII), "a claim", self.claim, '"id:form"')
        for value in _names(self, "constants").values():
            _require(isinstance(value, Fraction), "a constant", value, "an exact rational")
            _require(_bits(value) <= _MOST_BITS, "a constant", value.numerator, f"at most {_MOST_BITS} bits")
        _require(isinstance(self.problem, Problem), "a problem", self.problem, "a Problem")
        _require(self.problem.lanes == 1, "a problem's number of lanes", self.problem.lanes, "exactly one")
        _require(bool(self.problem.finite().all()), "an instance", "NaN, an infinity or a radius < 0", "usable numbers")
        _require(self.kind in get_args(Kind), "kind", self.kind, " or ".join(get_args(Kind)))
        _require(self.status in get_args(Certainty), "status", self.status, " or ".join(get_args(Certainty)))
        _require(type(self.identity) is bool, "identity", self.identity, "true or false")
        _require(_is_whole(self.seed), "seed", self.seed, "a whole number")
        for name in ("drawn", "reason"):
            object.__setattr__(self, name, plain(getattr(self, name)))
        origin = {name: plain(text) for name, text in _names(self, "provenance").items()}
        _require(set(origin) == set(_PROVENANCE), "provenance", sorted(origin), ", ".join(_PROVENANCE))
        object.__setattr__(self, "provenance", {name: origin[name] for name in _PROVENANCE})
        self._check_proofs()

    def _check_proofs(self) -> None:
        routes = self.certificate or ()
        _require(isinstance(routes, tuple), "a certificate", routes, "routes")
        _require(all(isinstance(route, Route) for route in routes), "a certificate", routes, "routes")
        _require(isinstance(self.screening, Screening), "a screening", self.screening, "a Screening")
        for route in routes:
            if set(route.premises) != set(self.screening.premises):
                raise BoundcheckError(
                    f"a route with {len(route.premises)} premises",
                    expected="the premises of the screening, and no others",
                )
        if self.status == "VIOLATED":
            proved = {route.name for route in routes if route.shows(self.identity)}
            if len(proved) < 2 or not all(route.shows(self.identity) for route in routes):
                raise BoundcheckError(
                    f"{self.claim} with the status VIOLATED and {len(proved)} of {len(routes)} routes that show it",
                    expected="two routes or more, each with endpoints that show premises that hold and sides that do not",
                )
        elif not (self.reason or self.screening.shows(self.identity) or any(r.shows(self.identity) for r in routes)):
            raise BoundcheckError(
                f"{self.claim} with the status {self.status}, where no screening and no route shows it",
                expected="margins that are certainly >= 0 and sides that are certainly apart, or a reason",
            )

    def to_json(self) -> dict[str, Any]:
        """As stored, the digest last."""
        return self._content | {"digest": self.digest}

    def to_bytes(self) -> bytes:
        """The text of the file."""
        return json_bytes(self.to_json())

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the content: of compact JSON in the order of the file, without the digest itself."""
        return _digest(self._content)

    @cached_property
    def _content(self) -> dict[str, Any]:
        certificate = None if self.certificate is None else {"routes": [route.to_json() for route in self.certificate]}
        return {
            "schema_version": SCHEMA_VERSION,
            "claim": self.claim,
            "constants": {name: str(value) for name, value in self.constants.items()},
            "problem": self.problem.to_json(),
            "kind": self.kind,
            "status": self.status,
            "certificate": certificate,
            "screening": self.screening.to_json(),
            "identity": self.identity,
            "drawn": self.drawn,
            "seed": self.seed,
            "reason": self.reason,
            "provenance": dict(self.provenance),
        }


def written_by() -> dict[str, str]:
    """The provenance of what is written now: versions."""
    try:
        flint = metadata.version("python-flint")
    except metadata.PackageNotFoundError:
        flint = "not installed"
    return {
        "version": boundcheck.__version__,
        "torch": str(torch.__version__),
        "python_flint": flint,
    }


def _digest(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, separators=(",", ":"), allow_nan=False).encode("ascii")).hexdigest()


# ------------------------------------------------------------------------------------------------------------- checking


def _require(good: object, what: str, given: object, expected: str) -> None:
    if not good:
        raise BoundcheckError(f"{what} that is {shown(given)}", expected=expected)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value.bit_length() < 1024


def _names(owner: object, field: str) -> dict[str, Any]:
    """A mapping of an object, copied, its names fit to be shown."""
    given = getattr(owner, field)
    _require(isinstance(given, Mapping), field, given, "names and what belongs to them")
    copied = {plain(name): value for name, value in given.items()}
    object.__setattr__(owner, field, copied)
    return copied


def _check_interval(interval: object) -> None:
    good = isinstance(interval, tuple) and len(interval) == 2 and all(_is_endpoint(end) for end in interval)
    _require(good, "an enclosure", interval, f"two rationals of at most {_MOST_BITS} bits, or -inf and inf")
    lower, upper = cast("Interval", interval)
    _require(lower <= upper, "an enclosure", "the wrong way round", "the lower end first")


def _is_endpoint(end: object) -> bool:
    if isinstance(end, float):
        return math.isinf(end)
    return isinstance(end, Fraction) and _bits(end) <= _MOST_BITS


def _breaks(left: Interval, right: Interval, margins: list[Interval], identity: bool) -> bool:
    apart = left[0] > right[1] or (identity and right[0] > left[1])
    return apart and all(lower >= 0 for lower, _ in margins)


# -------------------------------------------------------------------------------------------------------------- reading


def read_counterexample(path: Path) -> Counterexample:
    """Read a stored counterexample. Raises BoundcheckError, in one sentence, for whatever else the path leads to."""
    return parse_counterexample(read_bytes(path), str(path))


def parse_counterexample(content: bytes, name: str) -> Counterexample:
    """The counterexample in the bytes of a file called `name`.

    Raises:
        BoundcheckError: for anything but what `Counterexample.to_bytes` gives, in one sentence.

    """
    digits = re.search(r"-([0-9a-f]{16})\.json$", name)  # where it was given another name there are none
    name = name_of(name)
    require_size(content, name)
    if content.count(b"[") + content.count(b"{") > _MOST_OBJECTS or content.count(b":") > 10 * _MOST_OBJECTS:
        raise BoundcheckError(
            f"{name} holds more than {_MOST_OBJECTS:,} lists and objects, or {10 * _MOST_OBJECTS:,} names",
            expected="a counterexample that boundcheck wrote",
        )
    data = parse_json(content, name)
    if "claims" in data:
        raise BoundcheckError(
            f"{name} holds a run", expected="one counterexample", remedy="see its folder counterexamples"
        )
    _check_version(data, name)
    digest = data.get("digest")
    unchanged = digest == _digest({key: value for key, value in data.items() if key != "digest"})
    if not unchanged or (digits and digits[1] != str(digest)[:16]):
        raise _changed(name)
    try:
        counterexample = _counterexample(data)
    except BoundcheckError as error:
        text = plain(str(error)).removesuffix(".")
        raise BoundcheckError(f"{name} is no counterexample: {text[:600]}{'…' if len(text) > 600 else ''}") from None
    if counterexample.to_bytes() != content:
        raise _changed(name)
    return counterexample


def _check_version(data: Mapping[str, Any], name: str) -> None:
    version = data.get("schema_version")
    if _is_whole(version) and version == SCHEMA_VERSION:
        return
    remedy = "run the claim again"
    if not _is_whole(version):
        what = f"{name} is no counterexample (its schema_version is {shown(version)})"
    elif cast("int", version) < SCHEMA_VERSION:
        what = f"{name} was written by an older version (schema_version {shown(version)})"
    else:
        what = f"{name} was written by a newer version (schema_version {shown(version)})"
        remedy = "update boundcheck, or run the claim again"
    raise BoundcheckError(what, expected=f"schema_version {SCHEMA_VERSION}", remedy=remedy)


def _changed(name: str) -> BoundcheckError:
    return BoundcheckError(
        f"{name} was changed after it was written",
        expected="what its digest was taken of",
        remedy="run the claim again",
    )


def _counterexample(data: Mapping[str, Any]) -> Counterexample:
    keys = ("schema_version", *Counterexample.__dataclass_fields__, "digest")
    _check_keys(data, keys, "a counterexample")
    certificate = data["certificate"]
    return Counterexample(
        claim=data["claim"],
        constants=_each(data["constants"], _rational, "the constants"),
        problem=Problem.from_json(data["problem"]),
        kind=data["kind"],
        status=data["status"],
        certificate=None if certificate is None else _routes(certificate),
        screening=_screening(data["screening"]),
        identity=data["identity"],
        drawn=data["drawn"],
        seed=data["seed"],
        reason=data["reason"],
        provenance=_each(data["provenance"], plain, "provenance"),
    )


def _routes(data: Any) -> tuple[Route, ...]:
    routes = _check_keys(data, ("routes",), "a certificate")["routes"]
    _require(isinstance(routes, list), "a certificate's routes", routes, "a list")
    return tuple(_route(route) for route in routes)


def _route(data: Any) -> Route:
    _check_keys(data, tuple(Route.__dataclass_fields__), "a route")
    return Route(
        name=data["name"],
        bits=data["bits"],
        left=_interval(data["left"]),
        right=_interval(data["right"]),
        premises=_each(data["premises"], _interval, "a route's premises"),
    )


def _screening(data: Any) -> Screening:
    _check_keys(data, tuple(Screening.__dataclass_fields__), "a screening")
    return Screening(
        left=_ball(data["left"]), right=_ball(data["right"]), premises=_each(data["premises"], _ball, "the premises")
    )


def _check_keys(data: Any, keys: tuple[str, ...], what: str) -> Mapping[str, Any]:
    _require(isinstance(data, Mapping), what, data, "an object")
    for name in sorted(set(data) ^ set(keys)):
        raise BoundcheckError(
            f"{what} {'without' if name in keys else 'with'} {shown(name)}", expected=f"the keys {', '.join(keys)}"
        )
    return cast("Mapping[str, Any]", data)


def _each(data: Any, read: Callable[[Any], Any], what: str) -> dict[str, Any]:
    _require(isinstance(data, Mapping), what, data, "an object")
    return {name: read(value) for name, value in data.items()}


def _ball(data: Any) -> Ball:
    _check_keys(data, ("mid", "rad"), "a ball")
    return Ball(_double(data["mid"]), _double(data["rad"]))


def _double(text: Any) -> float:
    if isinstance(text, str):
        try:
            value = float.fromhex(text)
        except (ValueError, OverflowError):
            value = math.nan
        if value.hex() == text:
            return value
    raise BoundcheckError(f"a number that is {shown(text)}", expected="a hexadecimal float")


def _interval(data: Any) -> Interval:
    _require(isinstance(data, list) and len(data) == 2, "an enclosure", data, "two endpoints")
    return _endpoint(data[0]), _endpoint(data[1])


def _endpoint(text: Any) -> Endpoint:
    return float(text) if text in ("inf", "-inf") else _rational(text)


def _rational(text: Any) -> Fraction:
    """An exact rational. Its text is looked at first: `Fraction` would work for hours on "1e999999999"."""
    if isinstance(text, str) and len(text) < _MOST_BITS and re.fullmatch(_RATIONAL, text, flags=re.ASCII):
        try:
            value = Fraction(text)
        except ValueError:  # more digits than Python turns into a number
            value = None
        if value is not None and _bits(value) <= _MOST_BITS and str(value) == text:
            return value
    raise BoundcheckError(f"a number that is {shown(text)}", expected="a rational such as 1/4 in lowest terms")
