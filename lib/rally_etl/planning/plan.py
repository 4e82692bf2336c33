"""Make a run's plan: one row per change for every imported table, and the candidate that shows its outcome."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import sqlalchemy as sa

from rally_etl import naming
from rally_etl.database.catalog import REQUIRED, Table, quote, read_catalog
from rally_etl.errors import RallyEtlError
from rally_etl.identity.aliases import PLAN_TABLES, plan_aliases
from rally_etl.identity.spelling import team_spelling
from rally_etl.identity.thresholds import load_thresholds
from rally_etl.planning import (
    computed,
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
from rally_etl.planning.recording import forget, record, record_counts
from rally_etl.planning.scene import Scene
from rally_etl.planning.series import plan_junctions, plan_series

if TYPE_CHECKING:
    from rally_etl.settings import Settings


def make_plan(
    engine: sa.Engine,
    settings: Settings,
    run_id: str,
    on_table: Callable[[str], None] | None = None,
    kinds: operations.Kinds = operations.KINDS,
) -> None:
    """Plan every league of the run from its staged rows, in one transaction and from one state of live.

    Writes the schemas ``plan_<run>`` and ``candidate_<run>``, ``etl.held_rows``, and counts and hash of each league's
    plan into ``etl.run_leagues``.

    Args:
        kinds: what a run without a scrape may be.

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
        operation = operations.of_run(connection, run_id)
        if not operation or operation["kind"] not in kinds or kinds[operation["kind"]].makes_rows:
            _check_sequences(connection, catalog)
        forget(connection, run_id)
        schema.create_plan(connection, run_id, catalog)
        connection.execute(sa.text(PLAN_TABLES.format(plan=quote(schema.schemas(run_id)[0]))))
        connection.execute(sa.text(f"set local search_path = {quote(schema.schemas(run_id)[0])}, pg_temp"))
        files = _usable_files(connection, run_id)
        known = {row.league_id: leagues.canonical(row.league_id) for row in _live_leagues(connection)}
        if operation:
            catalog |= operations.plan_operation(connection, catalog, settings, run_id, operation, kinds)
            _finish(connection, run_id, catalog)
            for row in _live_leagues(connection, "leagues where _op = 'insert'"):
                key = known.get(row.league_id) or leagues.canonical(row.league_id) or row.league_id
                if key in files:
                    record_counts(connection, run_id, catalog, key, row.id, set())
            return
        planned_clubs: dict[str, int] = {}
        planned_series: dict[str, int] = {}
        scenes = []
        for key, kinds in files.items():
            recorded = with_recorded_aliases(connection, clubs)
            scene = Scene(connection, catalog, leagues.get(key), recorded, frozenset(kinds), thresholds)
            _plan_league(scene, kinds, known, planned_clubs, planned_series)
            computed.plan_computed(scene, run_id, settings.params_dir)
            scenes.append(scene)
            if on_table:
                on_table(key)
        _finish(connection, run_id, catalog)
        for scene in scenes:
            record(connection, run_id, scene)


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
    scene: Scene,
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
        history.follow_players(scene)
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


def _live_leagues(connection: sa.Connection, planned: str = "") -> list[sa.Row]:
    """Leagues of live, and those of a *planned* table, which an undo may bring back."""
    more = f" union all select id, league_id from {planned}" if planned else ""
    return list(connection.execute(sa.text(f"select id, league_id from public.leagues{more}")))
