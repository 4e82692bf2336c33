"""Which live series a team of the scrape plays in, and the pairs of clubs and series with their league."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import TYPE_CHECKING

import sqlalchemy as sa

from rally_etl.identity.aliases import aliases_in_force, redirected_ids
from rally_etl.identity.reviews import Review
from rally_etl.planning.clubs import MERGE, merge_candidates
from rally_etl.planning.compare import Wanted, plan_changes

if TYPE_CHECKING:
    from rally_etl.naming import TeamName
    from rally_etl.planning.scene import Scene


def plan_series(scene: Scene, roster: Iterable[TeamName], planned: dict[str, int]) -> None:
    """Find the series of *roster* by their canonical name, renaming old spellings; new ones are planned.

    Where series have no league they are shared by name (docs/databases.md): none is renamed, and a new one is planned
    once for all leagues of the run. A series that was merged is the one it was merged into.

    Args:
        planned: name -> id of shared series that another league of this run plans already; added to.
    """
    is_shared = not scene.catalog["series"].has("league_id")
    wanted = sorted({team.series for team in roster})
    live, merged = _live_series(scene, wanted)
    new = [name for name in wanted if name not in live and not (is_shared and name in planned)]
    ids = dict(zip(new, scene.new_ids("series", len(new)), strict=True))
    rows = []
    for name in wanted:
        live_id, printed = live.get(name, (ids.get(name, planned.get(name)), name))
        scene.series_ids[name] = live_id
        scene.series_names[name] = kept = printed if is_shared or name in merged else name
        how = ("exact", 1.0, "the same name") if name in live else ("new", 1.0, "no live series has this name")
        scene.identified.setdefault(("series", live_id), ("alias", 1.0, "merged") if name in merged else how)
        if name not in merged and (name in live or name in ids):
            rows.append({"id": live_id, "name": kept, "display_name": kept, "league_id": scene.league_id})
    if is_shared:
        scene.share("series", [planned[name] for name in wanted if name in planned and name not in live])
        planned |= ids
    types = {"id": "integer", "name": "text", "display_name": "text"} | ({} if is_shared else {"league_id": "integer"})
    # a display name that somebody chose stays
    shown = "case when l.id is null or l.display_name = l.name then w.display_name else l.display_name end"
    scene.plan("series", rows, types, display_name=shown)


def plan_junctions(scene: Scene) -> None:
    """Plan missing pairs of club and league, series and league: from all files, not rosters alone (incident 20)."""
    for table, column, ids in (
        ("club_leagues", "club_id", scene.club_ids.values()),
        ("series_leagues", "series_id", scene.series_ids.values()),
    ):
        if table not in scene.catalog or not ids:
            continue
        plan_changes(
            scene.connection,
            scene.catalog[table],
            Wanted(
                f"select distinct unnest(cast(:ids as integer[])) as {column},"
                " cast(:league_id as integer) as league_id",
                {column: f"w.{column}", "league_id": "w.league_id"},
                join=f"l.{column} = w.{column} and l.league_id = w.league_id",
            ),
            scene.league.key,
            {"ids": sorted(ids), "league_id": scene.league_id},
        )


def _live_series(scene: Scene, wanted: Iterable[str]) -> tuple[dict[str, tuple[int, str]], set[str]]:
    """Canonical name -> id and live name, and the names of merged series; the league's own spelling comes first."""
    if scene.catalog["series"].has("league_id"):
        sql = "select id, name, true as is_own from public.series where league_id = :league_id"
    elif "series_leagues" in scene.catalog:
        sql = """
            select id, name, exists (select from public.series_leagues as j
                                     where j.series_id = s.id and j.league_id = :league_id) as is_own
            from public.series as s
            """
    else:
        sql = """
            select id, name, exists (select from public.teams as t
                                     where t.series_id = s.id and t.league_id = :league_id) as is_own
            from public.series as s
            """
    into = redirected_ids(scene.connection, "series")
    spellings: dict[str, list[sa.Row]] = defaultdict(list)
    rows = list(scene.connection.execute(sa.text(sql), {"league_id": scene.league_id}))
    for row in rows:
        if row.id not in into:
            spellings[scene.league.parse_series(row.name) or row.name].append(row)
    for name in wanted:
        own = [row for row in spellings.get(name, ()) if row.is_own]
        if len(own) > 1:
            scene.reviews.append(Review("series", MERGE, name, name, "", merge_candidates(own), is_held=False))
    best = {
        name: min(rows, key=lambda row: (not row.is_own, row.name != name, row.id)) for name, rows in spellings.items()
    }
    live = {name: (row.id, row.name) for name, row in best.items()}
    names = {row.id: row.name for row in rows}
    merged = {}
    for alias in aliases_in_force(scene.connection, scene.league.key, "series").values():
        if alias.spelling not in live and int(alias.target) in names:
            merged[alias.spelling] = (int(alias.target), names[int(alias.target)])
    return live | merged, set(merged)
