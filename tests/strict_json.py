"""Lines of JSON as the standard has it, for what other programs are to read."""

from __future__ import annotations

import json
from typing import Any


def strict(text: str) -> list[dict[str, Any]]:
    """Lines of JSON as the standard has it: no NaN, no key twice, an object per line."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        keys = [key for key, _ in pairs]
        assert sorted(set(keys)) == sorted(keys)
        return dict(pairs)

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    found = [json.loads(line, object_pairs_hook=once, parse_constant=refuse) for line in text.splitlines()]
    assert all(isinstance(each, dict) for each in found)
    return found
