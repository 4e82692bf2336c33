"""Make a run's plan: one row per change for every imported table, and the candidate that shows its outcome."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

import sqlalchemy as sa

from rally_etl import naming
from rally_etl.database.catalog import IMPORTED, REQUIRED, Table, quote, read_catalog
from rally_etl.errors import RallyEtlError
from rally_etl.identity.aliases import PLAN_TABLES, plan_aliases
from rally_etl.identity.reviews import write_reviews
from rally_etl.identity.spelling import team_spelling
from rally_etl.identity.thresholds import load_thresholds
from rally_etl.planning import (
    fates,
    history,
    identify,
    matches,
    names,
    operations,
    persons,
    players,
    schedule,
    schema,
    standings,
    teams,
)
from rally_etl.planning.clubs import plan_clubs, with_recorded_aliases
from rally_etl.planning.compare import keep_before_images
from rally_etl.planning.phantoms import hold_phantoms
from rally_etl.planning.series import plan_junctions, plan_series

if TYPE_CHECKING:
    from rally_etl.settings import Settings

WAITS_FOR = "waits for "
LEAGUE_ROWS = {
    "leagues": "l.id = :league_id",
    "clubs": "exists (select from public.club_leagues as j where j.club_id = l.id and j.league_id = :league_id)",
    "schedule": "l.league_id = :league_id and l.home_team !~* 'practice' and coalesce(l.away_team, '') <> ''",
}
"""Which live rows of a table are a league's imported rows, where it is not simply ``l.league_id = :league_id``."""


def make_plan(
    engine: sa.Engine, settings: Settings, run_id: str, on_table: Callable[[str], None] | None = None
) -> None:
    """Plan every league of the run from its staged rows, in one transaction and from one state of live.

    Writes the schemas ``plan_<run>`` and ``candidate_<run>``, ``etl.held_rows``, and counts and hash of each league's
    plan into ``etl.run_leagues``.

    Raises:
        RallyEtlError: the database lacks a table that every import needs.
    """
    leagues, clubs = naming.load_leagues(settings.params_dir), naming.load_clubs(settings.params_dir)
    thresholds = load_thresholds(settings.params_dir)
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection, connection.begin():
        catalog = read_catalog(connection)
        if missing := sorted(REQUIRED - catalog.keys()):
            raise RallyEtlError(
                f"the database has no table {', '.join(missing)}; nothing was planned\nhint: run `rally-etl db init`"
            )
        _check_sequences(connection, catalog)
        schema.create_plan(connection, run_id, catalog)
        connection.execute(sa.text(PLAN_TABLES.format(plan=quote(schema.schemas(run_id)[0]))))
        connection.execute(sa.text(f"set local search_path = {quote(schema.schemas(run_id)[0])}, pg_temp"))
        files = _usable_files(connection, run_id)
        known = {row.league_id: leagues.canonical(row.league_id) for row in _live_leagues(connection)}
        if operation := operations.of_run(connection, run_id):
            catalog |= operations.plan_operation(connection, catalog, settings, run_id, operation)
            _finish(connection, run_id, catalog)
            for row in _live_leagues(connection):
                if (key := known[row.league_id] or row.league_id) in files:
                    _record_counts(connection, run_id, catalog, key, row.id, set())
            return
        planned_clubs: dict[str, int] = {}
        planned_series: dict[str, int] = {}
        scenes = []
        for key, kinds in files.items():
            recorded = with_recorded_aliases(connection, clubs)
            scene = teams.Scene(connection, catalog, leagues.get(key), recorded, frozenset(kinds), thresholds)
            _plan_league(scene, kinds, known, planned_clubs, planned_series)
            scenes.append(scene)
            if on_table:
                on_table(key)
        _finish(connection, run_id, catalog)
        for scene in scenes:
            _record(connection, run_id, scene)


def _finish(connection: sa.Connection, run_id: str, catalog: dict[str, Table]) -> None:
    for table in catalog.values():
        keep_before_images(connection, table)
    schema.finish_plan(connection, run_id, catalog)


def _check_sequences(connection: sa.Connection, catalog: dict[str, Table]) -> None:
    """Refuse a database whose sequences lag behind its rows, as restored dumps may: a new id would be a known row's.

    Raises:
        RallyEtlError: names the sequences, with the statement that mends each.
    """
    behind = []
    for table in catalog.values():
        if table.sequence:
            highest, next_id = connection.execute(
                sa.text(
                    f"select (select max(id) from {quote('public', table.name)}),"
                    f" last_value + case when is_called then 1 else 0 end from {table.sequence}"
                )
            ).one()
            if highest and highest >= next_id:
                behind.append(f"select setval('{table.sequence}', {highest});")
    if behind:
        raise RallyEtlError(
            f"{len(behind)} sequences would give ids that rows have already; nothing was planned"
            f"\nhint: {' '.join(behind)}"
        )


