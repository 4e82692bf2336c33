"""The operation `standings`: standings that live lacks, computed from its match lines, without a scrape."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from rally_etl import naming
from rally_etl.identity.thresholds import load_thresholds
from rally_etl.planning import league_ids
from rally_etl.planning.computed import TABLE, compute, computed_before
from rally_etl.planning.operations import REHEARSAL, Kind, Planned
from rally_etl.planning.scene import Scene
from rally_etl.planning.sql import read
from rally_etl.standings import binds, load_limits
from rally_etl.standings.figures import read as read_figures

if TYPE_CHECKING:
    from rally_etl.database.catalog import Table
    from rally_etl.settings import Settings

WORTH = "standings"
"""``etl.repairs.kind`` of a computed row: `row_key` is its id, `becomes` the id of its team."""

_READ = ("match_scores", "series_stats", "teams", "series")


@dataclass(frozen=True, slots=True)
class Missing:
    """A team that has played and has no standings."""

    league: str
    team_id: int
    team: str


_REPAIRS = sa.text(
    "insert into etl.repairs (run_id, number, kind, action, table_name, row_key, column_name, becomes, name, league,"
    " strategy, confidence, evidence, state) select :run, row_number() over (order by p.team_id) +"
    " (select count(*) from etl.repairs where run_id = :run), :kind, 'insert', 'series_stats', cast(p.id as text),"
    " 'team_id', cast(p.team_id as text), p.team, :league, 'lines', 1.0, 'computed from its match lines', 'planned'"
    " from series_stats as p where p._op = 'insert' and :league = any(p._leagues)"
)


def find_missing(connection: sa.Connection, settings: Settings, as_of: date) -> list[Missing]:
    """Teams of live that have played and have no standings, where so few are printed that it is no chance.

    Reads bare names, which are the live tables.
    """
    leagues, limits = naming.load_leagues(settings.params_dir), load_limits(settings.params_dir).computed
    if not all(connection.scalar(sa.text("select to_regclass(:name)"), {"name": f"public.{name}"}) for name in _READ):
        return []
    found = []
    for key, league_id in league_ids(connection, settings).items():
        rule = binds(leagues.get(key))
        if rule is None:
            continue
        rows = connection.execute(
            sa.text(f"with {read_figures('recomputed')}{read('standings_to_compute')}"),
            rule
            | {"league_id": league_id, "as_of": as_of, "computed_ids": computed_before(connection, key)}
            | {"below": limits.below, "teams": limits.teams},
        )
        found += [Missing(key, row.team_id, row.team) for row in rows if row.id is None]
    return found


def plan_missing(
    connection: sa.Connection,
    catalog: dict[str, Table],
    settings: Settings,
    run_id: str,
    operation: Mapping[str, Any],
    keys: list[str],
) -> Planned:
    """Plan the standings that live lacks in these leagues; the plan's schema comes first in ``search_path``."""
    leagues, clubs = naming.load_leagues(settings.params_dir), naming.load_clubs(settings.params_dir)
    limits, ids = load_limits(settings.params_dir).computed, league_ids(connection, settings)
    for key in keys:
        league = leagues.get(key)
        rule = binds(league)
        if rule is None or key not in ids or TABLE not in catalog or run_id == REHEARSAL:
            continue
        scene = Scene(connection, catalog, league, clubs, frozenset(), load_thresholds(settings.params_dir), ids[key])
        compute(scene, rule, limits, computed_before(connection, key), run_id)
        connection.execute(_REPAIRS, {"run": run_id, "kind": WORTH, "league": key})
    return Planned()


def _told(_operation: Mapping[str, Any]) -> str:
    return "compute missing standings"


def _leagues_of(_connection: sa.Connection, _leagues: naming.Leagues, operation: Mapping[str, Any]) -> list[str]:
    return list(operation["leagues"])


KIND = Kind(_told, _leagues_of, plan_missing)
"""It concerns the leagues that it names."""
