"""Temporary tables of rows that were worked out in Python."""

from __future__ import annotations

import json

import sqlalchemy as sa


def write_temporary(connection: sa.Connection, table: str, rows: list[dict[str, object]], shape: str) -> None:
    """Make a temporary table anew, with statistics; it goes with the transaction.

    Args:
        shape: its columns with their types, ``printed text, team_id integer``; keys of the rows.
    """
    connection.execute(sa.text(f"drop table if exists pg_temp.{table}"))
    connection.execute(
        sa.text(
            f"create temporary table {table} on commit drop as"
            f" select * from jsonb_to_recordset(cast(:rows as jsonb)) as r({shape})"
        ),
        {"rows": json.dumps(rows)},
    )
    connection.execute(sa.text(f"analyze {table}"))
