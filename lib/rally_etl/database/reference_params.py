"""What `params/references.yaml` says of references: the soft ones, names, and what a reference is to its row."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rally_etl.database.catalog import IMPORTED
from rally_etl.errors import UsageError
from rally_etl.params import read_mapping

PRACTICE_ROWS = "practice_rows"
MATCH_ROWS = "match_rows"
HOWS = ("id", "name", "names")

_MARKS = ("fixed", "required", "past")
_PARTS = {
    "identity",
    "series_words",
    "practice_rows",
    "soft",
    "names",
    *_MARKS,
    "unrelated",
    "called",
    "secrets",
    "logs",
}
_ENTRY = {"table", "column", "target", "rows"}
_PERSON = ("players", "tenniscores_player_id")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """One column that points at one column of an imported table; `rows` limits it to some rows of its table.

    Attributes:
        target_column: for names it may be several columns with a blank between them, ``first_name last_name``.
        how: ``id`` (an id, or a person's printed id), ``name`` (the text of a name), ``names`` (names within JSON).
        pattern: of a name within a longer text, a regular expression whose one group is the name.
        is_fixed: the application never writes the column again once the row is there: a change is somebody's repair.
        is_required: NULL there is a row that has lost what it is about.
        is_past: it says what was; that it points at nothing is no fault.
        is_users: its rows are users' own: a user table, or the practice rows of the schedule.
        label: what one row is, in a captain's words: ``poll``, ``practice time``.
    """

    table: str
    column: str
    target: str
    target_column: str
    is_hard: bool
    rows: str | None = None
    how: str = "id"
    pattern: str | None = None
    is_fixed: bool = False
    is_required: bool = False
    is_past: bool = False
    is_users: bool = False
    label: str = ""

    @property
    def name(self) -> str:
        """`<table>.<column>`."""
        return f"{self.table}.{self.column}"

    @property
    def by(self) -> str:
        """``key`` with a foreign key; without one ``id``, ``name`` or ``names``."""
        return "key" if self.is_hard else self.how

    @property
    def target_columns(self) -> tuple[str, ...]:
        """The columns that together are what it points at; one but for a person's name."""
        return tuple(self.target_column.split())


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceParams:
    """What `params/references.yaml` says.

    Attributes:
        soft: references by id; a database may hold some of them by a foreign key too.
        names: references by name, single or within JSON.
        fixed, required, past: `<table>.<column>` of users' references; see `Reference`.
        unrelated: `<table>` and `<table>.<column>` that point at no imported row.
        called: table -> what one of its rows is; ``practice_rows`` -> what a practice row is.
        secrets: columns, in whatever table, that no copy of a row may hold.
        logs: tables of users that only say what happened: their rows are counted, not remembered.
    """

    identity: dict[str, list[str]]
    series_words: list[str]
    practice_rows: str
    soft: list[Reference]
    names: list[Reference]
    fixed: frozenset[str]
    required: frozenset[str]
    past: frozenset[str]
    unrelated: frozenset[str]
    called: dict[str, str]
    secrets: frozenset[str]
    logs: frozenset[str]

    @property
    def match_rows(self) -> str:
        """The rows of the schedule that are no practice rows."""
        return f"({self.practice_rows}) is not true"


def read_reference_params(path: Path) -> ReferenceParams:
    """Read the file.

    Raises:
        UsageError: it is missing, no YAML, or a part of it is not as in the project's own file.
    """
    try:
        content = read_mapping(path)
        return _params(content)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise UsageError(
            f"{path} cannot be read ({type(error).__name__}: {error}); no reference was looked at\n"
            "hint: compare it with the project's own file"
        ) from None


def _params(content: Any) -> ReferenceParams:
    _refuse_unknown("the file", content, _PARTS)
    identity = {table: list(columns) for table, columns in content["identity"].items()}
    rows = {PRACTICE_ROWS: content["practice_rows"], MATCH_ROWS: f"({content['practice_rows']}) is not true"}
    soft = [_reference("soft", entry, _ENTRY, identity, rows) for entry in content["soft"]]
    names = [_reference("names", entry, _ENTRY | {"how", "pattern"}, identity, rows) for entry in content["names"]]
    marks = {part: frozenset(content[part]) for part in _MARKS}
    declared = {each.name for each in soft}
    for part, entries in marks.items():
        if unknown := sorted(entries - declared):
            raise ValueError(f"{part}: {unknown[0]} is not declared under soft")
    return ReferenceParams(
        identity=identity,
        series_words=list(content["series_words"]),
        practice_rows=content["practice_rows"],
        soft=soft,
        names=names,
        unrelated=frozenset(content["unrelated"]),
        called=dict(content["called"]),
        secrets=frozenset(content["secrets"]),
        logs=frozenset(content["logs"]),
        **marks,
    )


def _reference(
    part: str,
    entry: Mapping[str, Any],
    keys: Collection[str],
    identity: Mapping[str, list[str]],
    rows: Mapping[str, str],
) -> Reference:
    """One entry of `soft` or `names`; what is wrong is said with the entry."""
    where = f"{part}: {entry.get('table')}.{entry.get('column')}" if isinstance(entry, Mapping) else f"{part}: {entry}"
    _refuse_unknown(where, entry, keys)
    if missing := sorted({"table", "column", "target"} - entry.keys()):
        raise ValueError(f"{where}: has no {missing[0]}")
    target, _, target_column = entry["target"].partition(".")
    by_id = part == "soft"
    known = {"id"} | ({_PERSON[1]} if target == _PERSON[0] else set()) if by_id else set(identity.get(target, ()))
    if target not in IMPORTED or not target_column.split() or not set(target_column.split()) <= known:
        raise ValueError(f"{where}: target {entry['target']} is no {'key' if by_id else 'name'} of an imported table")
    how = "id" if by_id else entry.get("how", "name")
    if how not in HOWS[1:] and not by_id:
        raise ValueError(f"{where}: how must be name or names, not {how}")
    if (pattern := entry.get("pattern")) is not None and _groups(pattern) != 1:
        raise ValueError(f"{where}: pattern {pattern} must be a regular expression with one group, the name")
    return Reference(
        table=entry["table"],
        column=entry["column"],
        target=target,
        target_column=" ".join(target_column.split()),
        is_hard=False,
        rows=rows.get(entry.get("rows", ""), entry.get("rows")),
        how=how,
        pattern=pattern,
    )


def _groups(pattern: str) -> int:
    try:
        return re.compile(pattern).groups
    except re.error:
        return 0


def _refuse_unknown(where: str, found: Mapping[str, Any], known: Collection[str]) -> None:
    if unknown := sorted(found.keys() - set(known)):
        raise ValueError(f"{where}: unknown key {unknown[0]}")
