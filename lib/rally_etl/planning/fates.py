"""What becomes of every live row that a run could touch, and why every new row is made."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import sqlalchemy as sa

from rally_etl.database.catalog import IMPORTED, Table, quote
from rally_etl.planning.scene import league_rows
from rally_etl.planning.schema import read_planned, schemas
from rally_etl.planning.sql import read

if TYPE_CHECKING:
    from rally_etl.planning.scene import Scene

ENTITIES = ("leagues", "clubs", "series", "teams", "players")
"""Tables whose rows stand for something that users refer to: each of their rows is accounted for by itself."""

# also a club that the league has from this run on
_CLUBS = (
    "exists (select from public.club_leagues as j where j.club_id = l.id and j.league_id = :league_id)"
    " or exists (select from club_leagues as j where j.club_id = l.id and j.league_id = :league_id)"
)
_TAKEN_BACK = "'made by the run that is taken back'"
_MOVED = (
    "case when exists (select from players as o where o._op = 'insert'"
    " and o.tenniscores_player_id = l.tenniscores_player_id) then 'plays for another team' else 'not in the scrape' end"
)


def write_identified(scene: Scene) -> None:
    """Store how the leagues, clubs, series and teams of the scrape were found, one row per live or new row."""
    scene.identified.setdefault(("leagues", scene.league_id), ("exact", 1.0, "the league's key"))
    rows = [
        {"table_name": table, "id": row, "strategy": strategy, "confidence": confidence, "evidence": evidence}
        for (table, row), (strategy, confidence, evidence) in scene.identified.items()
    ]
    scene.connection.execute(
        sa.text(
            """
            insert into identified
            select :league, table_name, id, strategy, confidence, evidence
            from jsonb_to_recordset(cast(:rows as jsonb)) as r(
                table_name text, id integer, strategy text, confidence double precision, evidence text)
            """
        ),
        {"league": scene.league.key, "rows": json.dumps(rows)},
    )


def write_fates(
    connection: sa.Connection,
    run_id: str,
    catalog: dict[str, Table],
    league: str,
    league_id: int,
    counts: dict[str, dict[str, int]],
    protected: set[int],
) -> None:
    """Fill ``etl.fates`` for one league.

    Args:
        counts: the plan's counts; tables that hold no entities are accounted for by them alone.
        protected: live teams that an open question is about.
    """
    binds = {"run": run_id, "league": league}
    connection.execute(sa.text("delete from etl.fates where run_id = :run and league = :league"), binds)
    connection.execute(sa.text("analyze identified"))
    undone = _undone(connection, run_id)
    for name in ENTITIES:
        if name in catalog:
            sql = read("fates").format(
                table=quote("public", name),
                plan=quote(name),
                rows=_rows_of(catalog[name]),
                is_off="l.is_active is false" if catalog[name].has("is_active") else "false",
                why_gone=_TAKEN_BACK if undone else _MOVED if name == "players" else "'not in the scrape'",
                why_removed=_TAKEN_BACK if undone else "'said twice'",
                why_new="'it comes back'" if undone else "'new'",
            )
            ids = sorted(protected) if name == "teams" else []
            connection.execute(sa.text(sql), binds | {"table": name, "league_id": league_id, "protected": ids})
    fates = {"insert": "new", "update": "updated", "deactivate": "deactivated", "delete": "removed"}
    rows = [
        binds | {"table": name, "fate": fates.get(operation, "untouched"), "why": "counted", "count": count}
        for name in IMPORTED
        if name in counts and name not in ENTITIES
        for operation, count in counts[name].items()
        if count
    ]
    if rows:
        connection.execute(
            sa.text(
                "insert into etl.fates (run_id, league, table_name, fate, why, row_count)"
                " values (:run, :league, :table, :fate, :why, :count)"
            ),
            rows,
        )


def accounting(
    connection: sa.Connection, run_id: str, catalog: dict[str, Table], league: str, league_id: int
) -> dict[str, list[str]]:
    """What does not add up, in sentences; the plan's schema comes first in ``search_path``.

    Returns:
        ``unaccounted``: tables whose fates are not all their live rows; ``lost``: live rows that the candidate would
        not have; ``reused``: new rows under an id that something had before. An undo may take away rows that the
        undone run inserted, and bring back, to the last column, rows that it deleted.
    """
    found: dict[str, list[str]] = {"unaccounted": [], "lost": [], "reused": []}
    undone = _undone(connection, run_id)
    then = read_planned(connection, undone) if undone else {}
    binds = {"run": run_id, "league": league, "league_id": league_id}
    for name in ENTITIES:
        if name not in catalog:
            continue
        live, plan = quote("public", name), quote(name)
        made_then, was_there = "true", "true"
        if name in then:
            after, image = (quote(schemas(undone)[0], each) for each in (name, f"{name}_before"))
            columns = ", ".join("{0}." + quote(column) for column in catalog[name].column_names)
            made_then = f"not exists (select from {after} as t where t.id = b.id and t._op = 'insert')"
            was_there = (
                f"not exists (select from {after} as t join {image} as w using (id) where t.id = p.id"
                f" and t._op = 'delete' and row({columns.format('w')}) is not distinct from row({columns.format('p')}))"
            )
        before, told = connection.execute(
            sa.text(
                f"select (select count(*) from {live} as l where {_rows_of(catalog[name])}),"
                " (select coalesce(sum(row_count), 0) from etl.fates where run_id = :run and league = :league"
                "  and table_name = :table and fate <> 'new')"
            ),
            binds | {"table": name},
        ).one()
        if before != told:
            found["unaccounted"].append(f"{name}: {before:,} live rows, {told:,} of them have a fate")
        lost = connection.execute(
            sa.text(
                f"select count(*) from {quote(f'{name}_before')} as b left join {plan} as p using (id)"
                f" where (p.id is null or p._op = 'delete') and {made_then}"
            )
        ).scalar_one()
        if lost:
            found["lost"].append(f"{name}: {lost:,} live rows would be gone")
        reused = connection.execute(
            sa.text(
                f"select array_agg(p.id order by p.id) from {plan} as p where p._op = 'insert'"
                f" and (exists (select from {live} as l where l.id = p.id) or exists ("
                "  select from etl.entity_history as h where h.table_name = :table and h.entity_id = p.id))"
                f" and {was_there}"
            ),
            {"table": name},
        ).scalar_one()
        if reused:
            found["reused"].append(f"{name}: {', '.join(map(str, reused[:10]))}")
    return found


def _undone(connection: sa.Connection, run_id: str) -> str | None:
    """The run that this one takes back; None for anything else than an undo."""
    return connection.scalar(
        sa.text("select operation ->> 'run' from etl.runs where run_id = :run and operation ->> 'kind' = 'undo'"),
        {"run": run_id},
    )


def _rows_of(table: Table) -> str:
    return f"({_CLUBS if table.name == 'clubs' else league_rows(table)})"
