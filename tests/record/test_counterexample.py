"""What a stored counterexample says, what is refused, and in which words."""

import json
import math
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from boundcheck.errors import BoundcheckError
from boundcheck.record import store
from boundcheck.record.counterexample import (
    Ball,
    Counterexample,
    Route,
    Screening,
    parse_counterexample,
    plain,
    read_counterexample,
    storable,
    written_by,
)
from boundcheck.record.store import store_counterexample
from tests.record.samples import counterexample, counterexamples, route, sealed, text_of

NO_NUMBER: Any = "1"


def refusal(content: bytes, name: str = "x.json") -> str:
    with pytest.raises(BoundcheckError) as caught:
        parse_counterexample(content, name)
    return one_sentence(caught.value)


def refusal_of(path: Path) -> str:
    with pytest.raises(BoundcheckError) as caught:
        read_counterexample(path)
    return one_sentence(caught.value)


def one_sentence(error: BoundcheckError) -> str:
    text = str(error)
    assert text.isprintable()
    assert text.endswith(".")
    assert len(text) < 2000
    return text


def data_of(made: Counterexample) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(made.to_bytes())
    return data


# ------------------------------------------------------------------------------------------------------------ round trip


@pytest.mark.parametrize("made", counterexamples(), ids=lambda made: type(made.problem).__name__)
def test_what_is_stored_is_read_back_to_the_last_bit(made: Counterexample, tmp_path: Path) -> None:
    path = store_counterexample(tmp_path, made)
    back = read_counterexample(path)
    assert back.to_bytes() == made.to_bytes() == path.read_bytes()
    assert path.name == f"MY-1.a.proved-{made.digest[:16]}.json"
    assert type(back.problem) is type(made.problem)
    assert back.problem.structure() == made.problem.structure()
    for name in (
        "claim",
        "constants",
        "kind",
        "status",
        "certificate",
        "screening",
        "identity",
        "drawn",
        "seed",
        "reason",
    ):
        assert getattr(back, name) == getattr(made, name), name
    assert back.provenance == made.provenance


def test_the_file_has_the_keys_it_should_have() -> None:
    data = data_of(counterexample())
    assert " ".join(data) == (
        "schema_version claim constants problem kind status certificate screening identity drawn seed reason provenance "
        "digest"
    )
    assert data["schema_version"] == 2
    assert data["constants"] == {"c": "1/4", "k": "-3"}
    assert list(data["certificate"]["routes"][0]) == ["name", "bits", "left", "right", "premises"]
    assert data["certificate"]["routes"][0]["premises"]["wide"] == ["inf", "inf"]
    assert list(data["provenance"]) == ["version", "torch", "python_flint"] == list(written_by())


def test_a_name_of_ones_own_is_fine_and_a_wrong_digest_in_the_name_is_not(tmp_path: Path) -> None:
    path = store_counterexample(tmp_path, counterexample())
    own = path.rename(tmp_path / "lemma 6 fails.json")
    assert read_counterexample(own).seed == 0
    other = own.rename(tmp_path / f"MY-1.a.proved-{'0' * 16}.json")
    assert "was changed after it was written" in refusal_of(other)


def test_every_changed_byte_is_seen() -> None:
    content = counterexample().to_bytes()
    for position in range(len(content)):
        changed = content[:position] + bytes([content[position] ^ 1]) + content[position + 1 :]
        refusal(changed)


@pytest.mark.parametrize("insert", [" ", "\n", "\t"])
def test_white_space_counts(insert: str) -> None:
    content = counterexample().to_bytes()
    assert "was changed" in refusal(content.replace(b",", b"," + insert.encode(), 1))
    assert "was changed" in refusal(content + insert.encode())


def test_the_order_of_entries_counts() -> None:
    made = counterexamples()[1]
    data = data_of(made)
    leaves = data["problem"]["leaves"]
    assert list(leaves) == ["x", "extra.a.b", "extra."]
    data["problem"]["leaves"] = {name: leaves[name] for name in ("x", "extra.", "extra.a.b")}
    assert "was changed" in refusal(text_of(data))


