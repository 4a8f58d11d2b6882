"""Whether data have the shape that a JSON schema says, for the few words of it that our own schemas use."""

from collections.abc import Mapping
from typing import Any

Schema = Mapping[str, Any]

_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}


def misfit(data: object, schema: Schema, *, root: Schema | None = None, place: str = "") -> str:
    """The first place at which data are not as the schema says, in words; an empty string where there is none.

    Knows `type`, `const`, `enum`, `minimum`, `minLength`, `minItems`, `maxItems`, `required`, `properties`,
    `additionalProperties`, `items` and `$ref` into `$defs`.
    """
    root = schema if root is None else root
    if "$ref" in schema:
        schema = root["$defs"][schema["$ref"].removeprefix("#/$defs/")]
    where = place or "the whole"
    if "type" in schema and not _is(data, schema["type"]):
        return f"{where} is not {_named(schema['type'])}"
    if ("const" in schema and data != schema["const"]) or ("enum" in schema and data not in schema["enum"]):
        return f"{where} is {str(data)[:40]!r}"
    if isinstance(data, int | float) and data < schema.get("minimum", data):
        return f"{where} is {data}"
    if isinstance(data, str | list) and _wrong_length(data, schema):
        return f"{where} has the length {len(data)}"
    if isinstance(data, dict):
        return _misfit_in_object(data, schema, root, place)
    if isinstance(data, list) and "items" in schema:
        found = (misfit(item, schema["items"], root=root, place=f"{place}[{i}]") for i, item in enumerate(data))
        return next(filter(None, found), "")
    return ""


def _misfit_in_object(data: dict[str, Any], schema: Schema, root: Schema, place: str) -> str:
    inside = f"{place}." if place else ""
    missing = [name for name in schema.get("required", []) if name not in data]
    if missing:
        return f"{inside}{missing[0]} is missing"
    for name, value in data.items():
        known = schema.get("properties", {}).get(name, schema.get("additionalProperties", True))
        if known is False:
            return f"{inside}{name[:40]} is not known"
        if known is not True and (found := misfit(value, known, root=root, place=f"{inside}{name[:40]}")):
            return found
    return ""


def _is(data: object, types: str | list[str]) -> bool:
    """JSON knows a true from a 1, which Python takes for an integer."""
    names = [types] if isinstance(types, str) else types
    if isinstance(data, bool):
        return "boolean" in names
    return any(isinstance(data, _TYPES[name]) for name in names)


def _named(types: str | list[str]) -> str:
    words = [types] if isinstance(types, str) else types
    return " or ".join(f"{'an' if word[0] in 'aio' else 'a'} {word}" if word != "null" else "null" for word in words)


def _wrong_length(data: str | list[Any], schema: Schema) -> bool:
    least, most = ("minLength", "maxLength") if isinstance(data, str) else ("minItems", "maxItems")
    return not schema.get(least, 0) <= len(data) <= schema.get(most, len(data))
