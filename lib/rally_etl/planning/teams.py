"""The league's row and its teams: known ones keep their ids, new ones get theirs here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import sqlalchemy as sa

from rally_etl.identity.aliases import redirected_ids
from rally_etl.identity.spelling import TeamKey, team_spelling
from rally_etl.planning.scene import LiveRow, LiveTeam, Scene

if TYPE_CHECKING:
    from rally_etl.identity.matching import Match
    from rally_etl.naming import TeamName


def plan_league(scene: Scene, canonical: dict[str, str | None]) -> None:
    """Find the league's row by any spelling of its key, or plan one."""
    rows = scene.connection.execute(sa.text("select id, league_id from public.leagues order by id")).all()
    league = scene.league
    found = [row for row in rows if league.key in (row.league_id, canonical.get(row.league_id))]
    found.sort(key=lambda row: (row.league_id != league.key, row.id))
    if found:
        scene.league_id = found[0].id
        return
    scene.league_id = scene.new_ids("leagues", 1)[0]
    scene.identified["leagues", scene.league_id] = ("new", 1.0, "no live league has this key")
    row = {"id": scene.league_id, "league_id": league.key, "league_name": league.name, "league_url": league.url}
    scene.plan("leagues", [row], dict.fromkeys(row, "text") | {"id": "integer"})


def plan_teams(
    scene: Scene,
    roster: dict[TeamKey, TeamName],
    found: Mapping[TeamKey, Match],
    live: list[LiveRow],
    is_complete: bool,
) -> None:
    """Plan the teams of *roster* under the ids that *found* gives them; a team without a live row gets a new one.

    With *is_complete* (rosters and standings both scraped) an active team that nothing mentions is deactivated, but
    for those that a question for a person is about. Fills ``scene.teams`` and ``scene.teams_by_id``.
    """
    rows_by_id = {row.id: row for row in live}
    keep = {key: rows_by_id[match.id] for key, match in found.items() if match.id is not None}
    new = sorted(_without_key_conflicts(scene, [key for key in roster if key not in keep], roster, live))
    ids = dict(zip(new, scene.new_ids("teams", len(new)), strict=True))
    rows: dict[int, dict[str, object]] = {}
    # of two names of one team the one that live has is written last, so that a second spelling does not rename it
    for key, team in sorted(roster.items(), key=lambda each: (found[each[0]].strategy == "exact", each[0])):
        if key not in keep and key not in ids:
            continue
        row = keep.get(key)
        team_id = row.id if row else ids[key]
        rows[team_id] = _wanted(scene, key, team, team_id, row)
        scene.teams_by_id[team_id] = LiveTeam(
            team_id, team.name, scene.series_ids[team.series], scene.series_names[team.series], scene.club_ids[key[0]]
        )
        if not row:
            why = "; ".join(filter(None, (found[key].evidence, _supported_by(scene, key))))
            scene.identified["teams", team_id] = ("new", found[key].confidence, why)
    mentioned = rows.keys() | scene.protected
    if is_complete:
        merged = redirected_ids(scene.connection, "teams")
        off = [row for row in live if row.is_active and row.id not in mentioned and row.id not in merged]
        rows |= {row.id: row.switched_off() for row in off if row.key not in roster}
    for row in live:
        as_live = LiveTeam(row.id, row.name, row.series_id, row.series_name, row.club_id)
        scene.teams_by_id.setdefault(row.id, as_live)
        if row.is_active and row.key and team_spelling(row.key) not in scene.waiting:
            scene.teams.setdefault(row.key, scene.teams_by_id[row.id])
    # a name of the scrape comes before one that live had for another team
    scene.teams |= {key: scene.teams_by_id[keep[key].id if key in keep else ids[key]] for key in (*keep, *ids)}
    types = {
        "id": "integer", "club_id": "integer", "series_id": "integer", "league_id": "integer", "team_name": "text",
        "display_name": "text", "team_alias": "text", "is_active": "boolean",
    }  # fmt: skip
    shown = "case when l.id is null or l.display_name = l.team_name then w.display_name else l.display_name end"
    scene.plan("teams", list(rows.values()), types, display_name=shown)


def _wanted(scene: Scene, key: TeamKey, team: TeamName, team_id: int, row: LiveRow | None) -> dict[str, object]:
    alias, read = team.series, scene.league.parse_series
    if row and row.alias and read(row.alias) not in (team.series, read(row.series_name) or row.series_name):
        alias = row.alias  # somebody chose it
    return {
        "id": team_id, "club_id": scene.club_ids[key[0]], "series_id": scene.series_ids[team.series],
        "league_id": scene.league_id, "team_name": team.name, "display_name": team.name, "team_alias": alias,
        "is_active": True,
    }  # fmt: skip


def _supported_by(scene: Scene, key: TeamKey) -> str:
    """Which files name a new team: why it is made."""
    kinds = scene.named_in.get(key, ())
    return f"named in {', '.join(sorted(kinds))}" if kinds else ""


def live_teams(scene: Scene) -> list[LiveRow]:
    rows = scene.connection.execute(
        sa.text(
            """
            select t.id, t.team_name, t.display_name, t.team_alias, t.club_id, t.series_id, s.name as series_name,
                   t.league_id, coalesce(t.is_active, true) as is_active
            from public.teams as t join public.series as s on s.id = t.series_id
            where t.league_id = :league_id order by t.id
            """
        ),
        {"league_id": scene.league_id},
    )
    live = []
    for row in rows:
        team = scene.league.parse_team(row.team_name, row.series_name)
        live.append(LiveRow(*row, key=scene.key(team) if team else None))
    return live


def live_team_names(scene: Scene, live: list[LiveRow]) -> list[TeamName]:
    """The active live teams of the league as names, to resolve what the scrape's own rosters do not know."""
    rows = [(row.name, row.series_name) for row in live if row.is_active]
    return [team for name, series in rows if (team := scene.league.parse_team(name, series))]


def _without_key_conflicts(
    scene: Scene, new: list[TeamKey], roster: dict[TeamKey, TeamName], live: list[LiveRow]
) -> list[TeamKey]:
    """Leave out teams that a unique key of the database met cannot hold beside another; they are held."""
    one_per_series = [
        key.name
        for key in scene.catalog["teams"].unique_keys
        if set(key.columns) == {"club_id", "series_id", "league_id"}
    ]
    if not one_per_series:
        return new
    taken = {(row.club_id, row.series_id) for row in live}
    kept = []
    for key in sorted(new):
        place = (scene.club_ids[key[0]], scene.series_ids[key[1]])
        if place in taken:
            scene.held["teams", f"unique key {one_per_series[0]} has no room", roster[key].name] += 1
        else:
            taken.add(place)
            kept.append(key)
    return kept
