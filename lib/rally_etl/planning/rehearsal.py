"""Rehearse the undo: in a transaction that is rolled back the plan is written and taken back, and rows are compared."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import sqlalchemy as sa
from pydantic import BaseModel, ConfigDict, Field

from rally_etl.database.catalog import IMPORTED, Table, quote
from rally_etl.database.engine import clean_message
from rally_etl.database.references import Reference, find_references, read_reference_params
from rally_etl.database.retry import is_transient, retrying
from rally_etl.errors import PlanIsStale, RallyEtlError, UsageError
from rally_etl.identity.aliases import PLAN_TABLES
from rally_etl.measures import counted
from rally_etl.params import read_model
from rally_etl.planning import operations, schema
from rally_etl.planning.as_before import DUE, rows_that_differ
from rally_etl.planning.compare import keep_before_images
from rally_etl.planning.publish import write_rows

if TYPE_CHECKING:
    from rally_etl.settings import Settings

GROWTH = 0.2  # share of new rows from which on the statistics of a table say nothing about it
FEW_ROWS = 1_000  # whatever a few rows are joined with, and however
_HASHES = 65536


class UndoParams(BaseModel):
    """`params/undo.yaml`; ``sampled_above_rows``: of more planned rows of one table about so many are enough."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rehearse: Literal["always", "sampled", "never"]
    sampled_above_rows: Annotated[int, Field(gt=0)]
    lock_timeout_ms: Annotated[int, Field(gt=0)]
    attempts: Annotated[int, Field(ge=1, le=20)]
    longest_s: Annotated[int, Field(gt=0)]


def load_undo_params(params_dir: Path) -> UndoParams:
    """Read the file.

    Raises:
        UsageError: it is missing, or a value is missing, unknown or out of range.
    """
    return read_model(params_dir / "undo.yaml", UndoParams)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsal:
    """What one rehearsal has shown, for leagues that were written together.

    Attributes:
        planned: rows of their plan.
        rows: how many of these were written and taken back; fewer where a sample was enough.
        differs: rows that the undo would not bring back as they were.
        named: these rows, each with its table, key and columns, or why there is no undo.
        refused: why the plan itself cannot be written; "" where it can.
        missing: why there was no rehearsal although one was due; "" where there was.
        off: why none was due; "" where one was.
        seconds: of the last attempt, during which rows were locked.
        is_sample: whether a part of some table stood for the whole of it.
    """

    leagues: tuple[str, ...]
    planned: int
    rows: int = 0
    differs: int = 0
    named: tuple[str, ...] = ()
    refused: str = ""
    missing: str = ""
    off: str = ""
    seconds: float = 0.0
    attempts: int = 1
    is_sample: bool = False

    @property
    def is_good(self) -> bool:
        return not (self.differs or self.refused or self.missing)

    @property
    def share(self) -> float:
        """Share of the planned rows that was rehearsed; all of them where nothing is planned."""
        return self.rows / self.planned if self.planned else 1.0


def rehearse_undo(engine: sa.Engine, settings: Settings, run_id: str) -> list[Rehearsal]:
    """Write and take back the plan of a run without leaving a trace, and say which rows would not be as before.

    Compared are live rows, column by column and bit by bit; what the ledger would note is not rehearsed. Row locks are
    held as long as it takes, readers never wait.

    Returns:
        one rehearsal of all leagues. Where it went wrong, one for each league of an import, so that the fault of one is
        not that of the others; an operation is published in all its leagues or in none.

    Raises:
        UsageError: params that cannot be read.
        RallyEtlError: the plan is not there.
    """
    params = load_undo_params(settings.params_dir)
    with engine.connect() as connection:
        operation = operations.of_run(connection, run_id)
        leagues, others = _leagues(connection, run_id)
        if not schema.read_planned(connection, run_id):
            raise RallyEtlError(f"run {run_id} has no plan; nothing was rehearsed\nhint: run the scrape again")
        off = _why_off(connection, params, run_id, operation)
    if not leagues:
        return []
    stage = _Stage(engine, settings, run_id, params, operation, others)
    if off:
        return [Rehearsal(leagues=leagues, planned=stage.planned(leagues), off=off)]
    found = stage.play(leagues, params.attempts)
    if found.is_good or operation or len(leagues) == 1:
        return [found]
    return [stage.play((league,), 1) for league in leagues]


def _leagues(connection: sa.Connection, run_id: str) -> tuple[tuple[str, ...], list[str]]:
    """Leagues that are still to be published, and those of the run that have been."""
    rows = connection.execute(
        sa.text(
            "select league, published_at is not null and state <> 'undone' as is_published from etl.run_leagues"
            " where run_id = :run order by league"
        ),
        {"run": run_id},
    ).all()
    return tuple(row.league for row in rows if not row.is_published), [row.league for row in rows if row.is_published]


