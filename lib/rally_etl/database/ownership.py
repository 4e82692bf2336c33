"""Column ownership: which columns of imported tables people keep by hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rally_etl.database.catalog import IMPORTED
from rally_etl.errors import UsageError
from rally_etl.params import read_mapping

FILE = "ownership.yaml"
_KEYS = {"column", "why", "initial"}


@dataclass(frozen=True, slots=True)
class HandKept:
    """One column that people keep; `is_initial`: a new row of an import may bring its first value."""

    table: str
    column: str
    why: str
    is_initial: bool = False

    @property
    def name(self) -> str:
        """`<table>.<column>`."""
        return f"{self.table}.{self.column}"


def read_ownership(params_dir: Path) -> tuple[HandKept, ...]:
    """Read `params/ownership.yaml`, in its order.

    Raises:
        UsageError: it is missing, no YAML, or an entry of it is not as in the project's own file.
    """
    path = params_dir / FILE
    try:
        content = read_mapping(path)
        if unknown := sorted(content.keys() - {"hand_kept"}):
            raise ValueError(f"unknown key {unknown[0]}")
        found = tuple(_entry(entry) for entry in content["hand_kept"])
        names = [each.name for each in found]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"{twice[0]} is listed twice")
        return found
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise UsageError(
            f"{path} cannot be read ({type(error).__name__}: {error}); nobody knows what people keep by hand,"
            " nothing was planned\nhint: compare it with the project's own file"
        ) from None


def _entry(entry: Mapping[str, Any]) -> HandKept:
    name = entry.get("column")
    if unknown := sorted(entry.keys() - _KEYS):
        raise ValueError(f"{name}: unknown key {unknown[0]}")
    if missing := sorted({"column", "why"} - entry.keys()):
        raise ValueError(f"{name}: has no {missing[0]}")
    table, _, column = name.partition(".")
    if table not in IMPORTED or not column or column == "id":
        raise ValueError(f"{name} is no column of an imported table that people could keep")
    initial = entry.get("initial", False)
    if not isinstance(initial, bool):
        raise ValueError(f"{name}: initial must be true or false, not {initial!r}")
    return HandKept(table, column, entry["why"], initial)
