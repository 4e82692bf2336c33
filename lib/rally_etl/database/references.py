"""References: columns that point at imported rows, hard with a foreign key and soft without."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import sqlalchemy as sa

from rally_etl.database.catalog import IMPORTED
from rally_etl.database.reference_params import PRACTICE_ROWS, Reference, ReferenceParams, read_reference_params

__all__ = [
    "ARCHIVED",
    "PRACTICE_ROWS",
    "Reference",
    "ReferenceMap",
    "ReferenceParams",
    "find_map",
    "find_references",
    "read_columns",
    "read_reference_params",
]

ARCHIVED = ("match_scores_previous_seasons",)
"""Tables that hold rows of former imports: no run writes them, and they are nobody's own."""

# A key of several columns is one row per column.
_HARD = sa.text(
    """
    select distinct t.relname as table_name, a.attname as column_name, r.relname as target, b.attname as target_column
    from pg_constraint as c
    join pg_class as t on t.oid = c.conrelid
    join pg_class as r on r.oid = c.confrelid
    cross join lateral unnest(c.conkey, c.confkey) as k(from_number, to_number)
    join pg_attribute as a on a.attrelid = c.conrelid and a.attnum = k.from_number
    join pg_attribute as b on b.attrelid = c.confrelid and b.attnum = k.to_number
    where c.contype = 'f'
      and t.relnamespace = to_regnamespace('public') and r.relnamespace = to_regnamespace('public')
      and r.relname = any(:imported) and (:with_imported or not t.relname = any(:imported))
    order by 1, 2, 3, 4
    """
)
_LEAGUE = {"league_id": "leagues"}
_SIDES = {"home_team_id": "teams", "away_team_id": "teams"}
_IMPORTED_IDS = {
    "club_leagues": _LEAGUE | {"club_id": "clubs"},
    "series": _LEAGUE,
    "series_leagues": _LEAGUE | {"series_id": "series"},
    "teams": _LEAGUE | {"club_id": "clubs", "series_id": "series"},
    "players": _LEAGUE | {"club_id": "clubs", "series_id": "series", "team_id": "teams"},
    "player_history": _LEAGUE | {"player_id": "players"},
    "match_scores": _LEAGUE | _SIDES,
    "match_scores_previous_seasons": _LEAGUE | _SIDES,
    "series_stats": _LEAGUE | {"team_id": "teams", "series_id": "series"},
    "schedule": _LEAGUE | _SIDES,
}
"""What imported tables say of one another, also in a database that has lost its foreign keys."""

_PLAYER_SEATS = ("home_player_1_id", "home_player_2_id", "away_player_1_id", "away_player_2_id")
_MATCH_TABLES = ("match_scores", *ARCHIVED)
_COLUMNS = sa.text(
    "select c.relname as table_name, a.attname as column_name"
    " from pg_class as c join pg_attribute as a on a.attrelid = c.oid"
    " where c.relnamespace = to_regnamespace('public') and c.relkind in ('r', 'p', 'v', 'm', 'f') and a.attnum > 0"
    " and not a.attisdropped"
)


@dataclass(frozen=True, slots=True)
class ReferenceMap:
    """Every path from a user or imported row to an imported row, in one database.

    The rows of the schedule are told apart: its references stand once for matches and once for users' practice rows.
    """

    references: tuple[Reference, ...]

    @property
    def of_users(self) -> tuple[Reference, ...]:
        """Those whose rows are users' own."""
        return tuple(each for each in self.references if each.is_users)

    @property
    def by_id(self) -> tuple[Reference, ...]:
        """Those by id, a person's printed id among them."""
        return tuple(each for each in self.references if each.how == "id")

    def of(self, table: str) -> tuple[Reference, ...]:
        """Those of one table."""
        return tuple(each for each in self.references if each.table == table)


def find_map(connection: sa.Connection, params: ReferenceParams) -> ReferenceMap:
    """All references of the database met: by id and by name, of users' rows first, then of imported ones.

    A table or column that the database does not have is left out.
    """
    columns = read_columns(connection)
    by_id = find_references(connection, params, with_imported=True)
    keyed = {(each.table, each.column, each.target, each.target_column) for each in by_id if each.is_hard}
    practice = [each for each in params.soft if each.table in IMPORTED and each.rows]
    told_apart = {each.table for each in practice}
    found = [
        replace(each, rows=params.match_rows) if each.table in told_apart else each
        for each in by_id
        if each not in practice and not (each.rows and each.table in IMPORTED)
    ]
    found += [
        replace(each, is_hard=(each.table, each.column, each.target, each.target_column) in keyed)
        for each in _present(practice, columns)
    ]
    found += _present(params.names, columns)
    marked = [_marked(each, params) for each in found]
    return ReferenceMap(tuple(sorted(marked, key=_place)))


def find_references(
    connection: sa.Connection, params: ReferenceParams, *, with_imported: bool = False
) -> list[Reference]:
    """References by id of the database met: its foreign keys, and those of the soft ones whose columns it has.

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
    known = {(each.table, each.column, each.target, each.target_column) for each in hard}
    soft = [
        each
        for each in _present((*(_between_imported() if with_imported else ()), *params.soft), read_columns(connection))
        if (each.table, each.column, each.target, each.target_column) not in known
    ]
    return [_marked(each, params) for each in hard + soft]


def read_columns(connection: sa.Connection) -> set[tuple[str, str]]:
    """Table and column of everything in schema `public`."""
    return {(row.table_name, row.column_name) for row in connection.execute(_COLUMNS)}


def _present(references: Iterable[Reference], columns: set[tuple[str, str]]) -> list[Reference]:
    """Those whose columns, and whose targets' columns, the database has."""
    return [
        each
        for each in references
        if (each.table, each.column) in columns
        and all((each.target, column) in columns for column in each.target_columns)
    ]


def _marked(reference: Reference, params: ReferenceParams) -> Reference:
    """The reference with what the params say of it; marks are of users' rows only."""
    is_practice = reference.rows == params.practice_rows
    is_users = is_practice or reference.table not in (*IMPORTED, *ARCHIVED)
    by_id = is_users and reference.how == "id"
    called = PRACTICE_ROWS if is_practice else reference.table
    return replace(
        reference,
        is_users=is_users,
        is_fixed=by_id and reference.name in params.fixed,
        is_required=by_id and reference.name in params.required,
        is_past=by_id and reference.name in params.past,
        label=params.called.get(called) or reference.table.replace("_", " "),
    )


def _place(reference: Reference) -> tuple:
    """Users' first, then imported ones from parents to children, a table's together, ids before names."""
    order = IMPORTED.index(reference.table) if reference.table in IMPORTED else len(IMPORTED)
    group = (0, 0) if reference.is_users else (1, order)
    return (*group, reference.table, reference.how != "id", reference.column, reference.target)


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