# -------------------------------------------------------------------------------------------------- what can be written


@pytest.mark.parametrize(
    "change",
    [
        {"claim": "no colon"},
        {"claim": "a:b\n"},
        {"claim": "../../up:x"},
        {"claim": 3},
        {"constants": {"c": 0.25}},
        {"constants": {"c": Fraction(2**13_001)}},
        {"constants": [1]},
        {"problem": None},
        {"kind": "nicest"},
        {"status": "HOLDS"},
        {"status": ["VIOLATED"]},
        {"identity": 1},
        {"seed": True},
        {"seed": 1.0},
        {"seed": 2**2000},
        {"drawn": None},
        {"provenance": {}},
        {"provenance": {"version": 1, "torch": "", "python_flint": ""}},
        {"certificate": "proved"},
        {"certificate": ["proved"]},
        {"screening": None},
    ],
    ids=str,
)
def test_what_could_not_be_read_again_is_refused_when_it_is_made(change: dict[str, Any]) -> None:
    with pytest.raises(BoundcheckError) as caught:
        replace(counterexample(), **change)
    one_sentence(caught.value)


def test_an_instance_is_one_lane_of_usable_numbers() -> None:
    made = counterexample()
    leaves = made.problem.leaves()
    two = made.problem.with_leaves(
        {name: tensor.repeat(2, *(1 for _ in tensor.shape[1:])) for name, tensor in leaves.items()}
    )
    with pytest.raises(BoundcheckError, match="exactly one"):
        replace(made, problem=two)
    nan = made.problem.with_leaves(leaves | {"theta0": leaves["theta0"] * math.nan})
    with pytest.raises(BoundcheckError, match="usable numbers"):
        replace(made, problem=nan)


@pytest.mark.parametrize(
    "certificate",
    [
        None,
        (),
        (route("one", 128),),
        (route("one", 128), route("one", 256)),
        (route("one", 128), replace(route("two", 1), left=(Fraction(1), Fraction(2)))),
        (route("one", 128), replace(route("two", 1), left=(-math.inf, math.inf))),
        (
            route("one", 128),
            replace(
                route("two", 1), premises={"‖x‖ ≤ 1": (Fraction(-1, 9), Fraction(1)), "wide": (1 * Fraction(1),) * 2}
            ),
        ),
        (route("one", 128), replace(route("two", 1), premises={})),
    ],
    ids=["none", "no route", "one", "one twice", "sides that meet", "nothing known", "an open premise", "no premises"],
)
def test_violated_needs_two_routes_whose_numbers_show_it(certificate: Any) -> None:
    with pytest.raises(BoundcheckError):
        replace(counterexample(), certificate=certificate)


def test_an_identity_breaks_either_way_and_an_inequality_one_way() -> None:
    turned = tuple(replace(r, left=r.right, right=r.left) for r in (route("one", 1), route("two", 2)))
    assert replace(counterexample(), certificate=turned, identity=True).identity
    with pytest.raises(BoundcheckError, match="routes that show it"):
        replace(counterexample(), certificate=turned)


