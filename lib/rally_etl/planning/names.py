"""Every printed team name of a scrape, with the team it stands for and how that was found."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

import sqlalchemy as sa

from rally_etl.database.catalog import quote
from rally_etl.naming import resolve

if TYPE_CHECKING:
    from rally_etl.naming import TeamName
    from rally_etl.planning.teams import Scene, TeamKey

ROSTER_KINDS = ("players", "series_stats")
"""Kinds that name a league's teams; a name printed elsewhere never makes one (incident 11: 110 phantom teams)."""

_PRINTED = {
    "players": """
        select team, coalesce(series, ''), count(*) from etl.staged_players where league = :league group by 1, 2
        """,
    "series_stats": """
        select team, coalesce(series, ''), count(*) from etl.staged_series_stats where league = :league group by 1, 2
        """,
    "match_scores": """
        select team, series, sum(sides) from (
            select home_team, away_team, coalesce(series, '') as series, count(*) as sides
            from etl.staged_match_scores where league = :league group by 1, 2, 3
        ) as pairs cross join lateral (values (home_team), (away_team)) as side(team) group by 1, 2
        """,
    "schedules": """
        select team, coalesce(series, ''), count(*) from etl.staged_schedules
        cross join lateral (values (home_team), (away_team)) as side(team) where league = :league group by 1, 2
        """,
}


def read_printed(scene: Scene) -> dict[str, Counter[tuple[str, str]]]:
    """Kind -> (printed team, printed series) -> how many times; a series that is not printed is ''."""
    printed = {}
    for kind in scene.kinds & _PRINTED.keys():
        rows = scene.connection.execute(sa.text(_PRINTED[kind]), {"league": scene.league.key})
        printed[kind] = Counter({(team, series): int(count) for team, series, count in rows if team is not None})
    return printed


def roster_of(scene: Scene, printed: dict[str, Counter[tuple[str, str]]]) -> dict[TeamKey, TeamName]:
    """The teams that rosters and standings name, one entry per team whatever its spellings."""
    roster: dict[TeamKey, TeamName] = {}
    for kind in ROSTER_KINDS:
        for team, series in sorted(printed.get(kind, ())):
            name = scene.league.parse_team(team, series or None)
            if name:
                key = scene.key(name)
                roster[key] = min(roster.get(key, name), name, key=lambda each: each.name)
    return roster


def write_names(
    scene: Scene, printed: dict[str, Counter[tuple[str, str]]], roster: dict[TeamKey, TeamName], live: list[TeamName]
) -> None:
    """Fill the plan's table ``names``; what resolves to no team is counted as held."""
    rows = []
    for kind, names in printed.items():
        found = resolve([(team, series or None) for team, series in names], roster.values() or live, scene.league, live)
        for (team, series), count in names.items():
            resolved = found[team, series or None]
            known = scene.teams.get(scene.key(resolved.team)) if resolved.team else None
            strategy = resolved.strategy if known or resolved.team is None else "none"
            row = {"kind": kind, "printed": team, "series": series, "row_count": count, "strategy": strategy}
            row["candidates"] = list(resolved.candidates)
            if known:
                row |= {"team_id": known.id, "team_name": known.name, "series_id": known.series_id}
                row |= {"series_name": known.series_name, "club_id": known.club_id}
            else:
                scene.held[kind, "unknown_team", team] += count
            rows.append(row)
    scene.connection.execute(
        sa.text(
            """
            insert into names
            select :league, kind, printed, series, '', row_count, strategy, 1, '', coalesce(candidates, '{}'),
                   team_id, team_name, series_id, series_name, club_id
            from jsonb_to_recordset(cast(:rows as jsonb)) as r(
                kind text, printed text, series text, row_count bigint, strategy text, candidates text[],
                team_id integer, team_name text, series_id integer, series_name text, club_id integer)
            """
        ),
        {"league": scene.league.key, "rows": json.dumps(rows)},
    )
    scene.connection.execute(sa.text("analyze names"))


def write_live_names(scene: Scene, table: str, *columns: str) -> None:
    """Fill ``live_names``: printed name -> team, for rows of a live table that older importers left without a link.

    Args:
        columns: columns that hold names; the link of each is the column ``<name>_id``.
    """
    sql = " union ".join(
        f"select {column} from {quote('public', table)} where league_id = :league_id and {column}_id is null"
        for column in columns
    )
    rows = scene.connection.execute(sa.text(sql), {"league_id": scene.league_id})
    found = []
    for printed in rows.scalars():
        team = scene.league.parse_team(printed) if printed else None
        if team and (known := scene.teams.get(scene.key(team))):
            found.append({"printed": printed, "team_id": known.id})
    scene.connection.execute(sa.text("drop table if exists pg_temp.live_names"))
    scene.connection.execute(
        sa.text(
            "create temporary table live_names on commit drop as"
            " select * from jsonb_to_recordset(cast(:rows as jsonb)) as r(printed text, team_id integer)"
        ),
        {"rows": json.dumps(found)},
    )
