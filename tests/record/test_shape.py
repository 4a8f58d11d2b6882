"""Shapes, with the library for JSON schemas as the oracle."""

import copy
import json
import re
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from boundcheck.errors import BoundcheckError
from boundcheck.record import read_run, write_run
from boundcheck.record.shape import misfit
from tests.report.runs import ALL, ENTRY, run

SCHEMA = json.loads(resources.files("boundcheck.record").joinpath("schema.json").read_text(encoding="utf-8"))
VALUES = st.sampled_from([None, True, False, 0, -1, 1.5, "", "HOLDS", [], [1], {}, {"name": 1}])


def places(data: Any) -> list[tuple[Any, Any]]:
    """Every container in the data with each of its keys."""
    if not isinstance(data, dict | list):
        return []
    keys = list(data) if isinstance(data, dict) else list(range(len(data)))
    return [(data, key) for key in keys] + [place for key in keys for place in places(data[key])]


@given(st.data())
def test_what_is_wrong_anywhere_is_found_as_the_library_finds_it(data: st.DataObject) -> None:
    drawn = copy.deepcopy(run(*ALL))
    container, key = data.draw(st.sampled_from(places(drawn)))
    change = data.draw(st.sampled_from(["replace", "remove", "add"]))
    if change == "remove":
        del container[key]
    elif change == "add" and isinstance(container, dict):
        container["unheard of"] = 1
    else:
        container[key] = data.draw(VALUES)
    assert bool(misfit(drawn, SCHEMA)) == (not jsonschema.Draft202012Validator(SCHEMA).is_valid(drawn))


def test_every_word_of_the_schema_is_understood() -> None:
    known = {
        "$schema",
        "title",
        "$defs",
        "$ref",
        "type",
        "const",
        "enum",
        "minimum",
        "minLength",
        "minItems",
        "maxItems",
    }
    known |= {"required", "properties", "additionalProperties", "items"}

    def words(schema: Any) -> set[str]:
        if not isinstance(schema, dict):
            return set()
        below = [*schema.get("properties", {}).values(), *schema.get("$defs", {}).values()]
        below += [schema.get("items"), schema.get("additionalProperties")]
        return set(schema) | {word for inner in below for word in words(inner)}

    assert words(SCHEMA) <= known


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"tested": "many"}, "claims[0].tested is not an integer"),
        ({"verdict": "FINE"}, "claims[0].verdict is 'FINE'"),
        ({"tightness": {"p50": 1}}, "claims[0].tightness.max is missing"),
        ({"premises": [{"name": "x", "accepted": -1, "stated": 1}]}, "claims[0].premises[0].accepted is -1"),
        ({"scatter": [[1.0]]}, "claims[0].scatter[0] has the length 1"),
        ({"attained": 1}, "claims[0].attained is not a boolean or null"),
    ],
)
def test_a_run_with_something_else_in_it_is_refused_with_the_place(
    changes: dict[str, Any], words: str, tmp_path: Path
) -> None:
    write_run(tmp_path / "run.json", run(ENTRY | changes))
    with pytest.raises(BoundcheckError, match=re.escape(words)):
        read_run(tmp_path / "run.json")
