"""One thing in several rows: accounts of one player, practices of one team at one time, lines under a doubled id."""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa

from rally_etl.database.catalog import quote
from rally_etl.protection.finding.ground import Ground
from rally_etl.protection.finding.wording import called
from rally_etl.protection.orphans import Orphan

SUFFIX = "(_Line[0-9]+)(_Line[0-9]+)+$"
"""The court of a line, written again at every run of an importer."""


def find_doubled(ground: Ground) -> Iterator[Orphan]:
    """One per thing: `row` is its first row, `was` how many rows it has."""
    yield from _accounts(ground)
    yield from _practices(ground)
    yield from _lines(ground)


def _accounts(ground: Ground) -> Iterator[Orphan]:
    """Players to whom several users are linked."""
    if not ground.has("user_player_associations", "user_id", "tenniscores_player_id"):
        return
    rows = ground.connection.execute(
        sa.text(
            f"select a.tenniscores_player_id as person, min(a.user_id) as first, count(*) as row_count,"
            " string_agg(cast(a.user_id as text), ', ' order by a.user_id) as users,"
            f" (array_agg({ground.key('user_player_associations', 'a')} order by a.user_id))[1] as row"
            " from public.user_player_associations as a group by 1 having count(distinct a.user_id) > 1 order by 1"
        )
    ).all()
    people = {}
    if rows and ground.has("players", "tenniscores_player_id", "first_name", "last_name", "league_id"):
        found = ground.connection.execute(
            sa.text(
                "select tenniscores_player_id as person, min(concat_ws(' ', first_name, last_name)) as name,"
                " min(league_id) as league_id from public.players where tenniscores_player_id = any(:people) group by 1"
            ),
            {"people": [row.person for row in rows]},
        )
        people = {row.person: row for row in found}
    for row in rows:
        who = people.get(row.person)
        called_who = f"player {row.person}" + (f" ({who.name})" if who else "")
        yield Orphan(
            kind="doubled",
            table="user_player_associations",
            row=row.row,
            column="tenniscores_player_id",
            target="players",
            was=str(row.row_count),
            name=who.name if who else "",
            league=(ground.league(who.league_id) if who else None) or "*",
            told=f"{called_who} is linked to {row.row_count} users: {row.users}",
        )


def _practices(ground: Ground) -> Iterator[Orphan]:
    """Practices of one team at one time; of the schedule and of the table of their own, whichever there is."""
    if ground.has("schedule", "id", "home_team_id", "match_date", "match_time", "home_team", "league_id"):
        source = f"(select * from public.schedule where {ground.params.practice_rows})"
        when = ("match_date", "match_time")
        yield from _same_time(ground, "schedule", source, "home_team_id", when, "home_team", "practice_rows")
    table = "practice_times"
    names = ("practice_date" if ground.has(table, "practice_date") else "day_of_week", "start_time")
    if ground.has(table, "id", "team_id", *names):
        yield from _same_time(ground, table, f"public.{table}", "team_id", names, None, table)


def _same_time(
    ground: Ground, table: str, source: str, team: str, when: tuple[str, ...], text: str | None, label: str
) -> Iterator[Orphan]:
    columns = ", ".join(f"u.{quote(name)}" for name in when)
    rows = ground.connection.execute(
        sa.text(
            f"with doubled as (select u.{team} as team, concat_ws(' ', {columns}) as at, min(u.id) as first,"
            f" count(*) as row_count, {f'min(u.{text})' if text else 'cast(null as text)'} as shown"
            f" from {source} as u where u.{team} is not null group by u.{team}, {columns} having count(*) > 1)"
            " select d.*, t.team_name as name, t.league_id, s.name as series, c.name as club from doubled as d"
            " left join public.teams as t on t.id = d.team left join public.series as s on s.id = t.series_id"
            " left join public.clubs as c on c.id = t.club_id order by d.first"
        )
    )
    for row in rows:
        what = called(ground.params.called.get(label, table), str(row.first), row.shown)
        yield Orphan(
            kind="doubled",
            table=table,
            row=str(row.first),
            column="",
            target="",
            was=str(row.row_count),
            name=row.name or "",
            series=row.series or "",
            club=row.club or "",
            league=ground.league(row.league_id) or "*",
            told=f"{what} of {row.name or f'team {row.team}'} at {row.at} is there {row.row_count} times",
        )


def _lines(ground: Ground) -> Iterator[Orphan]:
    """Match lines that stand once under their id and again under one with the court written twice."""
    same = ("match_date", "home_team_id", "away_team_id", "home_player_1_id", "away_player_1_id", "scores", "winner")
    if not ground.has("match_scores", "id", "tenniscores_match_id", "league_id", *same):
        return
    stripped = f"regexp_replace(u.tenniscores_match_id, '{SUFFIX}', '\\1')"
    alike = " and ".join(f"o.{name} is not distinct from u.{name}" for name in same)
    rows = ground.connection.execute(
        sa.text(
            f"select o.id, o.tenniscores_match_id as line, o.league_id, o.home_team, o.away_team,"
            " count(*) + 1 as row_count from public.match_scores as u"
            f" join public.match_scores as o on o.tenniscores_match_id = {stripped} and o.id <> u.id and {alike}"
            f" where u.tenniscores_match_id ~ '{SUFFIX}' group by 1, 2, 3, 4, 5 order by 1"
        )
    )
    for row in rows:
        yield Orphan(
            kind="doubled",
            table="match_scores",
            row=str(row.id),
            column="",
            target="",
            was=str(row.row_count),
            name=row.line,
            league=ground.league(row.league_id) or "*",
            told=f"match line {row.id} ({row.home_team} - {row.away_team}, {row.line}) is there {row.row_count} times:"
            " its court was written into the id again",
        )
