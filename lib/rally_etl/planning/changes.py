"""A plan as a person reads it: what changes, from what to what."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import sqlalchemy as sa

from rally_etl.database.catalog import IMPORTED, quote
from rally_etl.errors import UsageError
from rally_etl.planning.schema import schemas

if TYPE_CHECKING:
    import pandas as pd

UNTOLD = ("updated_at", "created_at", "_op", "_leagues")


def changes(engine: sa.Engine, run_id: str, table: str, league: str | None = None, limit: int = 200) -> pd.DataFrame:
    """Changes of one table, the newest ids first.

    Returns:
        one row per change: ``operation``, ``id``, ``what`` (``column: before → after`` for what differs; the values of
        a new row). Empty when the run has no plan any more.

    Raises:
        UsageError: *table* is no imported table.
    """
    import pandas as pd

    if table not in IMPORTED:
        raise UsageError(f"{table!r} is no imported table\nhint: one of {', '.join(IMPORTED)}")
    plan = schemas(run_id)[0]
    rows = []
    with engine.connect() as connection:
        if connection.execute(sa.text("select to_regclass(:name)"), {"name": quote(plan, table)}).scalar():
            found = connection.execute(
                sa.text(
                    "select p._op as operation, p.id, to_jsonb(p) as after, to_jsonb(b) as before"
                    f" from {quote(plan, table)} as p left join {quote(plan, f'{table}_before')} as b on b.id = p.id"
                    " where cast(:league as text) is null or :league = any(p._leagues)"
                    " order by p._op = 'insert', p.id desc limit :limit"
                ),
                {"league": league, "limit": limit},
            )
            rows = [(row.operation, row.id, _told(row.before, row.after)) for row in found]
    return pd.DataFrame(rows, columns=["operation", "id", "what"])


def _told(before: dict | None, after: dict) -> str:
    if before is None:
        return ", ".join(
            f"{name}: {_text(value)}"
            for name, value in after.items()
            if name not in (*UNTOLD, "id") and value is not None
        )
    return ", ".join(
        f"{name}: {_text(before.get(name))} → {_text(value)}"
        for name, value in after.items()
        if name not in UNTOLD and before.get(name) != value
    )


def _text(value: object) -> str:
    return "–" if value is None else value if isinstance(value, str) else json.dumps(value)
