"""From the bytes of one record to a struct of texts, in whatever types its values came."""

from __future__ import annotations

from functools import cache
from typing import Any, TypeVar

import msgspec

from rally_etl.records.reasons import Findings

Record = TypeVar("Record", bound=msgspec.Struct)
Raw = bytes | msgspec.Raw


class Fields(msgspec.Struct, gc=False):
    """A record whose fields are all optional texts; keys of several generations stand side by side."""


def read_loosely(raw: Raw, kind: type[Record], found: Findings) -> Record:
    """Decode *raw* value by value: numbers become texts, a value of a wrong type is noted and left out."""
    try:
        value = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        found.add("not_readable", "(record)", None, f"is no JSON: {error}")
        return kind()
    if not isinstance(value, dict):
        found.add("not_an_object", "(record)", _short(value), f"is {_kind_of(value)}, not an object")
        return kind()
    return from_mapping(value, kind, found)


def from_mapping(value: dict, kind: type[Record], found: Findings, within: str = "") -> Record:
    """Fill *kind* from *value*; nested structs are filled from nested objects."""
    filled: dict[str, Any] = {}
    for name, printed_name, nested in _fields(kind):
        item = value.get(printed_name)
        if item is None:
            continue
        label = within + printed_name
        filled[name] = _nested(item, nested, found, label) if nested else _text(item, found, label)
    return kind(**filled)


def is_empty(record: msgspec.Struct, ignoring: frozenset[str]) -> bool:
    """Is every field of *record* blank, but for those named in *ignoring*?"""
    for name in record.__struct_fields__:
        value = getattr(record, name)
        if name in ignoring or value is None:
            continue
        if not isinstance(value, str) or value.strip():
            return False
    return True


@cache
def _fields(kind: type[msgspec.Struct]) -> tuple[tuple[str, str, type[msgspec.Struct] | None], ...]:
    """Name, printed name and nested struct (if any) of each field of *kind*."""
    return tuple(
        (
            info.name,
            info.encode_name,
            info.type if isinstance(info.type, type) and issubclass(info.type, Fields) else None,
        )
        for info in msgspec.structs.fields(kind)
    )


def _nested(item: Any, kind: type[Record], found: Findings, label: str) -> Record:
    if isinstance(item, dict):
        return from_mapping(item, kind, found, f"{label}.")
    found.add("not_readable", label, _short(item), f"is {_kind_of(item)}, not an object")
    return kind()


def _text(item: Any, found: Findings, label: str) -> str | None:
    if isinstance(item, str):
        return item
    if isinstance(item, int | float) and not isinstance(item, bool):
        return repr(item)
    found.add("not_readable", label, _short(item), f"is {_kind_of(item)}, not a text or number")
    return None


def _short(value: Any) -> str:
    return repr(value)[:80]


def _kind_of(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")
