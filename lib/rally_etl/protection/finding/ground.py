"""What every finder stands on: the tables met, their references, and what the ledger remembers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

import sqlalchemy as sa

from rally_etl.database.catalog import Table, quote, read_catalog, readable_ledger
from rally_etl.database.references import Reference, ReferenceParams, find_map, read_reference_params
from rally_etl.naming import Clubs, Leagues, load_clubs, load_leagues
from rally_etl.planning.clubs import with_recorded_aliases
from rally_etl.settings import Settings

SHOWN = ("question", "message", "lineup_name", "instruction", "note", "home_team", "player_name", "name", "subject")
"""Columns whose text tells a person which row is meant, the first that a table has."""

LETTERS = 60
"""Letters of such a text that a sentence quotes."""

_NAMES = sa.text(
    "select c.relname from pg_class as c where c.relnamespace = to_regnamespace('public') and c.relkind in ('r', 'p')"
)


@dataclass(frozen=True)
class Ground:
    """One database as it is met; read once, before anything is looked for."""

    connection: sa.Connection
    settings: Settings
    params: ReferenceParams
    tables: dict[str, Table]
    references: tuple[Reference, ...]  # by id, of users' rows
    imported: tuple[Reference, ...]  # by id, of imported rows at one another
    ledger: frozenset[str]  # tables of schema etl that can be read; none in a database that no run has met
    names: Leagues
    keys: dict[int, str] = field(default_factory=dict)  # id of a live league -> its key
    _noted: dict[str, bool] = field(default_factory=dict)

    @classmethod
    def read(cls, connection: sa.Connection, settings: Settings) -> Ground:
        """Look at the catalog and at `params/`.

        Raises:
            UsageError: `params/references.yaml` or a league's file cannot be read.
        """
        params = read_reference_params(settings.params_dir / "references.yaml")
        names = load_leagues(settings.params_dir)
        tables = read_catalog(connection, tuple(connection.scalars(_NAMES)))
        references = tuple(
            each
            for each in find_map(connection, params).by_id
            if each.table in tables and each.target in tables and not each.is_past
        )
        keys = {}
        if "leagues" in tables and tables["leagues"].has("id", "league_id"):
            rows = connection.execute(sa.text("select id, league_id from public.leagues"))
            keys = {row.id: names.canonical(row.league_id) or row.league_id for row in rows}
        return cls(
            connection=connection,
            settings=settings,
            params=params,
            tables=tables,
            references=tuple(each for each in references if each.is_users),
            imported=tuple(each for each in references if not each.is_users),
            ledger=readable_ledger(connection),
            names=names,
            keys=keys,
        )

    @cached_property
    def clubs(self) -> Clubs:
        """Spellings of clubs, those that were decided since among them."""
        clubs = load_clubs(self.settings.params_dir)
        return with_recorded_aliases(self.connection, clubs) if "aliases" in self.ledger else clubs

    @cached_property
    def has_memory(self) -> bool:
        """Whether the ledger has what users' rows were when last seen."""
        return "user_rows" in self.ledger

    def is_as_noted(self, table: str) -> bool:
        """Whether live has the very rows that memory has, with the same references: two sums instead of a join."""
        if table not in self._noted:
            columns = [each.column for each in self.references if each.table == table and each.is_fixed]
            rows = f" where {self.params.practice_rows}" if table == "schedule" else ""
            live = ", ".join([self.key(table, "u"), *(f"cast(u.{quote(name)} as text)" for name in columns)])
            seen = ", ".join(["u.row_key", *(f"u.image ->> {self.text(name)}" for name in columns)])
            one = "select count(*), sum(hash_record_extended(row({}), 0)) from {} as u{}"
            there = " where u.table_name = :name and u.gone_at is null"
            sums = [
                self.connection.execute(
                    sa.text(one.format(live, f"(select * from {quote('public', table)}{rows})", ""))
                ),
                self.connection.execute(sa.text(one.format(seen, "etl.user_rows", there)), {"name": table}),
            ]
            self._noted[table] = tuple(sums[0].one()) == tuple(sums[1].one())
        return self._noted[table]

    def has(self, table: str, *columns: str) -> bool:
        """Whether the database has the table with all of these columns."""
        return table in self.tables and self.tables[table].has(*columns)

    def type(self, table: str, column: str) -> str:
        """Type of a column as PostgreSQL writes it."""
        return next(each.type for each in self.tables[table].columns if each.name == column)

    def key(self, table: str, alias: str) -> str:
        """SQL of the key of a row as text; a table without a key has the place of the row."""
        return key_of(self.tables[table], alias)

    def shown(self, table: str, alias: str) -> str:
        """SQL of the text that tells a person which row is meant; NULL where the table has none."""
        for name in SHOWN:
            if self.has(table, name):
                return f"left(cast({alias}.{quote(name)} as text), {LETTERS + 1})"
        return "cast(null as text)"

    def rows(self, reference: Reference) -> str:
        """SQL of the rows of a reference's table that it is about, with their place where the table has no key."""
        columns = "*" if self.tables[reference.table].key else "*, ctid"
        condition = f" where {reference.rows}" if reference.rows else ""
        return f"(select {columns} from {quote('public', reference.table)}{condition})"

    def text(self, value: str) -> str:
        """SQL of a text."""
        return "'" + value.replace("'", "''").replace(":", "\\:") + "'"

    def target_of(self, reference: Reference, alias: str) -> str:
        """SQL of the rows at which the row under *alias* points, as a part of `exists`."""
        return f"select from {quote('public', reference.target)} as t where {self.points(reference, alias, 't')}"

    def is_same_text(self, reference: Reference) -> bool:
        """Whether the two columns compare without a cast."""
        kinds = [
            self.type(table, column).split("(")[0]
            for table, column in ((reference.table, reference.column), (reference.target, reference.target_column))
        ]
        texts, numbers = {"character varying", "text"}, {"integer", "bigint", "smallint"}
        return kinds[0] == kinds[1] or set(kinds) <= texts or set(kinds) <= numbers

    def points(self, reference: Reference, alias: str, target: str) -> str:
        """SQL condition that the row under *alias* points at the row under *target*."""
        one = f"{alias}.{quote(reference.column)}"
        other = f"{target}.{quote(reference.target_column)}"
        return f"{one} = {other}" if self.is_same_text(reference) else f"cast({one} as text) = cast({other} as text)"

    def siblings(self, reference: Reference) -> Iterator[Reference]:
        """Other references of the same rows, which may still say what the row is about."""
        for each in (*self.references, *self.imported):
            is_same_rows = each.table == reference.table and each.is_users == reference.is_users
            if is_same_rows and each.column != reference.column:
                yield each

    def league(self, league_id: int | None) -> str | None:
        """Key of the live league of this id."""
        return self.keys.get(league_id) if league_id is not None else None


def key_of(table: Table, alias: str) -> str:
    """SQL of the key of a row as text, as `etl.user_rows` has it."""
    if not table.key:
        return f"cast({alias}.ctid as text)"
    return f"concat_ws(', ', {', '.join(f'{alias}.{quote(name)}' for name in table.key)})"
