"""Standings that nobody printed, computed from the planned match lines: planned rows like any other, and marked.

What is computed stays so until a scrape prints the team's row, which then takes its place under the same id.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from rally_etl.planning.compare import Wanted, plan_changes
from rally_etl.planning.sql import read
from rally_etl.standings import binds, load_limits
from rally_etl.standings.figures import read as read_figures

if TYPE_CHECKING:
    from rally_etl.planning.scene import Scene
    from rally_etl.standings.rules import Computed

TABLE = "series_stats"
_WRITTEN = (
    "league_id", "series", "team", "series_id", "team_id", "points", "matches_won", "matches_lost", "matches_tied",
    "lines_won", "lines_lost", "sets_won", "sets_lost", "games_won", "games_lost",
)  # fmt: skip
_READ = {
    "match_scores": "league_id, match_date, home_team_id, away_team_id, scores, winner, tenniscores_match_id",
    "series_stats": "id, league_id, team_id, series, team, matches_won, matches_lost",
    "teams": "id, league_id, team_name, series_id, is_active",
    "series": "id, name",
}

# Each import says anew which rows of the league are computed ones, so those of the last one that stands are all.
_COMPUTED_BEFORE = sa.text(
    """
    select c.id
    from etl.computed_rows as c
    where c.league = :league and c.table_name = 'series_stats' and c.run_id = (
        select l.run_id
        from etl.run_leagues as l join etl.runs as r using (run_id)
        where l.league = :league and l.state in ('published', 'verified') and l.published_at is not null
          and (r.operation is null or r.operation ->> 'kind' in ('guard', 'standings'))
        order by l.published_at desc limit 1
    )
    """
)
_MARK = sa.text(
    """
    insert into etl.computed_rows (run_id, league, table_name, id, reason)
    select :run, :league, 'series_stats', coalesce(w.id, p.id),
           format('computed from its lines: standings are printed of %s %% of the teams that have played',
                  round(100 * w.covered_share))
    from computed_standings as w
    left join series_stats as p on p._op = 'insert' and p.team_id = w.team_id and :league = any(p._leagues)
    """
)


def plan_computed(scene: Scene, run_id: str, params_dir: Path) -> None:
    """Compute the standings of teams that have played, where the league's own are missing or hardly cover its teams.

    A printed row, planned or live, is never written over. Which rows of the league are computed ones after this run
    goes to ``etl.computed_rows``, with the reason.
    """
    rule, limits = binds(scene.league), load_limits(params_dir).computed
    if rule is None or TABLE not in scene.catalog:
        return
    before = _not_printed_now(scene, computed_before(scene.connection, scene.league.key))
    if before or _printed_now(scene) < limits.below * len(scene.teams):
        compute(scene, rule, limits, before, run_id)


def computed_before(connection: sa.Connection, league: str) -> list[int]:
    """Ids of the rows of a league that nobody has printed, as the last run that stands has said."""
    return list(connection.scalars(_COMPUTED_BEFORE, {"league": league}))


def compute(scene: Scene, rule: Mapping[str, Any], limits: Computed, before: list[int], run_id: str) -> None:
    """Plan the computed rows of a league, and mark those that are computed ones after the run.

    Args:
        before: ids of live rows that are computed ones and stay so.
    """
    connection, league = scene.connection, scene.league.key
    as_of = connection.scalar(sa.text("select as_of from etl.runs where run_id = :run"), {"run": run_id})
    connection.execute(sa.text("drop table if exists pg_temp.computed_standings"))
    connection.execute(
        sa.text(
            "create temporary table computed_standings on commit drop as"
            f" with {_as_planned()}, {read_figures('recomputed')}{read('standings_to_compute')}"
        ),
        rule
        | {"league_id": scene.league_id, "as_of": as_of, "computed_ids": before}
        | {"below": limits.below, "teams": limits.teams},
    )
    plan_changes(
        connection,
        scene.catalog[TABLE],
        Wanted("select * from computed_standings", {name: f"w.{name}" for name in _WRITTEN}),
        league,
        {},
    )
    connection.execute(_MARK, {"run": run_id, "league": league})


def _printed_now(scene: Scene) -> int:
    """Teams of which the scrape prints a row; `planning.standings` has noted them."""
    if TABLE not in scene.kinds:
        return 0
    return scene.connection.scalar(sa.text("select count(*) from pg_temp.standings"))


def _not_printed_now(scene: Scene, ids: list[int]) -> list[int]:
    """Those of the live rows whose team the scrape does not print."""
    if not ids or TABLE not in scene.kinds:
        return ids
    sql = (
        "select l.id from public.series_stats as l where l.id = any(:ids)"
        " and not exists (select from pg_temp.standings as s where s.team_id = l.team_id)"
    )
    return list(scene.connection.scalars(sa.text(sql), {"ids": ids}))


def _as_planned() -> str:
    """Head of a query, `with` already said: each table as the candidate will show it, under its own name."""
    return ", ".join(
        f"{name} as (select {columns} from public.{name} as l"
        f" where not exists (select from {name} as p where p.id = l.id)"
        f" union all select {columns} from {name} where _op <> 'delete')"
        for name, columns in _READ.items()
    )