def _plan_league(
    scene: teams.Scene,
    kinds: dict[str, str | None],
    known: dict[str, str | None],
    planned_clubs: dict[str, int],
    planned_series: dict[str, int],
) -> None:
    teams.plan_league(scene, known)
    printed = names.read_printed(scene)
    roster = names.roster_of(scene, printed)
    live = teams.live_teams(scene)
    found = identify.identify_teams(scene, roster, live)
    spoken_for = {key for key, match in found.items() if match.id is not None or match.kind}
    roster = hold_phantoms(scene, printed, roster, spoken_for)
    certain = {key: team for key, team in roster.items() if team_spelling(key) not in scene.waiting}
    through_teams = identify.clubs_through_teams(scene, certain, found, live)
    plan_clubs(scene, certain.values(), through_teams, planned_clubs)
    plan_series(scene, certain.values(), planned_series)
    teams.plan_teams(scene, certain, found, live, is_complete=kinds.keys() >= set(names.ROSTER_KINDS))
    plan_junctions(scene)
    names.write_names(scene, printed, roster, teams.live_team_names(scene, live))
    if "players" in kinds:
        players.plan_players(scene)
    else:
        persons.write_person_aliases(scene)
    if "series_stats" in kinds:
        standings.plan_standings(scene)
    if "schedules" in kinds:
        schedule.plan_schedule(scene)
    if kinds.get("match_scores"):
        matches.plan_matches(scene, kinds["match_scores"])
    if "player_history" in kinds:
        history.plan_history(scene)
    plan_aliases(scene.connection, scene.league.key, scene.new_aliases)
    fates.write_identified(scene)


def _usable_files(connection: sa.Connection, run_id: str) -> dict[str, dict[str, str | None]]:
    """League -> kind -> orientation, for files without a fault; a league of which nothing is usable has no kinds."""
    rows = connection.execute(
        sa.text(
            "select l.league, f.kind, f.orientation from etl.run_leagues as l"
            " left join etl.source_files as f on f.run_id = l.run_id and f.league = l.league and f.fault is null"
            " where l.run_id = :run order by l.league, f.kind"
        ),
        {"run": run_id},
    )
    files: dict[str, dict[str, str | None]] = {}
    for row in rows:
        kinds = files.setdefault(row.league, {})
        if row.kind:
            kinds[row.kind] = row.orientation
    return files


def _live_leagues(connection: sa.Connection) -> list[sa.Row]:
    return list(connection.execute(sa.text("select id, league_id from public.leagues")))


def league_rows(table: Table) -> str:
    """SQL condition over ``l`` for the imported rows of ``:league_id`` in a live table."""
    if table.name == "series" and not table.has("league_id"):
        return "exists (select from public.teams as t where t.series_id = l.id and t.league_id = :league_id)"
    return LEAGUE_ROWS.get(table.name, "l.league_id = :league_id")


def _record(connection: sa.Connection, run_id: str, scene: teams.Scene) -> None:
    """Write what the plan of one league amounts to into the ledger."""
    binds = {"run": run_id, "league": scene.league.key}
    _record_counts(connection, run_id, scene.catalog, scene.league.key, scene.league_id, scene.protected)
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


def _record_counts(
    connection: sa.Connection, run_id: str, catalog: dict[str, Table], league: str, league_id: int, protected: set[int]
) -> None:
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


def _waiting_rows(scene: teams.Scene) -> Counter[str]:
    """Name under review -> rows that wait for the answer."""
    waiting: Counter[str] = Counter()
    for (_, why, name), count in scene.held.items():
        if why.startswith(WAITS_FOR):
            waiting[why.removeprefix(WAITS_FOR)] += count
        elif why == "unknown_team":
            waiting[name] += count
    return waiting


def _entities(scene: teams.Scene) -> set[str]:
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
        live = connection.execute(
            sa.text(
                f"select count(*) from {quote('public', name)} as l"
                f" where {league_rows(table) if name in IMPORTED else 'true'}"
            ),
            {"league_id": league_id} if name in IMPORTED else {},
        ).scalar_one()
        counts[name] = {operation: found.get(operation, 0) for operation in schema.OPERATIONS}
        counts[name] |= {"delete": found["delete"]} if "delete" in found else {}
        counts[name]["unchanged"] = live - sum(found.values()) + found.get("insert", 0)
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