def _why_off(connection: sa.Connection, params: UndoParams, run_id: str, operation: Mapping[str, Any] | None) -> str:
    """Why no rehearsal is due; "" where one is."""
    if params.rehearse == "never":
        return "params/undo.yaml says never"
    if operation and connection.scalar(_DROPS, {"run": run_id}):
        return "the run drops constraints, which would lock readers out for as long as it takes"
    if operation and connection.scalar(_DIRECT, {"run": run_id}):
        return "what a guarded command wrote itself is no plan, and has no undo"
    return ""


_DROPS = sa.text(
    "select exists (select from etl.constraint_changes where run_id = :run and action = 'drop' and done_at is null)"
)
_DIRECT = sa.text("select exists (select from etl.guards where run_id = :run and method = 'direct')")


class _NoUndo(Exception):
    """The plan was written, and the way back cannot be."""


@dataclass(frozen=True, slots=True)
class _Part:
    """One planned table: its rows that are due, and how many of them are new."""

    table: Table
    rows: int
    inserts: int


@dataclass(frozen=True, slots=True)
class _Stage:
    """One run whose plan is written and taken back; nothing that it does is committed."""

    engine: sa.Engine
    settings: Settings
    run_id: str
    params: UndoParams
    operation: Mapping[str, Any] | None
    others: list[str]  # leagues whose rows are live already
    undo_id: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "undo_id", f"{operations.REHEARSAL}-{self.run_id}")

    def planned(self, leagues: Iterable[str]) -> int:
        """Rows that the plan has for these leagues."""
        with self.engine.connect() as connection:
            return sum(part.rows for part in self._parts(connection, list(leagues)))

    def play(self, leagues: tuple[str, ...], attempts: int) -> Rehearsal:
        """Rehearse these leagues together; a sample in which something is wrong is rehearsed whole."""
        found = self._play(leagues, attempts, is_sampled=self.params.rehearse == "sampled" and not self.operation)
        if found.is_sample and (found.differs or found.refused):
            return self._play(leagues, attempts, is_sampled=False)
        return found

    def _play(self, leagues: tuple[str, ...], attempts: int, *, is_sampled: bool) -> Rehearsal:
        number = 0
        try:
            for attempt in retrying("rehearsal of the undo", lambda *_: None, attempts=attempts):
                with attempt:
                    number = attempt.num
                    found = self._once(leagues, is_sampled)
            return replace(found, attempts=number)
        except sa.exc.DBAPIError as error:
            if not _is_of_the_server(error):
                raise
            why = f"{clean_message(error)}{_where(error)} (tried {counted(number, 'time')})"
            return Rehearsal(leagues=leagues, planned=self.planned(leagues), missing=why, attempts=number)

    def _once(self, leagues: tuple[str, ...], is_sampled: bool) -> Rehearsal:
        """One transaction; it is rolled back because nobody commits it."""
        keys, started = list(leagues), time.perf_counter()
        with self.engine.connect() as connection:
            self._limit(connection)
            parts = self._parts(connection, keys)
            _settle_joins(connection, parts)
            found = Rehearsal(leagues=leagues, planned=sum(part.rows for part in parts))
            if not found.planned:
                return found
            references = find_references(
                connection, read_reference_params(self.settings.params_dir / "references.yaml"), with_imported=True
            )
            found = replace(found, is_sample=is_sampled and self._sample(connection, parts, references))
            tables = {part.table.name: part.table for part in parts if part.rows}
            try:
                found = replace(found, rows=write_rows(connection, self.run_id, keys, analyses=False).rows)
            except (PlanIsStale, sa.exc.DBAPIError) as error:
                if _is_of_the_server(error):
                    raise
                return replace(found, refused=_said(error), seconds=time.perf_counter() - started)
            try:
                self._take_back(connection, tables, keys)
                due = {"leagues": keys, "others": self.others}
                differs, named = rows_that_differ(connection, tables, self.run_id, self.undo_id, due, references)
            except _NoUndo as error:
                differs, named = found.rows, [str(error)]
        return replace(found, differs=differs, named=tuple(named), seconds=time.perf_counter() - started)

    def _limit(self, connection: sa.Connection) -> None:
        connection.execute(sa.text(f"set local lock_timeout = {self.params.lock_timeout_ms}"))
        connection.execute(sa.text(f"set local statement_timeout = {1000 * self.params.longest_s}"))

    def _parts(self, connection: sa.Connection, leagues: list[str]) -> list[_Part]:
        """The tables of the plan in their order, with the rows that are due for these leagues."""
        plan, binds = schema.schemas(self.run_id)[0], {"leagues": leagues, "others": self.others}
        parts = []
        for name, table in schema.read_planned(connection, self.run_id).items():
            counts = "count(*), count(*) filter (where p._op = 'insert')"
            sql = f"select {counts} from {quote(plan, name)} as p where {DUE}"
            parts.append(_Part(table, *connection.execute(sa.text(sql), binds).one()))
        return parts

    def _sample(self, connection: sa.Connection, parts: Iterable[_Part], references: Iterable[Reference]) -> bool:
        """Put in the place of large planned tables that nothing points at a part of their rows; whether any is."""
        plan, targets = schema.schemas(self.run_id)[0], {each.target for each in references}
        is_sample = False
        for part in parts:
            table = part.table
            if part.rows <= self.params.sampled_above_rows or table.name in targets or table.name not in IMPORTED:
                continue
            after, key = quote(plan, table.name), ", ".join(quote(name) for name in table.key)
            whole = f"{table.name}_whole"
            draw = f"hashtextextended(concat_ws('|', {key}), hashtextextended(:run, 0)) & {_HASHES - 1}"
            connection.execute(sa.text(f"alter table {after} rename to {quote(whole)}"))
            connection.execute(
                sa.text(f"create table {after} as select * from {quote(plan, whole)} where {draw} < :limit"),
                {"run": self.run_id, "limit": math.ceil(_HASHES * self.params.sampled_above_rows / part.rows)},
            )
            connection.execute(sa.text(f"alter table {after} add primary key ({key})"))
            connection.execute(sa.text(f"analyze {after}"))
            is_sample = True
        return is_sample

    def _take_back(self, connection: sa.Connection, tables: dict[str, Table], keys: list[str]) -> None:
        """Plan the undo of what was just written, and write it.

        Raises:
            _NoUndo: it cannot be planned or written.
        """
        connection.execute(_AUDITED, {"run": self.run_id, "leagues": keys})
        connection.execute(_PUBLISHED, {"run": self.run_id, "leagues": keys})
        _defer_again(connection)
        schema.create_plan(connection, self.undo_id, tables)
        plan = quote(schema.schemas(self.undo_id)[0])
        connection.execute(sa.text(PLAN_TABLES.format(plan=plan)))
        connection.execute(sa.text(f"set local search_path = {plan}, pg_temp"))
        try:
            doing = {"kind": "undo", "run": self.run_id}
            undo = operations.KINDS["undo"].plan
            touched = undo(connection, dict(tables), self.settings, self.undo_id, doing, keys).touched
            for table in (tables | touched).values():
                keep_before_images(connection, table)
                schema.index_table(connection, self.undo_id, table)
            connection.execute(sa.text("set local search_path to default"))
            write_rows(connection, self.undo_id, keys, analyses=False)
        except (UsageError, PlanIsStale, sa.exc.DBAPIError) as error:
            if _is_of_the_server(error):
                raise
            raise _NoUndo(f"the run could not be undone: {_said(error)}") from error