def test_uncertified_needs_something_that_shows_it_or_a_reason() -> None:
    made = replace(counterexamples()[1], reason="")
    hidden = replace(made.screening, left=Ball(0.0, math.inf))
    assert replace(made, screening=hidden, reason="the child process died").reason
    assert replace(made, screening=hidden, certificate=(route("one", 128),)).certificate
    for left in (Ball(1.0, 0.0), Ball(2.0, 1.0), Ball(math.nan, 0.0), Ball(5.0, math.inf)):
        with pytest.raises(BoundcheckError, match="no screening and no route shows it"):
            replace(made, screening=replace(made.screening, left=left))
    for margin in (Ball(-1.0, 0.0), Ball(1.0, 1.5), Ball(math.inf, math.inf)):
        with pytest.raises(BoundcheckError, match="no screening and no route shows it"):
            replace(made, screening=replace(made.screening, premises={"p": margin}))
    huge = Ball(1.7e308, 1.7e308)
    assert Screening(Ball(math.inf, 0.0), huge, {}).shows(identity=False)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Ball(1.0, -1.0),
        lambda: Ball(1.0, math.nan),
        lambda: Ball(1, 0.0),
        lambda: Ball(NO_NUMBER, 0.0),
        lambda: Route("r", True, (Fraction(1),) * 2, (Fraction(1),) * 2, {}),
        lambda: Route("r", 0, (Fraction(1),) * 2, (Fraction(1),) * 2, {}),
        lambda: Route("r", 1, (Fraction(2), Fraction(1)), (Fraction(1),) * 2, {}),
        lambda: Route("r", 1, (1.0, 2.0), (Fraction(1),) * 2, {}),
        lambda: Route("r", 1, (math.nan, math.inf), (Fraction(1),) * 2, {}),
        lambda: Route("r", 1, (Fraction(1),) * 2, (Fraction(1),) * 2, {"p": NO_NUMBER}),
        lambda: Screening(Ball(1.0, 0.0), NO_NUMBER, {}),
    ],
)
def test_numbers_that_are_none_are_refused(make: Callable[[], object]) -> None:
    with pytest.raises(BoundcheckError):
        make()


@pytest.mark.parametrize(
    "x", [Fraction(1, 3), Fraction(1, 3**9000), -Fraction(1, 3**9000), Fraction(3**9000), -Fraction(3**9000), math.inf]
)
def test_endpoints_of_any_length_can_be_stored_around(x: Fraction | float) -> None:
    lower, upper = storable(x, x)
    assert lower <= x <= upper
    made = replace(route("r", 1), left=(lower, upper))
    assert all(len(end) < 8000 for end in made.to_json()["left"])
    if x in (Fraction(1, 3), math.inf):
        assert lower == x == upper


def test_texts_are_kept_on_one_line() -> None:
    made = replace(counterexample(), drawn="a\nb\x1b[31m\u202e\ud800", reason="r" * 50_000 + "\n")
    assert made.drawn == r"a\nb\x1b[31m\u202e\ud800"
    assert len(made.reason) == 10_000
    assert plain("\n" * 20_000) == plain(plain("\n" * 20_000))
    assert parse_counterexample(made.to_bytes(), "x").drawn == made.drawn


# ------------------------------------------------------------------------------------------------------ what is refused


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "ends too early"),
        (b"   ", "ends too early"),
        (b"{", "ends too early"),
        (b'{"a": "b', "ends too early"),
        (b"\xff\xfe", "is not UTF-8"),
        (b"\xef\xbb\xbf{}", "is not JSON"),
        (b"\0", "is not JSON"),
        (b"null", "holds a NoneType"),
        (b"3", "holds a int"),
        (b"[]", "holds a list"),
        (b'"x"', "holds a str"),
        (b"[" * 5000, "nested too deeply"),
        (b"[" * 20_000, "more than 10,000 lists"),
        (b"[" * 100 + b"]" * 100, "nested too deeply"),
        (b'{"a":' * 5000 + b"1" + b"}" * 5000, "nested too deeply"),
        (b'{"a": 1, "a": 1}', "a key stands twice"),
        (b'{"schema_version": 2, "seed": NaN}', "NaN is no JSON number"),
        (b'{"schema_version": 2, "seed": -Infinity}', "Infinity is no JSON number"),
        (b'{"schema_version": 2, "seed": 1e999}', "larger than any double"),
        (b'{"schema_version": 2, "seed": 1' + b"0" * 5000 + b"}", "has 5001 digits"),
        (b'{"schema_version": 2, "seed": 1.' + b"0" * 5000 + b"}", "digits"),
        (b'{"schema_version": 2, "x": [' + b"1," * 3_000_001 + b"1]}", "3,000,000 values"),
        (b'{"schema_version": 2, "x": {' + b'"a":1,' * 100_001 + b"}", "lists and objects"),
        (b"{}", "schema_version is None"),
        (b'{"schema_version": true}', "schema_version is True"),
        (b'{"schema_version": 2.0}', "schema_version is 2.0"),
        (b'{"schema_version": "2"}', "schema_version is '2'"),
        (
            b'{"schema_version": 1, "claim": "MY-1:proved"}',
            "an older version (schema_version 1); expected schema_version 2; run",
        ),
        (b'{"schema_version": 3}', "a newer version"),
        (b'{"schema_version": 1' + b"0" * 390 + b"}", "schema_version is a whole number of"),
        (b'{"schema_version": 2}', "was changed after it was written"),
        (b'{"schema_version": 2, "digest": 3}', "was changed after it was written"),
    ],
    ids=lambda value: value[:30] if isinstance(value, bytes) else "",
)
def test_what_is_no_counterexample_at_all(content: bytes, words: str) -> None:
    assert words in refusal(content)


