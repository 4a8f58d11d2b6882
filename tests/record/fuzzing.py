"""Files spoiled at random: bytes, and JSON with any node replaced. A seed gives the same files everywhere."""

import json
import math
import random
from collections.abc import Callable
from typing import Any

from tests.record.samples import sealed, text_of

Path = list[str | int]

NASTY: list[Any] = [
    None,
    True,
    False,
    0,
    -1,
    1,
    2,
    10**18,
    2**63,
    10**399,
    -(10**300),
    1.5,
    -0.0,
    1e308,
    math.nan,
    math.inf,
    "",
    "x",
    "inf",
    "-inf",
    "nan",
    "0x0.0p+0",
    "-0x1.0000000000000p+0",
    "0x1p+0",
    "0x1p+99999",
    "0x" + "1" * 5000,
    "1/0",
    "2/4",
    "1e999999999",
    "9" * 5000,
    "1/" + "7" * 3000,
    "\ud800",
    "\x1b[2J",
    "a\nb",
    "../../etc/passwd",
    "/dev/zero",
    "__class__",
    "__import__('os').system('true')",
    "x" * 100_000,
    [],
    {},
    [[]],
    [0] * 1000,
    [10**9, 10**9],
    [0, 10**18],
    {"__class__": "x"},
    {"part": "TwoLayer"},
    {"part": "Family"},
    {"part": "TwoLayer", "inputs": 10**18, "width": 10**18, "outputs_": 10**18, "activation": "tanh"},
    {"part": "Linear", "inputs": [], "outputs_": {}},
    {"float": "inf"},
    {"float": "1"},
    {"shape": [10**9, 10**9], "dtype": "float64", "hex": []},
    {"shape": [1, 0, 10**18], "dtype": "float64", "hex": []},
    {"shape": [1], "dtype": "float32", "hex": ["0x1.0000000000001p+0"]},
    {"shape": [1], "dtype": "float64", "hex": ["nan"]},
    {"mid": "nan", "rad": "inf"},
    {"mid": "0x0.0p+0", "rad": "-0x1.0000000000000p+0"},
    {"routes": []},
]


def deep(rng: random.Random) -> Any:
    """A value inside a few or very many others."""
    value: Any = rng.choice(NASTY)
    for _ in range(rng.choice((2, 5, 20, 70, 200))):
        value = [value] if rng.random() < 0.5 else {rng.choice(("part", "a", "routes")): value}
    return value


def nodes(data: Any, at: Path | None = None) -> list[Path]:
    """The way to every node below the root."""
    at = at or []
    items = list(data.items()) if isinstance(data, dict) else list(enumerate(data)) if isinstance(data, list) else []
    return [way for key, value in items for way in ([*at, key], *nodes(value, [*at, key]))]


def owner(data: Any, way: Path) -> Any:
    """The object or list that holds the node."""
    for key in way[:-1]:
        data = data[key]
    return data


def mutate(data: Any, rng: random.Random) -> None:
    """Change one thing, in place."""
    way = rng.choice(nodes(data))
    holder, key = owner(data, way), way[-1]
    change = rng.choice((_replace, _replace, _nest, _delete, _rename, _swap, _copy, _retype, _reorder, _nudge))
    change(data, holder, key, rng)


def _replace(data: Any, holder: Any, key: Any, rng: random.Random) -> None:
    holder[key] = rng.choice(NASTY)


def _nest(data: Any, holder: Any, key: Any, rng: random.Random) -> None:
    holder[key] = deep(rng)


def _delete(data: Any, holder: Any, key: Any, rng: random.Random) -> None:
    del holder[key]


def _rename(data: Any, holder: Any, key: Any, rng: random.Random) -> None:
    value = holder[key]
    del holder[key]
    new = rng.choice(("", "x.", ".x", "theta0.y", "__class__", "part", f"{key}.a", f"{key} ", "\ud800", "x" * 5000))
    if isinstance(holder, dict):
        holder[new] = value
    else:
        holder.append(value)


