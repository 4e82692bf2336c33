"""Pairs that the junction tables lack, and active teams that nothing speaks of or that are in the wrong league."""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa

from rally_etl.database.catalog import quote
from rally_etl.protection.finding.ground import Ground
from rally_etl.protection.finding.imported import TEXTS
from rally_etl.protection.finding.knowledge import ONE
from rally_etl.protection.orphans import Orphan

JUNCTIONS = {"club_leagues": ("club_id", "clubs"), "series_leagues": ("series_id", "series")}


def find_unpaired(ground: Ground) -> Iterator[Orphan]:
    """Leagues of active teams' clubs and series that the junction tables do not pair; one per pair."""
    for junction, (column, target) in JUNCTIONS.items():
        if not (ground.has(junction, column, "league_id") and ground.has("teams", column, "league_id")):
            continue
        rows = ground.connection.execute(
            sa.text(
                f"select t.{column} as id, t.league_id, x.name, min(t.team_name) as team, count(*) as row_count"
                f" from public.teams as t join {quote('public', target)} as x on x.id = t.{column}"
                f" where {_active(ground)} and not exists (select from {quote('public', junction)} as j"
                f" where j.{column} = t.{column} and j.league_id = t.league_id) group by 1, 2, 3 order by 1, 2"
            )
        )
        for row in rows:
            league = ground.league(row.league_id) or str(row.league_id)
            yield Orphan(
                kind="unpaired",
                table=junction,
                row=f"{row.id}, {row.league_id}",
                column="",
                target=target,
                was=None,
                name=row.name,
                series=row.name if target == "series" else "",
                club=row.name if target == "clubs" else "",
                league=league,
                told=f"{ONE[target]} {row.id} ({row.name}) has {row.row_count} active teams in {league},"
                f" {row.team} first, and {junction} does not pair the two",
            )


def find_unspoken(ground: Ground) -> Iterator[Orphan]:
    """Active teams without players, matches, fixtures, standings and rows of users, or in a league not their own."""
    if not ground.has("teams", "club_id", "series_id", "league_id", "team_name"):
        return
    yield from _teams(ground, "t.id = any(:silent)", "", "", "t.id", "nothing speaks of it", _silent(ground))
    if ground.has("series", "league_id"):
        why = "its series is of {other}"
        yield from _teams(ground, "s.league_id <> t.league_id", "series_id", "series", "s.id", why)
    if ground.has("club_leagues", "club_id", "league_id") and ground.has("players", "team_id"):
        paired = "select from public.club_leagues as j where j.club_id = t.club_id"
        strange = (
            "not exists (select from public.players as p where p.team_id = t.id)"
            f" and not exists ({paired} and j.league_id = t.league_id) and exists ({paired})"
        )
        yield from _teams(ground, strange, "club_id", "clubs", "c.id", "it has no players, and its club is of {other}")


def _silent(ground: Ground) -> list[int]:
    """Active teams at which no row of any table points, and which no imported row without an id names.

    The tables are asked for those that are left only.
    """
    left = set(ground.connection.scalars(sa.text(f"select t.id from public.teams as t where {_active(ground)}")))
    references = [each for each in (*ground.imported, *ground.references) if each.target == "teams"]
    for each in sorted(references, key=lambda each: each.table != "players"):
        if not left:
            break
        value = f"u.{quote(each.column)}"
        spoken = f"select distinct {value} from {ground.rows(each)} as u where {value} = any(:left)"
        left -= set(ground.connection.scalars(sa.text(spoken), {"left": sorted(left)}))
    for each in TEXTS:
        if left and each.target == "teams" and ground.has(each.table, each.text, each.column, "league_id"):
            named = (
                f"select t.id from public.teams as t where t.id = any(:left) and exists ("
                f"select from {quote('public', each.table)} as u where u.{quote(each.column)} is null"
                f" and u.league_id = t.league_id and lower(u.{quote(each.text)}) = lower(t.team_name))"
            )
            left -= set(ground.connection.scalars(sa.text(named), {"left": sorted(left)}))
    return sorted(left)


def _teams(
    ground: Ground, condition: str, column: str, target: str, was: str, why: str, silent: list[int] | None = None
) -> Iterator[Orphan]:
    other = "null::integer"
    if column == "series_id":
        other = "s.league_id"
    elif column == "club_id":
        other = "(select min(j.league_id) from public.club_leagues as j where j.club_id = t.club_id)"
    rows = ground.connection.execute(
        sa.text(
            f"select t.id, t.team_name as name, t.league_id, s.name as series, c.name as club,"
            f" cast({was} as text) as was, {other} as other from public.teams as t"
            " left join public.series as s on s.id = t.series_id left join public.clubs as c on c.id = t.club_id"
            f" where {_active(ground)} and {condition} order by t.id"
        ),
        {} if silent is None else {"silent": silent},
    )
    for row in rows:
        league = ground.league(row.league_id) or "*"
        yield Orphan(
            kind="unspoken",
            table="teams",
            row=str(row.id),
            column=column,
            target=target,
            was=row.was if column else None,
            name=row.name,
            series=row.series or "",
            club=row.club or "",
            league=league,
            told=f"team {row.id} ({row.name}) of {league} is active and "
            + why.format(other=ground.league(row.other) or "another league"),
        )


def _active(ground: Ground) -> str:
    return "t.is_active is not false" if ground.has("teams", "is_active") else "true"
