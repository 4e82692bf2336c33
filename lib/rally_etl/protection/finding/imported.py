"""Imported rows without the id of the team that they name, or with the id of another one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import sqlalchemy as sa

from rally_etl.database.catalog import quote
from rally_etl.measures import counted
from rally_etl.protection.finding.ground import Ground
from rally_etl.protection.finding.knowledge import ONE, club_of
from rally_etl.protection.finding.wording import called
from rally_etl.protection.orphans import Orphan
from rally_etl.records.values import person_key


@dataclass(frozen=True, slots=True)
class _Text:
    """A text of imported rows, and the id that must be of the thing it names."""

    table: str
    text: str
    column: str
    target: str
    name: str


TEXTS = (
    _Text("match_scores", "home_team", "home_team_id", "teams", "team_name"),
    _Text("match_scores", "away_team", "away_team_id", "teams", "team_name"),
    _Text("schedule", "home_team", "home_team_id", "teams", "team_name"),
    _Text("schedule", "away_team", "away_team_id", "teams", "team_name"),
    _Text("series_stats", "team", "team_id", "teams", "team_name"),
    _Text("series_stats", "series", "series_id", "series", "name"),
)


def find_unknown_people(ground: Ground) -> Iterator[Orphan]:
    """Persons who play in match lines and are nobody's player; one per person: `row` and `column` are their first seat.

    Ids that a scraper has made up are left out: they never were anybody's.
    """
    seats = [each for each in ground.imported if each.table == "match_scores" and each.target == "players"]
    if not seats or not ground.has("match_scores", "id", "league_id"):
        return
    values = ", ".join(f"('{each.column}', u.{quote(each.column)})" for each in seats)
    rows = ground.connection.execute(
        sa.text(
            "select x.person, u.league_id, count(*) as row_count, min(u.id) as first,"
            " (array_agg(x.seat order by u.id, x.seat))[1] as seat from public.match_scores as u"
            f" cross join lateral (values {values}) as x(seat, person) where btrim(x.person) <> ''"
            " and not exists (select from public.players as p where p.tenniscores_player_id = x.person)"
            " group by 1, 2 order by 1, 2"
        )
    )
    for row in rows:
        key = ground.league(row.league_id) or "*"
        league = ground.names.get(key)
        if league.is_made_up(person_key(row.person, tuple(league.id_prefixes))):
            continue
        yield Orphan(
            kind="dangling",
            table="match_scores",
            row=str(row.first),
            column=row.seat,
            target="players",
            was=row.person,
            had=row.person,
            league=key,
            told=f"player {row.person} plays in {counted(row.row_count, 'match line')}, first in {row.first},"
            " and is nobody's player",
        )


def find_unlinked(ground: Ground) -> Iterator[Orphan]:
    """Rows that name a team or series and have no id of one; a word that stands for no team (BYE) names none.

    Names that an import asks about already wait for that answer.
    """
    asked = _asked_by_imports(ground)
    for each in _texts(ground):
        rows = ground.connection.execute(
            sa.text(
                f"select {ground.key(each.table, 'u')} as row, u.{each.text} as name,"
                f" {_series(ground, each)} as series,"
                f" {_league(ground, each.table)} as league_id from {_rows(ground, each.table)} as u"
                f" where u.{each.column} is null and btrim(u.{each.text}) <> '' order by u.id"
            )
        )
        for row in rows:
            league = ground.league(row.league_id) or "*"
            if league != "*" and each.target == "teams" and ground.names.get(league).is_no_team(row.name):
                continue
            if (league, row.name) in asked:
                continue
            yield Orphan(
                kind="unlinked",
                table=each.table,
                row=row.row,
                column=each.column,
                target=each.target,
                was=None,
                name=row.name,
                series=row.series or "",
                club=club_of(ground, league, row.name, row.series or "") if each.target == "teams" else "",
                league=league,
                told=f"{_called(ground, each.table, row.row)} names {row.name} and has no {ONE[each.target]} id",
            )
    yield from _unlinked_players(ground)


def _asked_by_imports(ground: Ground) -> set[tuple[str, str]]:
    """League and printed name of the teams and series that imports have asked about."""
    if "reviews" not in ground.ledger:
        return set()
    rows = ground.connection.execute(
        sa.text(
            "select league, name from etl.reviews where state in ('open', 'rejected') and entity in ('team', 'series')"
            " and kind not in ('orphan', 'doubled')"
        )
    )
    return {(row.league, row.name) for row in rows}


def _unlinked_players(ground: Ground) -> Iterator[Orphan]:
    """Active players without a team although an active team of their club and series is there."""
    place = ("club_id", "series_id", "league_id")
    if not (ground.has("players", "team_id", *place) and ground.has("teams", *place)):
        return
    active = " and p.is_active is not false" if ground.has("players", "is_active") else ""
    playing = " and t.is_active is not false" if ground.has("teams", "is_active") else ""
    rows = ground.connection.execute(
        sa.text(
            "select p.id, concat_ws(' ', p.first_name, p.last_name) as name, c.name as club, s.name as series,"
            " p.league_id from public.players as p"
            " left join public.clubs as c on c.id = p.club_id left join public.series as s on s.id = p.series_id"
            f" where p.team_id is null{active} and exists (select from public.teams as t where t.club_id = p.club_id"
            f" and t.series_id = p.series_id and t.league_id = p.league_id{playing}) order by p.id"
        )
    )
    for row in rows:
        yield Orphan(
            kind="unlinked",
            table="players",
            row=str(row.id),
            column="team_id",
            target="teams",
            was=None,
            series=row.series or "",
            club=row.club or "",
            league=ground.league(row.league_id) or "*",
            told=f"player {row.id} ({row.name}) of {row.club} in {row.series} has no team",
        )


def find_mislinked(ground: Ground) -> Iterator[Orphan]:
    """Rows whose id is of another thing than the one of exactly that name in their league, or of another league.

    A thing may have had the name of the text before a run renamed it; the history says so.
    """
    for each in _texts(ground):
        target = quote("public", each.target)
        has_league = ground.has(each.target, "league_id") and ground.has(each.table, "league_id")
        in_league = " and o.league_id = u.league_id" if has_league else ""
        known = ""
        if "entity_history" in ground.ledger:
            known = (
                f" and not exists (select from etl.entity_history as h where h.table_name = '{each.target}'"
                f" and h.entity_id = t.id and h.name = u.{each.text})"
            )
        other = f"t.{each.name} <> u.{each.text} and o.id is not null{known}"
        astray = "t.league_id <> u.league_id" if has_league else "false"
        rows = ground.connection.execute(
            sa.text(
                f"select {ground.key(each.table, 'u')} as row, u.{each.text} as name,"
                f" {_series(ground, each)} as series,"
                f" {_league(ground, each.table)} as league_id, t.id, t.{each.name} as now, {astray} as is_astray,"
                f" {'t.league_id' if has_league else 'null::integer'} as now_league, min(o.id) as right_id"
                f" from {_rows(ground, each.table)} as u join {target} as t on t.id = u.{each.column}"
                f" left join {target} as o on o.{each.name} = u.{each.text} and o.id <> t.id{in_league}"
                f" and t.{each.name} <> u.{each.text}"
                f" where ({other}) or {astray} group by 1, 2, 3, 4, 5, 6, 7, 8, u.id order by u.id"
            )
        )
        for row in rows:
            league = ground.league(row.league_id) or "*"
            told = f"{_called(ground, each.table, row.row)} names {row.name} and has {ONE[each.target]} {row.id}"
            told += f", which is {row.now}"
            if row.is_astray:
                told += f" of {ground.league(row.now_league) or 'another league'}"
            yield Orphan(
                kind="mislinked",
                table=each.table,
                row=row.row,
                column=each.column,
                target=each.target,
                was=str(row.id),
                had=None if row.right_id is None else str(row.right_id),
                name=row.name or "",
                series=row.series or "",
                club=club_of(ground, league, row.name or "", row.series or "") if each.target == "teams" else "",
                league=league,
                told=told,
            )
    yield from _astray_players(ground)


def _astray_players(ground: Ground) -> Iterator[Orphan]:
    """Players whose team is of another league than they."""
    if not (ground.has("players", "team_id", "league_id") and ground.has("teams", "league_id")):
        return
    rows = ground.connection.execute(
        sa.text(
            "select p.id, concat_ws(' ', p.first_name, p.last_name) as name, p.team_id, t.team_name, p.league_id,"
            " t.league_id as now_league, c.name as club, s.name as series from public.players as p"
            " join public.teams as t on t.id = p.team_id and t.league_id <> p.league_id"
            " left join public.clubs as c on c.id = p.club_id left join public.series as s on s.id = p.series_id"
            " order by p.id"
        )
    )
    for row in rows:
        league = ground.league(row.league_id) or "*"
        yield Orphan(
            kind="mislinked",
            table="players",
            row=str(row.id),
            column="team_id",
            target="teams",
            was=str(row.team_id),
            series=row.series or "",
            club=row.club or "",
            league=league,
            told=f"player {row.id} ({row.name}) of {league} is in team {row.team_id}, which is {row.team_name} of"
            f" {ground.league(row.now_league) or 'another league'}",
        )


def _texts(ground: Ground) -> Iterator[_Text]:
    for each in TEXTS:
        if ground.has(each.table, "id", each.text, each.column) and ground.has(each.target, "id", each.name):
            yield each


def _rows(ground: Ground, table: str) -> str:
    condition = f" where {ground.params.match_rows}" if table == "schedule" else ""
    return f"(select * from {quote('public', table)}{condition})"


def _league(ground: Ground, table: str) -> str:
    return "u.league_id" if ground.has(table, "league_id") else "null::integer"


def _series(ground: Ground, text: _Text) -> str:
    """SQL of the series that the row itself names."""
    return "u.series" if ground.has(text.table, "series") else "cast(null as text)"


def _called(ground: Ground, table: str, row: str) -> str:
    return called(ground.params.called.get(table, table), row)