def _swap(data: Any, holder: Any, key: Any, rng: random.Random) -> None:
    way = rng.choice(nodes(data))
    other = owner(data, way)
    taken = json.loads(json.dumps(other[way[-1]]))
    other[way[-1]] = json.loads(json.dumps(holder[key]))
    holder[key] = taken


def _copy(data: Any, holder: Any, key: Any, rng: random.Random) -> None:
    way = rng.choice(nodes(data))
    holder[key] = json.loads(json.dumps(owner(data, way)[way[-1]]))


def _retype(data: Any, holder: Any, key: Any, rng: random.Random) -> None:
    value = holder[key]
    holder[key] = rng.choice(
        ([value], {"value": value}, str(value)[:100], bool(value), list(value) if isinstance(value, dict) else 1)
    )


def _reorder(data: Any, holder: Any, key: Any, rng: random.Random) -> None:
    if isinstance(holder, dict):
        items = list(holder.items())
        rng.shuffle(items)
        holder.clear()
        holder.update(items)
    else:
        rng.shuffle(holder)


def _nudge(data: Any, holder: Any, key: Any, rng: random.Random) -> None:
    """A value of the same sort: most of these are fine behind a digest that fits."""
    value = holder[key]
    if isinstance(value, bool):
        holder[key] = not value
    elif isinstance(value, int | float):
        holder[key] = value + rng.choice((-1, 1, 1000))
    elif isinstance(value, str) and value.startswith(("0x", "-0x")):
        holder[key] = (float.fromhex(value) * rng.choice((0.5, 2.0, -1.0, 1 + 2.0**-52))).hex()
    elif isinstance(value, str):
        holder[key] = value + rng.choice(("a", " ", "0", "é", "\n"))


def twice(text: bytes, rng: random.Random) -> bytes:
    """Some line stands twice: a key, a bracket, an entry."""
    lines = text.splitlines(keepends=True)
    at = rng.randrange(len(lines))
    line = lines[at] if lines[at].rstrip().endswith((b",", b"{", b"[")) else lines[at].rstrip() + b",\n"
    return b"".join([*lines[:at], line, *lines[at:]])


def spoil(text: bytes, other: bytes, rng: random.Random) -> bytes:
    """Bytes flipped, cut, doubled, put in, or taken from another file."""
    a, b = sorted((rng.randrange(len(text) + 1), rng.randrange(len(text) + 1)))
    c = rng.randrange(len(other))
    some = bytes(rng.choice(b'{}[]",:0123456789abcdefx.-+ntu\\ \n\x00\xff\xc3\xed') for _ in range(rng.randrange(1, 9)))
    flipped = bytearray(text)
    for _ in range(rng.choice((1, 1, 1, 2, 8, 100))):
        at = rng.randrange(len(flipped))
        flipped[at] = rng.choice((flipped[at] ^ (1 << rng.randrange(8)), rng.randrange(256)))
    choices: tuple[Callable[[], bytes], ...] = (
        lambda: bytes(flipped),
        lambda: bytes(flipped),
        lambda: text[:a],
        lambda: text[a:],
        lambda: text[:a] + text[b:],
        lambda: text[:a] + some + text[a:],
        lambda: text[:a] + some + text[min(b, a + len(some)) :],
        lambda: text[:b] + text[a:],
        lambda: text[:a] + other[c:],
        lambda: text + text,
        lambda: text[:a] + rng.choice((b"[", b'{"a":', b"(", b'"', b"\\u")) * rng.choice((1, 50, 3000)) + text[a:],
        lambda: twice(text, rng),
    )
    return rng.choice(choices)()


def spoiled(text: bytes, other: bytes, rng: random.Random) -> tuple[bytes, bool]:
    """A spoiled file, and whether a digest that fits was put on it."""
    if rng.random() < 0.4:
        return spoil(text, other, rng), False
    data = json.loads(text)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        if data:
            mutate(data, rng)
    if rng.random() < 0.15:
        return text_of(data), False
    result = sealed(data)
    return (twice(result, rng), False) if rng.random() < 0.03 else (result, True)
