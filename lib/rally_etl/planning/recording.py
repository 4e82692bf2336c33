"""What the plan of one league amounts to, for the ledger: counts, hash, fates, questions, rows that wait."""

from __future__ import annotations

import hashlib
import json
from collections import Counter

import sqlalchemy as sa

from rally_etl import logs
from rally_etl.database.catalog import IMPORTED, Table, quote
from rally_etl.identity.reviews import WAITS, write_reviews
from rally_etl.planning import fates, names, schema
from rally_etl.planning.completeness import write_volumes
from rally_etl.planning.scene import Scene, league_rows


def record(connection: sa.Connection, run_id: str, scene: Scene) -> None:
    """Write what the plan of one league amounts to into the ledger."""
    binds = {"run": run_id, "league": scene.league.key}
    record_counts(connection, run_id, scene.catalog, scene.league.key, scene.league_id, scene.protected)
    write_volumes(scene, run_id)
    write_reviews(connection, run_id, scene.league.key, scene.reviews, _waiting_rows(scene), _entities(scene))
    connection.execute(sa.text("delete from etl.held_rows where run_id = :run and league = :league"), binds)
    if scene.held:
        connection.execute(
            sa.text(
                "insert into etl.held_rows (run_id, league, kind, reason, name, row_count)"
                " values (:run, :league, :kind, :reason, :name, :count)"
            ),
            [
                binds | {"kind": kind, "reason": why, "name": name, "count": count}
                for (kind, why, name), count in scene.held.items()
            ],
        )


def record_counts(
    connection: sa.Connection, run_id: str, catalog: dict[str, Table], league: str, league_id: int, protected: set[int]
) -> None:
    """Write counts, hash and fates of one league's plan; *protected* are live teams that an open question is about."""
    counts = plan_counts(connection, catalog, league, league_id)
    connection.execute(
        sa.text(
            "update etl.run_leagues set plan_counts = cast(:counts as jsonb), plan_hash = :hash, league_id = :league_id"
            " where run_id = :run and league = :league"
        ),
        {
            "run": run_id,
            "league": league,
            "league_id": league_id,
            "counts": json.dumps(counts),
            "hash": plan_hash(connection, run_id, catalog, league),
        },
    )
    fates.write_fates(connection, run_id, catalog, league, league_id, counts, protected)
    changes = {name: sum(found.values()) - found["unchanged"] for name, found in counts.items()}
    logs.event("plan.made", league=league, changes={name: number for name, number in changes.items() if number})


def forget(connection: sa.Connection, run_id: str) -> None:
    """Take back what an earlier attempt at the plan of this run has noted: it was broken off, and is made anew."""
    for table in ("held_rows", "repairs", "constraint_changes", "computed_rows", "volumes"):
        connection.execute(sa.text(f"delete from etl.{table} where run_id = :run"), {"run": run_id})


def _waiting_rows(scene: Scene) -> Counter[str]:
    """Name under review -> rows that wait for the answer."""
    waiting: Counter[str] = Counter()
    for (_, why, name), count in scene.held.items():
        if why.startswith(WAITS):
            waiting[why.removeprefix(WAITS)] += count
        elif why == "unknown_team":
            waiting[name] += count
    return waiting


def _entities(scene: Scene) -> set[str]:
    """Entities about which this scrape could have raised a question."""
    named = {"team", "club", "series"} if scene.kinds & {*names.ROSTER_KINDS, "match_scores", "schedules"} else set()
    return named | ({"player"} if "players" in scene.kinds else set())


def plan_counts(
    connection: sa.Connection, catalog: dict[str, Table], league: str, league_id: int
) -> dict[str, dict[str, int]]:
    """Table -> operation -> rows of one league's plan; ``unchanged`` are the league's live rows that it leaves alone.

    Tables of users stand there only in a run without a scrape that touches them, and so does ``delete``. The plan's
    schema comes first in ``search_path``.
    """
    counts = {}
    for name, table in catalog.items():
        found = dict(
            connection.execute(
                sa.text(f"select _op, count(*) from {quote(name)} where :league = any(_leagues) group by _op"),
                {"league": league},
            ).all()
        )
        # an operation's rows may be of other leagues too, so those that it touches are no number to subtract
        unchanged = connection.execute(
            sa.text(
                f"select count(*) from {quote('public', name)} as l"
                f" where ({league_rows(table) if name in IMPORTED else 'true'})"
                f" and not exists (select from {quote(name)} as p where {table.same('p', 'l')}"
                " and :league = any(p._leagues))"
            ),
            {"league": league, **({"league_id": league_id} if name in IMPORTED else {})},
        ).scalar_one()
        counts[name] = {operation: found.get(operation, 0) for operation in schema.OPERATIONS}
        counts[name] |= {"delete": found["delete"]} if "delete" in found else {}
        counts[name]["unchanged"] = unchanged
    return counts


def plan_hash(connection: sa.Connection, run_id: str, catalog: dict[str, Table], league: str) -> str:
    """A fingerprint of one league's plan: any image that is added, removed or altered changes it.

    What was approved is what is published (rule 9): publish compares it with the ledger's.
    """
    plan = schema.schemas(run_id)[0]
    parts = []
    for name, table in sorted(catalog.items()):
        after, before = quote(plan, name), quote(plan, f"{name}_before")
        rows = connection.execute(
            sa.text(
                "select count(*), sum(h), bit_xor(h) from ("
                f"select hash_record_extended(p, 0) as h from {after} as p where :league = any(_leagues)) as images"
                " union all select count(*), sum(h), bit_xor(h) from ("
                f"select hash_record_extended(b, 0) as h from {before} as b join {after} as p on {table.same('b', 'p')}"
                " where :league = any(p._leagues)) as images"
            ),
            {"league": league},
        )
        parts.append(f"{name}:" + ",".join(f"{value}" for row in rows for value in row))
    decided = "select coalesce(string_agg(cast({0} as text), chr(10) order by cast({0} as text)), '') from {1} as {0}"
    for sql in (
        decided.format("a", quote(plan, "new_aliases")) + " where due_with = :league",
        decided.format("r", quote(plan, "new_redirects")),
    ):
        parts.append(connection.execute(sa.text(sql), {"league": league}).scalar_one())
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
