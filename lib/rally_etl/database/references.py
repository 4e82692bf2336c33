"""References: columns that point at imported rows, hard with a foreign key and soft without."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from rally_etl.database.catalog import IMPORTED
from rally_etl.errors import UsageError

PRACTICE_ROWS = "practice_rows"

_HARD = sa.text(
    """
    select distinct t.relname as table_name, a.attname as column_name, r.relname as target, b.attname as target_column
    from pg_constraint as c
    join pg_class as t on t.oid = c.conrelid
    join pg_class as r on r.oid = c.confrelid
    join pg_attribute as a on a.attrelid = c.conrelid and a.attnum = c.conkey[1]
    join pg_attribute as b on b.attrelid = c.confrelid and b.attnum = c.confkey[1]
    where c.contype = 'f' and cardinality(c.conkey) = 1
      and t.relnamespace = to_regnamespace('public') and r.relnamespace = to_regnamespace('public')
      and r.relname = any(:imported) and (:with_imported or not t.relname = any(:imported))
    order by 1, 2, 3, 4
    """
)
_IMPORTED_IDS = {
    "club_leagues": {"club_id": "clubs"},
    "series_leagues": {"series_id": "series"},
    "teams": {"club_id": "clubs", "series_id": "series"},
    "players": {"club_id": "clubs", "series_id": "series", "team_id": "teams"},
    "player_history": {"player_id": "players"},
    "match_scores": {"home_team_id": "teams", "away_team_id": "teams"},
    "series_stats": {"team_id": "teams", "series_id": "series"},
    "schedule": {"home_team_id": "teams", "away_team_id": "teams"},
}
"""What imported tables say of one another, also in a database that has lost its foreign keys."""

_PLAYER_SEATS = ("home_player_1_id", "home_player_2_id", "away_player_1_id", "away_player_2_id")
_MATCH_TABLES = ("match_scores", "match_scores_previous_seasons")
_COLUMNS = sa.text(
    "select table_name, column_name from information_schema.columns where table_schema = 'public'"
    " union select c.relname, a.attname from pg_attribute as a join pg_class as c on c.oid = a.attrelid"
    " where c.relnamespace = to_regnamespace('public') and a.attnum > 0 and not a.attisdropped"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """One column that points at one column of an imported table; `rows` limits it to some rows of its table.

    Attributes:
        how: ``id`` (an id, or a person's printed id), ``name`` (the text of a name), ``names`` (names within JSON).
        is_fixed: the application never writes the column again once the row is there: a change is somebody's repair.
        is_required: NULL there is a row that has lost what it is about.
    """

    table: str
    column: str
    target: str
    target_column: str
    is_hard: bool
    rows: str | None = None
    how: str = "id"
    is_fixed: bool = False
    is_required: bool = False

    @property
    def name(self) -> str:
        """`<table>.<column>`."""
        return f"{self.table}.{self.column}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceParams:
    """What `params/references.yaml` says."""

    identity: dict[str, list[str]]
    series_words: list[str]
    practice_rows: str
    hand_kept: dict[str, list[str]]
    soft: list[Reference]


def read_reference_params(path: Path) -> ReferenceParams:
    """Read the file.

    Raises:
        UsageError: it is missing, no YAML, or a part of it is not as in the project's own file.
    """
    try:
        content = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
        practice = content[PRACTICE_ROWS]
        return ReferenceParams(
            identity={table: list(columns) for table, columns in content["identity"].items()},
            series_words=list(content["series_words"]),
            practice_rows=practice,
            hand_kept={table: list(columns) for table, columns in content["hand_kept"].items()},
            soft=[_soft(entry, practice) for entry in content["soft"]],
        )
    except (OSError, UnicodeDecodeError, YAMLError, KeyError, TypeError, AttributeError, ValueError) as error:
        raise UsageError(
            f"{path} cannot be read ({type(error).__name__}: {error}); no reference was looked at\n"
            "hint: compare it with the project's own file"
        ) from None


def find_references(
    connection: sa.Connection, params: ReferenceParams, *, with_imported: bool = False
) -> list[Reference]:
    """References of the database met: its foreign keys, and those of the soft ones whose columns it has.

    Args:
        with_imported: also those of imported tables at one another, and of the players' seats in all match tables.
    """
    hard = [
        Reference(
            table=row.table_name,
            column=row.column_name,
            target=row.target,
            target_column=row.target_column,
            is_hard=True,
        )
        for row in connection.execute(_HARD, {"imported": list(IMPORTED), "with_imported": with_imported})
    ]
    columns = read_columns(connection)
    known = {(each.table, each.column, each.target, each.target_column) for each in hard}
    soft = [
        each
        for each in (*(_between_imported() if with_imported else ()), *params.soft)
        if (each.table, each.column) in columns
        and (each.target, each.target_column) in columns
        and (each.table, each.column, each.target, each.target_column) not in known
    ]
    return hard + soft


def read_columns(connection: sa.Connection) -> set[tuple[str, str]]:
    """Table and column of everything in schema `public`."""
    return {(row.table_name, row.column_name) for row in connection.execute(_COLUMNS)}


def _between_imported() -> list[Reference]:
    """Ids of imported rows in imported rows, and the persons of a line, whom match tables name by their printed id."""
    ids = [
        Reference(table=table, column=column, target=target, target_column="id", is_hard=False)
        for table, columns in _IMPORTED_IDS.items()
        for column, target in columns.items()
    ]
    return ids + [
        Reference(table=table, column=seat, target="players", target_column="tenniscores_player_id", is_hard=False)
        for table in _MATCH_TABLES
        for seat in _PLAYER_SEATS
    ]


def _soft(entry: dict[str, Any], practice_rows: str) -> Reference:
    if unknown := entry.keys() - {"table", "column", "target", "rows"}:
        raise ValueError(f"unknown key {sorted(unknown)[0]}")
    target, _, target_column = entry["target"].partition(".")
    if target not in IMPORTED or not target_column:
        raise ValueError(f"target {entry['target']} is no column of an imported table")
    rows = practice_rows if entry.get("rows") == PRACTICE_ROWS else entry.get("rows")
    return Reference(
        table=entry["table"],
        column=entry["column"],
        target=target,
        target_column=target_column,
        is_hard=False,
        rows=rows,
    )
