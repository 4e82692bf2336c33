"""Load the file of a table into a temporary table, and see that it holds what was copied."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import psycopg2
import sqlalchemy as sa

from rally_etl.database.catalog import quote
from rally_etl.database.engine import clean_message
from rally_etl.protection.snapshots.definitions import run
from rally_etl.protection.stored import files
from rally_etl.protection.stored.manifest import Damaged, StoredTable
from rally_etl.protection.stored.rows import fingerprint_of, names

_NO_PART_OF_A_TYPE = ("--", "/*", "*/", ";", "\n", "\r")


@dataclass(frozen=True, slots=True)
class Loaded:
    """Rows of a table of a snapshot in a temporary table ``schema``.``name`` of this transaction."""

    stored: StoredTable
    schema: str
    name: str

    @property
    def sql(self) -> str:
        """Its quoted name."""
        return quote(self.schema, self.name)

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns that were copied."""
        return tuple(column.name for column in self.stored.copied)


def load(connection: sa.Connection, folder: Path, stored: StoredTable, name: str) -> Loaded:
    """Load a table's file and compare rows and fingerprint with the manifest; the transaction must be pinned.

    Raises:
        Damaged: the file is not what was written, does not hold the rows that it should, or cannot be read here.
    """
    run(connection, f"create temporary table {quote(name)} ({_columns(connection, stored)}) on commit drop")
    loaded = Loaded(stored, _temporary_schema(connection), name)
    source = files.Source(folder, stored)
    try:
        with connection.connection.cursor() as cursor:
            listed = f"({names(loaded.columns)})" if loaded.columns else ""
            cursor.copy_expert(f"copy {loaded.sql} {listed} from stdin", source, size=files.CHUNK)
    except (psycopg2.DataError, psycopg2.errors.QueryCanceled, psycopg2.InternalError) as error:
        raise source.fault or files.damage(stored.file, f"a row cannot be read ({clean_message(error)})") from None
    finally:
        source.close()
    run(connection, f"analyze {loaded.sql}")
    found = fingerprint_of(connection, loaded.schema, name, loaded.columns)
    if found != stored.fingerprint:
        rows = int(found.split(":")[0])
        what = f"it holds {rows:,} rows, not {stored.rows:,}" if rows != stored.rows else "its rows are others"
        raise files.damage(stored.file, f"{what} (fingerprint {found}, not {stored.fingerprint})")
    return loaded


def _columns(connection: sa.Connection, stored: StoredTable) -> str:
    """SQL of the columns of the temporary table; nothing of the manifest gets into it that the server does not know."""
    parts = []
    for column in stored.copied:
        sql = f"{quote(column.name)} {_known(connection, stored, column.name, 'regtype', column.type)}"
        if column.collation:
            sql += f" collate {_known(connection, stored, column.name, 'regcollation', column.collation)}"
        parts.append(sql)
    return ", ".join(parts)


def _known(connection: sa.Connection, stored: StoredTable, column: str, kind: str, text: str) -> str:
    """The name of a type or collation, if the server takes it for one."""
    if not any(part in text for part in _NO_PART_OF_A_TYPE):
        try:
            with connection.begin_nested():
                if connection.scalar(sa.text(f"select to_{kind}(:text) is not null"), {"text": text}):
                    return text
        except sa.exc.DBAPIError as error:
            if error.connection_invalidated:
                raise
    what = "type" if kind == "regtype" else "collation"
    raise Damaged(
        f"table {stored.name} of the snapshot has column {column} of {what} {text!r}, which this database does not"
        f" know; nothing was changed\nhint: make the {what} again, or leave the table out"
    )


def _temporary_schema(connection: sa.Connection) -> str:
    sql = "select nspname from pg_namespace where oid = pg_my_temp_schema()"
    return run(connection, sql).scalar_one()
