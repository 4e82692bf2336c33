"""Proofs of checks: rows that a check must find and rows that it must leave alone, tried on empty copies of the tables.

A proof is `tests/checks/<table>/<statement>.yaml` with ``failing`` and ``passing`` (rows of the check's table), and
where needed ``given`` (rows of other tables, those of users too), ``failing_rows`` (how many rows the check returns,
where it groups them), ``as_of`` (the day that counts as today), and ``cases``: a list of further databases to try, each
with keys of its own.
"""

from __future__ import annotations

import datetime as dt
import difflib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from rally_etl.checks.files import Check, read_check, read_checks
from rally_etl.checks.results import CheckResult
from rally_etl.checks.running import RunFacts, run_check
from rally_etl.database.catalog import IMPORTED, quote
from rally_etl.database.engine import clean_message, connect
from rally_etl.database.schema import init
from rally_etl.database.scratch import scratch_database
from rally_etl.errors import UsageError
from rally_etl.params import read_mapping
from rally_etl.settings import Settings

AS_OF = dt.date(2025, 10, 15)
"""The day that counts as today in a proof; rows of this season are from 2025-08-01 on."""

LEAGUE_ID, ANOTHER_LEAGUE_ID = 1, 2
KINDS = ("failing", "passing")
CASE_KEYS = (*KINDS, "given", "failing_rows", "as_of")
DEFAULTS = {"league_id": LEAGUE_ID, "is_active": True}
REPEAT = "repeat"
"""Not a column: `repeat: 3` stands for three equal rows."""

UNSAID = (
    "What users see, or what goes wrong next, if it is not true.",
    "What to do about the rows that it finds: where to look first, which command.",
)
"""Why and how to mend in a draft, until somebody has said it; such a check is not proved."""

_FACTS = RunFacts("proof", AS_OF, ("PROOF",))
_COLUMNS = sa.text(
    "select c.relname as table_name, a.attname as name, a.attnotnull as is_required from pg_class as c"
    " join pg_attribute as a on a.attrelid = c.oid where c.relnamespace = to_regnamespace('public')"
    " and c.relname = any(:names) and c.relkind in ('r', 'p') and a.attnum > 0 and not a.attisdropped"
)


def proofs_dir(root: Path) -> Path:
    """Where a project keeps the proofs of its checks."""
    return root / "tests" / "checks"


def read_proof(folder: Path, check: str) -> dict[str, Any]:
    """Read the proof of a check.

    Raises:
        UsageError: it is missing, or no proof; with the file and what to do.
    """
    path = folder / f"{check}.yaml"
    if not path.is_file():
        raise UsageError(
            f"check {check} has no proof: {path} is missing; nothing was proved\n"
            f"hint: it holds rows that the check must find (failing) and rows that it must leave alone (passing)"
        )
    proof = read_mapping(path)
    wrong = [f"`{key}` is no key of a proof" for key in proof if key not in (*CASE_KEYS, "cases")]
    wrong += [f"`{kind}` is missing or empty" for kind in KINDS if not proof.get(kind)]
    for number, case in enumerate(proof.get("cases", []), 2):
        wrong += [f"`{key}` is no key of a case (case {number})" for key in case if key not in CASE_KEYS]
        if not any(case.get(kind) for kind in KINDS):
            wrong.append(f"case {number} has neither `failing` nor `passing`")
    if wrong:
        raise UsageError(
            f"{path}: {'; '.join(wrong)}; nothing was proved\n"
            "hint: a proof takes failing, passing, and where needed given (rows of other tables), failing_rows, as_of,"
            " and cases (a list of further databases with the same keys)"
        )
    return proof