DEEP = """
import sys, threading
from boundcheck.errors import BoundcheckError
from boundcheck.record.store import parse_json
sys.setrecursionlimit(10**9)
def look():
    for content in (b"[" * 900_000, b"[" * 900_000 + b"]" * 900_000, b'{"a":' * 900_000, b'[{"[":' * 99_999):
        try:
            parse_json(content, "x")
        except BoundcheckError as error:
            assert "nested too deeply" in str(error), error
        else:
            raise AssertionError
    print("alive")
threading.stack_size(2**18)
thread = threading.Thread(target=look)
thread.start()
thread.join()
"""


def test_deep_nesting_is_no_danger_whatever_limit_python_was_given() -> None:
    done = subprocess.run([sys.executable, "-c", DEEP], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "alive\n", done.stderr


def test_brackets_in_texts_are_no_nesting() -> None:
    made = replace(counterexample(), drawn="[{" * 500 + '\\"[', reason="]}" * 500)
    assert parse_counterexample(made.to_bytes(), "x").drawn == made.drawn


@pytest.mark.parametrize("end", [b"", b'"', b"\\", b'\\"'])
def test_long_texts_take_linear_time(end: bytes) -> None:
    started = time.process_time()
    for middle in (b'\\"', b"\\\\", b"x", b'"', b"[]", b"{[", b"]"):
        refusal(b'{"a": "' + middle * 1_000_000 + end)
    assert time.process_time() - started < 10


def test_a_file_that_ends_anywhere_is_refused() -> None:
    content = counterexample().to_bytes()
    for end in range(0, len(content), 7):
        refusal(content[:end])
    assert "ends too early" in refusal(content[: len(content) // 2])


def edits() -> dict[str, tuple[Callable[[dict[str, Any]], object], str]]:
    """Changes behind a digest that fits them."""
    deep: dict[str, Any] = {"part": "StoredScale", "marks": 1, "reach": 1.0, "unit": "", "strict": False, "below": None}
    for _ in range(15):
        deep = deep | {"below": deep}

    def routes(data: dict[str, Any]) -> Any:
        return data["certificate"]["routes"]

    def leaf(data: dict[str, Any]) -> Any:
        return data["problem"]["leaves"]["theta0"]

    def structure(data: dict[str, Any]) -> Any:
        return data["problem"]["structure"]

    return {
        "extra key": (lambda d: d.update(mutant="halved"), "with 'mutant'"),
        "missing key": (lambda d: d.pop("seed"), "without 'seed'"),
        "claim": (lambda d: d.update(claim="/etc/passwd"), "a claim that is '/etc/passwd'"),
        "long claim": (lambda d: d.update(claim="a:" + "b" * 10**6), "a claim that is 'a:bbb"),
        "constant": (lambda d: d["constants"].update(c="0.25"), "a rational such as 1/4"),
        "constant not in lowest terms": (lambda d: d["constants"].update(c="2/8"), "lowest terms"),
        "exponent": (lambda d: d["constants"].update(c="1e999999999"), "a rational such as 1/4"),
        "digits": (lambda d: d["constants"].update(c="9" * 5000), "a rational such as 1/4"),
        "zero": (lambda d: d["constants"].update(c="1/0"), "a rational such as 1/4"),
        "spaces": (lambda d: d["constants"].update(c=" 1/4"), "a rational such as 1/4"),
        "other digits": (lambda d: d["constants"].update(c="١"), "a rational such as 1/4"),
        "endpoint": (lambda d: routes(d)[0].update(left=["5/4", "nan"]), "a rational such as 1/4"),
        "endpoints turned round": (lambda d: routes(d)[0].update(left=["4/3", "5/4"]), "the lower end first"),
        "three endpoints": (lambda d: routes(d)[0].update(left=["1", "2", "3"]), "two endpoints"),
        "routes": (lambda d: d["certificate"].update(routes={}), "a list"),
        "proof removed": (lambda d: d.update(certificate=None), "routes that show it"),
        "proof weakened": (lambda d: routes(d)[0].update(right=["-1/3", "9/4"]), "routes that show it"),
        "bits": (lambda d: routes(d)[0].update(bits=True), "a whole number > 0"),
        "radius": (lambda d: d["screening"]["left"].update(rad="-0x1.0000000000000p+0"), "a number >= 0"),
        "long float": (lambda d: d["screening"]["left"].update(mid="0x" + "1" * 10**6), "a hexadecimal float"),
        "other float": (lambda d: d["screening"]["left"].update(mid="0x1p+0"), "a hexadecimal float"),
        "identity": (lambda d: d.update(identity=0), "true or false"),
        "seed": (lambda d: d.update(seed=False), "a whole number"),
        "control codes": (lambda d: d.update(drawn="\x1b[2J"), "was changed"),
        "provenance": (lambda d: d["provenance"].pop("torch"), "version, torch, python_flint"),
        "problem": (lambda d: d["problem"].update(problem="Nobody"), "'Nobody' is not known"),
        "problem's base": (lambda d: d["problem"].update(problem="Problem"), "'Problem' is not known"),
        "part": (lambda d: structure(d)["family"].update(part="os.system"), "'os.system' is not known"),
        "abstract part": (lambda d: structure(d).update(family={"part": "Family"}), "cannot be made"),
        "part's field": (
            lambda d: structure(d)["family"].update(width="3"),
            "the field width of a stored TwoLayer is '3'",
        ),
        "part's choice": (lambda d: structure(d)["family"].update(activation="sin"), "activation='sin'"),
        "part of another sort": (lambda d: structure(d).update(family=deep), "the field family of a stored Setup"),
        "deep parts": (lambda d: structure(d).update(family=deep | {"below": deep}), "nested at most"),
        "field from nowhere": (lambda d: structure(d).update(__class__="x"), "no field ['__class__']"),
        "two lanes": (lambda d: d["problem"]["leaves"].update(_two_lanes(d)), "exactly one"),
        "gigabytes": (lambda d: leaf(d).update(shape=[10**9, 10**9], hex=[]), "whose product is the number of entries"),
        "empty gigabytes": (
            lambda d: leaf(d).update(shape=[0, 10**18], hex=[]),
            "whose product is the number of entries",
        ),
        "empty": (lambda d: leaf(d).update(shape=[1, 0, 10**9], hex=[]), "whose product is the number of entries"),
        "axes": (lambda d: leaf(d).update(shape=[1] * 70 + [6]), "at most 16 whole numbers"),
        "huge axis": (lambda d: leaf(d).update(shape=[10**300]), "at most 16 whole numbers"),
        "truth for a size": (lambda d: leaf(d).update(shape=[True, 6]), "at most 16 whole numbers"),
        "nan leaf": (lambda d: leaf(d).update(hex=["nan"] * 6), "usable numbers"),
        "one leaf twice": (lambda d: d["problem"]["leaves"].update({"theta0.x": leaf(d)}), "not both"),
        "leaf and structure": (lambda d: structure(d).update(theta0=1), "twice"),
    }


def _two_lanes(data: dict[str, Any]) -> dict[str, Any]:
    leaves = data["problem"]["leaves"]
    return {name: leaf | {"shape": [2, *leaf["shape"][1:]], "hex": leaf["hex"] * 2} for name, leaf in leaves.items()}


@pytest.mark.parametrize("name", edits())
def test_a_hostile_file_with_a_digest_that_fits(name: str) -> None:
    edit, words = edits()[name]
    data = data_of(counterexample())
    edit(data)
    assert words in refusal(sealed(data))


@pytest.mark.parametrize("name", ["Evil\nname", "a\x1b[31m.json", "\u202e.json", "x" * 100_000])
def test_a_hostile_name_stays_on_one_line(name: str) -> None:
    with pytest.raises(BoundcheckError) as caught:
        parse_counterexample(b"", name)
    assert str(caught.value).isprintable()


# -------------------------------------------------------------------------------------------------- what is no file at all


def test_what_is_no_regular_file_is_refused_without_waiting(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "dangling").symlink_to(tmp_path / "nothing")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "to-pipe").symlink_to(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "socket"))
        said = {path.name: refusal_of(path) for path in tmp_path.iterdir()}
    assert "symbolic links" in said["loop"]
    assert "No such file" in said["dangling"]
    assert all("a pipe, a device or a socket" in said[name] for name in ("pipe", "to-pipe", "socket"))
    assert "is a folder" in refusal_of(tmp_path)
    for device in ("/dev/zero", "/dev/tty", "/dev/null", "/dev/random"):
        if Path(device).exists():
            assert "a pipe, a device or a socket" in refusal_of(Path(device))


def test_a_file_that_is_exchanged_for_a_pipe_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x.json").write_text("{}")
    regular, opened = os.stat(tmp_path / "x.json"), os.open
    os.mkfifo(tmp_path / "pipe")

    def watched(path: Path, flags: int) -> int:
        assert flags & os.O_NONBLOCK, "opening a pipe would wait for a writer"
        return opened(path, flags)

    monkeypatch.setattr(os, "stat", lambda path: regular)
    monkeypatch.setattr(os, "open", watched)
    with pytest.raises(BoundcheckError, match="a pipe, a device or a socket"):
        store.read_bytes(tmp_path / "pipe")
    monkeypatch.undo()


@pytest.mark.parametrize("path", ["none.json", "a\0b", "x" * 5000, "a/" * 3000, "\ud800"])
def test_a_path_that_leads_nowhere(path: str, tmp_path: Path) -> None:
    assert "could not be read" in refusal_of(tmp_path / path)


def test_a_file_that_is_too_large_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "large.json"
    with path.open("wb") as stream:
        stream.truncate(2**40)
    assert "too large" in refusal_of(path)
    assert "too large" in refusal(b"x" * (store.LARGEST + 1))


def test_a_file_that_grows_while_it_is_read_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x.json").write_text("{}")
    rest = [store.LARGEST // 2**20 + 2]

    def endless(_: int, count: int) -> bytes:
        rest[0] -= 1
        return b" " * count if rest[0] else b""

    monkeypatch.setattr(os, "read", endless)
    assert "too large" in refusal_of(tmp_path / "x.json")
    assert rest[0] > 0, "it stopped reading by itself"


def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x.json").write_text("{}")

    def denied(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", denied)
    assert "Permission denied" in refusal_of(tmp_path / "x.json")
