"""What the database needs, and what it must not have: `params/constraints.yaml`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rally_etl.errors import UsageError
from rally_etl.params import read_mapping

SEVERITIES = ("error", "warn")


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A unique key that is needed, or that is forbidden.

    Attributes:
        rows: condition of the rows it is about; "" for all.
        when, unless: it is about tables that have this column, or have not; "" for all.
    """

    table: str
    columns: tuple[str, ...]
    severity: str
    why: str
    rows: str = ""
    when: str = ""
    unless: str = ""

    def is_about(self, columns: frozenset[str]) -> bool:
        """Whether a table with these columns is meant."""
        return (not self.when or self.when in columns) and (not self.unless or self.unless not in columns)


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A foreign key that is needed: one column to one column."""

    table: str
    column: str
    target: str
    target_column: str
    severity: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConstraintParams:
    """What the file says, in its order."""

    unique: list[Key]
    forbidden: list[Key]
    links: list[Link]

    @property
    def tables(self) -> list[str]:
        """Every table that the file names."""
        return sorted({each.table for each in (*self.unique, *self.forbidden, *self.links)})


def read_constraint_params(path: Path) -> ConstraintParams:
    """Read the file.

    Raises:
        UsageError: it is missing, no YAML, or a part of it is not as in the project's own file.
    """
    try:
        content = read_mapping(path)
        if unknown := content.keys() - {"unique", "forbidden", "references"}:
            raise ValueError(f"unknown key {sorted(unknown)[0]}")
        return ConstraintParams(
            unique=[_key(entry) for entry in content["unique"]],
            forbidden=[_key(entry) for entry in content["forbidden"]],
            links=[link for entry in content["references"] for link in _links(entry)],
        )
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise UsageError(
            f"{path} cannot be read ({type(error).__name__}: {error}); no constraint was looked at\n"
            "hint: compare it with the project's own file"
        ) from None


def _key(entry: Mapping[str, Any]) -> Key:
    columns = entry["columns"]
    if not isinstance(columns, list) or not columns:
        raise ValueError(f"{entry['table']}: columns is no list")
    return Key(**_checked({**entry, "columns": tuple(columns)}))


def _links(entry: Mapping[str, Any]) -> list[Link]:
    said = _checked({name: value for name, value in entry.items() if name != "columns"})
    target, _, target_column = said.pop("target").partition(".")
    links = []
    for place in entry["columns"]:
        table, _, column = place.partition(".")
        if not column or not target_column:
            raise ValueError(f"{place} to {entry['target']}: write table.column")
        links.append(Link(table=table, column=column, target=target, target_column=target_column, **said))
    return links


def _checked(entry: dict[str, Any]) -> dict[str, Any]:
    if entry["severity"] not in SEVERITIES or not entry["why"].strip():
        raise ValueError(f"{entry}: severity is one of {', '.join(SEVERITIES)}, and why says something")
    return entry
