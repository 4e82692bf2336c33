"""Whether a scrape is whole: rows per file and series against the last good load, rows per table against live."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from rally_etl.database.catalog import Table, quote
from rally_etl.measures import Measures, counted, measure
from rally_etl.planning.scene import league_rows
from rally_etl.planning.sql import read

if TYPE_CHECKING:
    from rally_etl.planning.scene import Scene

COUNTED = ("teams", "players", "match_scores", "series_stats", "schedule")
"""Tables whose rows of a league are counted before and after the plan; of teams and players the active ones."""

GROWING = ("match_scores", "series_stats", "schedule")
"""Of them, those of which no import takes a row away: a league's past stays."""

LEAST_ROWS = 20
"""A series of fewer rows at the last load is told when it is gone, not when it is smaller: a team that withdraws is
half of it."""

ROWS_AFTER = "rows_after."
"""How the measures begin that keep how many rows a table has of the league once the plan is published."""

# What the last publish of the league left, whatever kind of run it was.
_LAST_ROWS = sa.text(
    """
    select m.metric, cast(m.value as bigint) as row_count
    from etl.metrics as m
    where m.league = :league and m.stage = 'import' and starts_with(m.metric, :prefix) and m.run_id = (
        select run_id from etl.run_leagues
        where league = :league and published_at is not null and run_id <> :run
        order by published_at desc limit 1
    )
    """
)


def write_volumes(scene: Scene, run_id: str) -> None:
    """Keep in ``etl.volumes`` how many rows of each series the league's files hold; the names are resolved."""
    binds = {"run": run_id, "league": scene.league.key}
    scene.connection.execute(sa.text("delete from etl.volumes where run_id = :run and league = :league"), binds)
    scene.connection.execute(sa.text(read("volumes")), binds)


def completeness_measures(connection: sa.Connection, catalog: dict[str, Table], binds: dict[str, object]) -> Measures:
    """Measures of one league: series that a file lost, and rows that live has lost or would lose.

    The plan's schema comes first in ``search_path``.

    Args:
        binds: ``run``, ``league`` and ``league_id``.
    """
    return _series_measures(connection, binds) | _row_measures(connection, catalog, binds)


def _series_measures(connection: sa.Connection, binds: dict[str, object]) -> Measures:
    series = connection.execute(sa.text(read("series_volumes")), binds).all()
    gone = [row for row in series if not row.rows_now]
    by_kind: dict[str, list[bool]] = {}
    for row in series:
        by_kind.setdefault(row.kind, []).append(not row.rows_now)
    smaller = sorted(
        (1 - row.rows_now / row.rows_before, row)
        for row in series
        if 0 < row.rows_now < row.rows_before and row.rows_before >= LEAST_ROWS
    )[::-1]
    return {
        "series_missing": measure(
            len(gone), [f"{row.kind}: {row.series} ({counted(row.rows_before, 'row')} before)" for row in gone]
        ),
        "series_missing_share": measure(
            max((sum(found) / len(found) for found in by_kind.values()), default=0.0),
            [f"{kind}: {sum(found)} of {len(found)} series" for kind, found in by_kind.items() if any(found)],
        ),
        "series_drop_share": measure(
            smaller[0][0] if smaller else 0.0,
            [f"{row.kind}: {row.series} {row.rows_now:,} of {row.rows_before:,} rows" for _, row in smaller],
        ),
    }


def _row_measures(connection: sa.Connection, catalog: dict[str, Table], binds: dict[str, object]) -> Measures:
    last = {row.metric: row.row_count for row in connection.execute(_LAST_ROWS, binds | {"prefix": ROWS_AFTER})}
    dropped, shrunk, lost, after = [], [], [], {}
    for name in COUNTED:
        if name not in catalog:
            continue
        rows_before, rows_after = _counts(connection, catalog[name], binds)
        after[f"{ROWS_AFTER}{name}"] = measure(rows_after)
        told = f"{name}: {rows_after:,}, live has {rows_before:,}"
        if rows_after < rows_before:
            (shrunk if name in GROWING else dropped).append((1 - rows_after / rows_before, told))
        known = last.get(f"{ROWS_AFTER}{name}", 0)
        if name in GROWING and rows_before < known:
            lost.append(f"{name}: {rows_before:,}, the last publish left {known:,}")
    dropped.sort(reverse=True)
    return after | {
        "active_drop_share": measure(dropped[0][0] if dropped else 0.0, [told for _, told in dropped]),
        "tables_shrunk": measure(len(shrunk), [told for _, told in shrunk]),
        "rows_lost_since": measure(len(lost), lost),
    }


def _counts(connection: sa.Connection, table: Table, binds: dict[str, object]) -> tuple[int, int]:
    """Rows of the league in live and after the plan; of teams and players those that are active."""
    rows = league_rows(table) + (" and l.is_active is not false" if table.has("is_active") else "")
    live, planned, before = quote("public", table.name), quote(table.name), quote(f"{table.name}_before")
    row = connection.execute(
        sa.text(
            f"select (select count(*) from {live} as l where {rows}) as in_live,"
            f" (select count(*) from {planned} as l where {rows} and l._op <> 'delete')"
            f" - (select count(*) from {before} as l where {rows}) as added"
        ),
        binds,
    ).one()
    return row.in_live, row.in_live + row.added
