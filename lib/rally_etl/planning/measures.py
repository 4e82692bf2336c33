"""What baseline and import found, as measures for the gate: one number per league, with the names behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from rally_etl import naming
from rally_etl.database.catalog import IMPORTED, REQUIRED, Table, quote, read_catalog
from rally_etl.measures import Measures, counted, measure
from rally_etl.planning.completeness import completeness_measures
from rally_etl.planning.fates import accounting
from rally_etl.planning.improbable import improbable_measures
from rally_etl.planning.operations import of_run
from rally_etl.planning.scene import id_prefix, league_rows
from rally_etl.planning.schema import schemas
from rally_etl.planning.sql import read

if TYPE_CHECKING:
    from rally_etl.settings import Settings

ALL_NAMES = 2_000  # who approves a new season wants to see every team that comes and goes


def baseline_measures(engine: sa.Engine, settings: Settings, run_id: str) -> Measures:
    """What stands in the database before the run: rows of each league, user rows, missing tables."""
    with engine.connect() as connection:
        catalog = read_catalog(connection)
        missing = sorted(REQUIRED - catalog.keys())
        measures: Measures = {
            "*": {
                "missing_tables": measure(len(missing), missing),
                "user_rows": measure(_user_rows(connection)),
            }
        }
        ids = league_ids(connection, settings)
        for league in run_leagues(connection, run_id):
            rows = 0
            for name in IMPORTED if league in ids else ():
                if name in catalog:
                    rows += connection.execute(
                        sa.text(
                            f"select count(*) from {quote('public', name)} as l where {league_rows(catalog[name])}"
                        ),
                        {"league_id": ids[league]},
                    ).scalar_one()
            measures[league] = {"live_rows": measure(rows)}
    return measures


def import_measures(engine: sa.Engine, settings: Settings, run_id: str) -> Measures:
    """What the files and the plan say, per league of the run."""
    plan, _ = schemas(run_id)
    leagues = naming.load_leagues(settings.params_dir)
    with engine.connect() as connection:
        connection.execute(sa.text(f"set local search_path = {quote(plan)}, pg_temp"))
        new = connection.execute(sa.text("select league_id, id from leagues where _op = 'insert'")).all()
        ids = league_ids(connection, settings) | {row.league_id: row.id for row in new}
        catalog = read_catalog(connection)
        measures: Measures = {}
        for league in run_leagues(connection, run_id):
            binds = {"run": run_id, "league": league, "league_id": ids.get(league, -1)}
            files = list(connection.execute(sa.text(read("file_measures")), binds).mappings())
            measures[league] = _file_measures(files) | _plan_measures(connection, binds)
            measures[league] |= _identity_measures(connection, catalog, binds)
            measures[league] |= completeness_measures(connection, catalog, binds)
            measures[league] |= improbable_measures(connection, catalog, binds, id_prefix(leagues.get(league)))
            operation = of_run(connection, run_id)
            if operation and operation["kind"] != "guard":  # a person asked for this by name
                asked = ["teams_gone_share", "teams_new_share", "series_gone", "series_new", "active_drop_share"]
                if operation["kind"] == "restore":  # its rows come back under their own ids
                    asked += ["ids_reused", *(["ids_lost"] if operation.get("exact") else [])]
                measures[league] |= {name: measure(0) for name in asked}
            elif operation:
                measures[league] |= _guarded_measures(connection, run_id, league)
            published = connection.execute(sa.text(_EVER_PUBLISHED), binds).scalar_one()
            is_new = not leagues.get(league).known and not published
            measures[league]["league_unknown"] = measure(
                int(is_new),
                [f"params/leagues/{league}.yaml does not exist; a generic grammar read its team names"]
                if is_new
                else [],
            )
        return measures


def run_leagues(connection: sa.Connection, run_id: str) -> list[str]:
    """Keys of the leagues that the run has to account for."""
    sql = "select league from etl.run_leagues where run_id = :run order by league"
    return list(connection.execute(sa.text(sql), {"run": run_id}).scalars())


def league_ids(connection: sa.Connection, settings: Settings) -> dict[str, int]:
    """League key -> id of its live row, under any spelling of the key."""
    leagues = naming.load_leagues(settings.params_dir)
    found: dict[str, int] = {}
    for row in connection.execute(sa.text("select id, league_id from public.leagues order by id desc")):
        key = leagues.canonical(row.league_id) or row.league_id
        if key not in found or row.league_id == key:
            found[key] = row.id
    return found


_EVER_PUBLISHED = "select exists (select from etl.run_leagues where league = :league and published_at is not null)"


def _user_rows(connection: sa.Connection) -> int:
    """Rows of all tables that no import writes."""
    names = connection.execute(
        sa.text("select tablename from pg_tables where schemaname = 'public' and not tablename = any(:imported)"),
        {"imported": list(IMPORTED)},
    ).scalars()
    return sum(
        connection.execute(sa.text(f"select count(*) from {quote('public', name)}")).scalar_one() for name in names
    )


def _file_measures(files: list[sa.RowMapping]) -> dict[str, dict[str, object]]:
    usable = [file for file in files if file["fault"] is None]
    faulty = [f"{file['path']} {file['fault']}" for file in files if file["fault"]]
    lost = [
        f"{file['path']}: {file['records']:,} read, {file['staged_rows']:,} staged,"
        f" {file['quarantined_rows']:,} quarantined"
        for file in usable
        if file["records"] != file["staged_rows"] + file["quarantined_rows"]
    ]
    unclear = [
        f"{file['path']}: home side first in {counted(file['votes_home'], 'score')}, away side first in"
        f" {file['votes_away']:,}"
        for file in usable
        if file["kind"] == "match_scores" and file["orientation"] is None
    ]
    # a league may have no rating history; everything else is never empty
    empty = [
        f"{file['path']}: of {counted(file['records'], 'record')} none could be staged"
        for file in usable
        if not file["staged_rows"] and (file["kind"] != "player_history" or file["staged_last"])
    ]
    shrunk = [
        f"{file['path']}: {counted(file['staged'], 'record')}, the last good load had {file['staged_last']:,}"
        for file in usable
        if file["staged_last"] and file["staged"] < file["staged_last"]
    ]
    return {
        "files_faulty": measure(len(faulty), faulty),
        "records_unaccounted": measure(len(lost), lost),
        "fault_share": _largest(usable, "faults", "records", "fault_reasons"),
        "orientation_unclear": measure(len(unclear), unclear),
        "foreign_league_share": _largest(usable, "foreign_rows", "records", "foreign_names"),
        "empty_kinds": measure(len(empty), empty),
        "held_share": _largest(usable, "held_rows", "staged", "held_names"),
        "waiting_share": _largest(usable, "waiting_rows", "staged", "waiting_names"),
        "volume_drop_share": measure(
            max((1 - file["staged"] / file["staged_last"] for file in usable if file["staged_last"]), default=0.0)
            if shrunk
            else 0.0,
            shrunk,
        ),
    }


def _largest(files: list[sa.RowMapping], part: str, whole: str, names: str) -> dict[str, object]:
    """The largest share over the files, with what is behind it for every file that has any."""
    shares = [min(1.0, float(file[part] / file[whole])) for file in files if file[whole]]
    detail = [f"{file['path']}: {file[names]}" for file in files if file[part]]
    return measure(max(shares, default=0.0), detail)


def _plan_measures(connection: sa.Connection, binds: dict[str, object]) -> dict[str, dict[str, object]]:
    row = connection.execute(sa.text(read("team_measures")), binds).one()
    before = row.active_before
    kept = connection.execute(sa.text("select count(*) from kept_dates where league = :league"), binds).scalar_one()
    kept_detail = [
        f"known lines printed with another date that the schedule does not support: {kept:,}; live keeps theirs"
    ]
    changes = connection.execute(
        sa.text(
            "select coalesce(sum(cast(op.value as integer)), 0) from etl.run_leagues as l"
            " cross join jsonb_each(l.plan_counts) as t cross join jsonb_each_text(t.value) as op"
            " where l.run_id = :run and l.league = :league and op.key <> 'unchanged'"
        ),
        binds,
    ).scalar_one()
    return {
        # a first load brings everything: nobody has to be asked
        "teams_gone_share": measure(len(row.gone) / before if before else 0.0, sorted(row.gone), ALL_NAMES),
        "teams_new_share": measure(
            len(row.come) / before if before else 0.0, sorted(row.come) if before else [], ALL_NAMES
        ),
        "series_gone": measure(len(row.series_gone), sorted(row.series_gone), ALL_NAMES),
        "series_new": measure(
            len(row.series_come) if before else 0, sorted(row.series_come) if before else [], ALL_NAMES
        ),
        "dates_kept": measure(kept, kept_detail if kept else []),
        "planned_changes": measure(int(changes)),
    }


def _guarded_measures(connection: sa.Connection, run_id: str, league: str) -> dict[str, dict[str, object]]:
    """What a guarded command whose own rows stay has brought and taken: live has it already, no plan shows it."""
    found = connection.scalar(
        sa.text(
            "select details -> 'seasons' -> cast(:league as text) from etl.guards"
            " where run_id = :run and method = 'direct'"
        ),
        {"run": run_id, "league": league},
    )
    if not found:
        return {}
    before = found["active_before"]
    return {
        "teams_gone_share": measure(len(found["gone"]) / before if before else 0.0, found["gone"], ALL_NAMES),
        "teams_new_share": measure(len(found["come"]) / before if before else 0.0, found["come"], ALL_NAMES),
        "series_gone": measure(len(found["series_gone"]), found["series_gone"], ALL_NAMES),
        "series_new": measure(len(found["series_come"]), found["series_come"], ALL_NAMES),
    }


def _identity_measures(
    connection: sa.Connection, catalog: dict[str, Table], binds: dict[str, object]
) -> dict[str, dict[str, object]]:
    """Whether every live row is accounted for and keeps its id, and what a person is asked."""
    found = accounting(connection, binds["run"], catalog, binds["league"], binds["league_id"])
    reviews = connection.execute(
        sa.text(
            "select is_held, entity, name, held_rows, candidates -> 0 ->> 'name' as likeliest,"
            " candidates -> 0 ->> 'evidence' as evidence from etl.reviews"
            " where league = :league and last_run = :run and state = 'open' order by number"
        ),
        binds,
    ).all()
    waiting = [f"{row.name} ({counted(row.held_rows, 'row')})" for row in reviews if row.is_held]
    proposed = [
        f"{row.name} may be {row.likeliest}: {row.evidence}"
        for row in reviews
        if not row.is_held and row.entity == "team" and row.likeliest
    ]
    return {
        "rows_unaccounted": measure(len(found["unaccounted"]), found["unaccounted"]),
        "ids_lost": measure(len(found["lost"]), found["lost"]),
        "ids_reused": measure(len(found["reused"]), found["reused"]),
        "questions_with_rows": measure(len(waiting), waiting),
        "teams_to_confirm": measure(len(proposed), proposed, ALL_NAMES),
    }