_AUDITED = sa.text(
    "update etl.run_leagues set state = 'audited', cause = 'rehearsal'"
    " where run_id = :run and league = any(:leagues) and state = 'planned'"
)
_PUBLISHED = sa.text(
    "update etl.run_leagues set state = 'published', published_at = clock_timestamp(), cause = 'rehearsal'"
    " where run_id = :run and league = any(:leagues)"
)
_DEFERRED = sa.text(
    "select distinct conname from pg_constraint where connamespace = to_regnamespace('public') and condeferred"
)


def _settle_joins(connection: sa.Connection, parts: Iterable[_Part]) -> None:
    """Keep the planner from nested loops where a table grows much.

    The new rows are in no statistics, autovacuum may even say of their table that it is empty, and a loop over what is
    thought to be one row is a loop over all of them.
    """
    rows = sa.text("select relname, reltuples from pg_class where relnamespace = to_regnamespace('public')")
    known = dict(connection.execute(rows).all())
    if any(part.inserts > max(FEW_ROWS, GROWTH * known[part.table.name]) for part in parts):
        connection.execute(sa.text("set local enable_nestloop = off"))


def _defer_again(connection: sa.Connection) -> None:
    """What the first half has checked at its end waits for the end of the second half again."""
    if names := [quote("public", name) for name in connection.scalars(_DEFERRED)]:
        connection.execute(sa.text(f"set constraints {', '.join(names)} deferred"))


def _is_of_the_server(error: Exception) -> bool:
    """Whether an error says nothing about the rows: locks, time, disk, a lost connection."""
    return is_transient(error) or isinstance(error, sa.exc.OperationalError | sa.exc.InterfaceError)


def _where(error: sa.exc.DBAPIError) -> str:
    """The relation of a row that could not be locked, as far as the server says."""
    relation = re.search(r'in relation "([^"]+)"', getattr(getattr(error.orig, "diag", None), "context", None) or "")
    return f" on a row of {relation[1]}" if relation else ""


def _said(error: BaseException) -> str:
    return clean_message(error) if isinstance(error, sa.exc.DBAPIError) else " ".join(str(error).split())