def cases(proof: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The databases that a proof tries: the one that it says itself, and its further cases."""
    return [proof, *proof.get("cases", [])]


def failing_rows_of(case: Mapping[str, Any]) -> int:
    """How many rows the check has to return for the failing rows of a case."""
    return case.get("failing_rows", sum(row.get(REPEAT, 1) for row in case["failing"]))


@contextmanager
def stage(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A session that sees an empty copy of every imported table, without NOT NULL; nothing of it stays.

    Rows of users' tables go into these themselves: the database should be empty, as `scratch_database` makes one.
    """
    with engine.connect() as connection:
        found = connection.execute(_COLUMNS, {"names": list(IMPORTED)}).all()
        for table in sorted({row.table_name for row in found}):
            copy = quote("pg_temp", table)
            connection.execute(sa.text(f"create temporary table {quote(table)} (like {quote('public', table)})"))
            columns = [row.name for row in found if row.table_name == table and row.is_required]
            drops = ", ".join(f"alter column {quote(name)} drop not null" for name in columns)
            if drops:
                connection.execute(sa.text(f"alter table {copy} {drops}"))
        connection.execute(sa.text("set local search_path to pg_temp, public"))
        connection.execute(sa.text("set local jit to off"))
        try:
            yield connection
        finally:
            connection.rollback()


@contextmanager
def laid_out(connection: sa.Connection, tables: Mapping[str, Iterable[dict]]) -> Iterator[None]:
    """The rows in their tables on the stage, taken back at the end."""
    with connection.begin_nested() as nested:
        for table, rows in tables.items():
            put(connection, table, rows)
        try:
            yield
        finally:
            nested.rollback()


def put(connection: sa.Connection, table: str, rows: Iterable[dict[str, Any]]) -> None:
    """Fill a table on the stage, of the proof's league and active where a row does not say otherwise.

    Args:
        table: its name; with `public.` the table of the empty database behind the copy.
    """
    expanded = [{**DEFAULTS, **row} for row in rows for _ in range(row.get(REPEAT, 1))]
    name = quote(*table.split("."))
    connection.execute(
        sa.text(f"insert into {name} select * from jsonb_populate_recordset(null::{name}, cast(:rows as jsonb))"),
        {"rows": json.dumps(expanded, default=str)},
    )


def prove_all(settings: Settings, names: Sequence[str] = ()) -> dict[str, list[str]]:
    """Prove checks in a database of their own: name -> what is wrong, nothing where it is proved.

    Args:
        names: `<table>/<statement>`; only their files are read. None given is every check.

    Raises:
        UsageError: a check file is not as it should be, or there is no such check.
    """
    folder = proofs_dir(settings.root)
    if names:
        checks = [read_check(_file_of(settings.params_dir, name)) for name in names]
    else:
        checks = read_checks(settings.params_dir)
    faults: dict[str, list[str]] = {}
    with scratch_database(settings, "proofs") as url:
        engine = connect(Settings(root=settings.root, database_url=url))
        init(engine)
        with stage(engine) as connection:
            for check in checks:
                try:
                    faults[check.name] = prove(connection, check, read_proof(folder, check.name))
                except UsageError as error:
                    faults[check.name] = [str(error)]
        engine.dispose()
    return faults


def _file_of(params_dir: Path, name: str) -> Path:
    path = params_dir / "checks" / f"{name}.sql"
    if not path.is_file():
        known = [f"{each.parent.name}/{each.stem}" for each in (params_dir / "checks").glob("*/*.sql")]
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
        hint = f"is {near[0]} meant?" if near else "a name is a table and a statement: teams/name_is_unique"
        raise UsageError(f"there is no check {name}: {path} is missing; nothing was proved\nhint: {hint}")
    return path


def prove(connection: sa.Connection, check: Check, proof: Mapping[str, Any]) -> list[str]:
    """What is wrong with a check or its proof, in sentences; nothing when each row is found or left alone as it should.

    Args:
        connection: of `stage`, with nothing in its tables.
    """
    if unsaid := [key for key in ("why", "mend") if getattr(check, key) in UNSAID]:
        return [f"the header's {' and '.join(unsaid)} is still that of the template"]
    if unknown := _unknown_columns(connection, check, proof):
        return unknown
    faults = []
    for number, case in enumerate(cases(proof), 1):
        found = _prove_case(connection, check, case)
        faults += found if number == 1 else [f"case {number}: {fault}" for fault in found]
    return faults


def _prove_case(connection: sa.Connection, check: Check, case: Mapping[str, Any]) -> list[str]:
    """What is wrong in one of the databases that a proof tries."""
    facts = replace(_FACTS, as_of=case.get("as_of", AS_OF))
    wanted = failing_rows_of(case) if "failing" in case else 0
    faults = []
    for kind, league_id, count, where in (
        ("failing", LEAGUE_ID, wanted, "of the failing rows"),
        ("passing", LEAGUE_ID, 0, "of the passing rows"),
        ("failing", ANOTHER_LEAGUE_ID, 0, "of the failing rows when another league is asked: restrict by :league_id"),
    ):
        if kind not in case:
            continue
        try:
            with laid_out(connection, _tables(check, case, kind)):
                result = run_check(connection, check, league_id, league="PROOF", facts=facts)
        except sa.exc.DBAPIError as error:
            return [f"the {kind} rows cannot be laid out: {clean_message(error)}"]
        if result.outcome == "errored":
            return [f"the query does not run: {result.error}"]
        if result.failing_rows != count:
            faults.append(f"it finds {result.failing_rows} and not {count} {where}{_found(result)}")
    if "failing" in case and not wanted:
        faults.append("the proof wants no failing row")
    return faults


def _tables(check: Check, case: Mapping[str, Any], kind: str) -> dict[str, list[dict]]:
    tables = {table: list(rows) for table, rows in case.get("given", {}).items()}
    tables.setdefault(check.table, []).extend(case[kind])
    return tables


def _unknown_columns(connection: sa.Connection, check: Check, proof: Mapping[str, Any]) -> list[str]:
    """Names in rows that are no column: such a value would be lost without a word."""
    known: dict[str, set[str]] = {}
    given = [(table, f"given.{table}", rows) for case in cases(proof) for table, rows in case.get("given", {}).items()]
    parts = [(check.table, kind, case[kind]) for case in cases(proof) for kind in KINDS if kind in case] + given
    for row in connection.execute(_COLUMNS, {"names": [table.removeprefix("public.") for table, _, _ in parts]}):
        known.setdefault(row.table_name, {REPEAT}).add(row.name)
    faults = []
    for table, where, rows in parts:
        columns = known.get(table.removeprefix("public."))
        if columns is None:
            faults.append(f"{where} names a table that the database does not have")
        elif strange := sorted({name for row in rows for name in row} - columns):
            faults.append(f"{where} says {', '.join(strange)}: no column of {table}")
    return faults


def _found(result: CheckResult) -> str:
    keys = [str(key) for key in result.keys.all()]
    return f" (found: {', '.join(keys[:10])})" if keys else ""
